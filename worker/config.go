package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"acklab/broker"
	"acklab/internal/ledger"
	"acklab/internal/metrics"
	"acklab/result"
	"acklab/task"
)

// AckMode says when a delivery is acknowledged.
type AckMode string

// The acknowledgement modes, Celery's acks_late off and on.
const (
	Early AckMode = "early" // when a slot accepts the task, just before the handler
	Late  AckMode = "late"  // after the handler has returned
)

// Config is what a worker needs. Open, Registry and Sources are required.
type Config struct {
	// Open makes the client of the broker; the worker owns and closes it.
	Open func(context.Context, broker.Options) (broker.Broker, error)
	// Registry holds the handlers.
	Registry *task.Registry
	// Sources are the queues in order of preference, Order how they share.
	Sources []broker.Source
	Order   broker.Order
	// Concurrency is the number of slots; 1 or more.
	Concurrency int
	// PrefetchMultiplier times Concurrency is how many deliveries per queue
	// may be here unsettled; 0 is without limit.
	PrefetchMultiplier int
	// Ack is early or late.
	Ack AckMode
	// Retry changes the retry policy of every task for this worker; nil: each
	// has the one that it was registered with.
	Retry func(task.RetryPolicy) task.RetryPolicy
	// Random gives numbers from 0 up to 1, 1 excluded, for the jitter of
	// retries; it must be safe for concurrent use. Nil: math/rand/v2.
	Random func() float64
	// Results is where states and results go; nil: nowhere. The worker does not
	// close it.
	Results result.Store
	// TrackStarted: STARTED goes there too, as with Celery's task_track_started.
	TrackStarted bool
	// Name is the worker's in its results; empty: none.
	Name string
	// Grace is how long a polite stop waits for running tasks.
	Grace time.Duration
	// Crash and Pause are at checkpoints; nil: none.
	Crash, Pause *Trigger
	// Resume ends a pause.
	Resume <-chan struct{}
	// Ledger, Metrics and Log may each be nil.
	Ledger  *ledger.Writer
	Metrics *metrics.Metrics
	Log     *slog.Logger
}

func (c Config) check() error {
	switch {
	case c.Open == nil || c.Registry == nil:
		return errors.New("a worker needs a broker and a registry")
	case c.Concurrency < 1:
		return fmt.Errorf("concurrency %d: use 1 or more", c.Concurrency)
	case c.PrefetchMultiplier < 0:
		return fmt.Errorf("prefetch multiplier %d: use 0 (no limit) or more", c.PrefetchMultiplier)
	case c.Ack != Early && c.Ack != Late:
		return fmt.Errorf("acknowledgement %q: use %q or %q", c.Ack, Early, Late)
	case c.Grace < 0:
		return fmt.Errorf("grace period %v is negative", c.Grace)
	}
	for _, t := range []*Trigger{c.Crash, c.Pause} {
		if err := t.check(c.Ack); err != nil {
			return err
		}
		if t != nil && t.At == ResultStored && c.Results == nil {
			return fmt.Errorf("checkpoint %q: there is no result store; name one with --result", t.At)
		}
	}
	return c.subscription().Check()
}

func (c Config) subscription() broker.Subscription {
	prefetch := c.PrefetchMultiplier * c.Concurrency
	if prefetch == 0 {
		prefetch = broker.Unlimited
	}
	return broker.Subscription{Sources: c.Sources, Order: c.Order, Prefetch: prefetch}
}
