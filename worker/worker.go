package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"acklab/broker"
	"acklab/internal/ledger"
	"acklab/internal/metrics"
	"acklab/task"
)

// closeWithin bounds what is left to do with the broker once the worker
// stops: give back, flush, close. A broker that does not answer by then
// learns of the end from the closed connection.
const closeWithin = 5 * time.Second

// ErrUnsettled: the worker has ended, and the broker did not say that it has
// processed all that was to be given back or acknowledged. Nothing is lost by
// that: what was not settled is delivered again, when the broker takes it from the
// worker that has gone, also if its task has run.
var ErrUnsettled = errors.New("the worker has ended, but the broker does not say what it has of its last tasks: some may run again")

// Worker is one worker process. Make it with New and run it once.
type Worker struct {
	cfg      Config
	ackMode  AckMode
	registry *task.Registry
	ledger   *ledger.Writer
	metrics  *metrics.Metrics
	log      *slog.Logger
	retries  map[string]task.RetryPolicy // by the name of the task
	random   func() float64
	points   checkpoints
	inFlight atomic.Int64
	flusher  flusher
	broker   broker.Broker
	consumer broker.Consumer
	holds    bool // what comes before its ETA waits here: the broker leaves it to us
	waiting  waiting
	declared queues

	uncountable brokenChords

	storeAway atomic.Bool // the last result was lost: the store is not waited for
}

// New checks the configuration; the error says what is wrong with it.
func New(cfg Config) (*Worker, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	retries, err := policies(cfg)
	if err != nil {
		return nil, err
	}
	random := cfg.Random
	if random == nil {
		random = rand.Float64
	}
	log := cfg.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	cfg.Metrics.KnowTasks(cfg.Registry.Names()...)
	return &Worker{
		cfg: cfg, ackMode: cfg.Ack, registry: cfg.Registry, ledger: cfg.Ledger, metrics: cfg.Metrics, log: log,
		retries: retries, random: random,
		points:  checkpoints{crash: cfg.Crash, pause: cfg.Pause, resume: cfg.Resume, ledger: cfg.Ledger},
		flusher: flusher{turn: make(chan struct{}, 1)},
	}, nil
}

// Run works until ctx ends or the ledger cannot be written. When ctx ends it
// stops politely: it takes nothing more, gives back what no slot has accepted,
// and waits up to the grace period for running tasks; those that are not done
// by then, or when now is closed, are interrupted: late acknowledgement gives
// them back, early acknowledgement has nothing left to give.
func (w *Worker) Run(ctx context.Context, now <-chan struct{}) (err error) {
	w.broker, err = w.cfg.Open(ctx, broker.Options{Observe: w.observe, Log: w.log})
	if err != nil {
		return err
	}
	defer func() {
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeWithin)
		defer cancel()
		err = errors.Join(err, w.broker.Close(end))
	}()
	if err := w.subscribe(ctx); err != nil {
		return err
	}
	return w.work(ctx, now)
}

// subscribe declares the queues and asks for deliveries.
func (w *Worker) subscribe(ctx context.Context) (err error) {
	var queues []string
	for _, s := range w.cfg.Sources {
		queues = append(queues, s.Queue)
	}
	if err := w.broker.Declare(ctx, queues...); err != nil {
		return fmt.Errorf("declare the queues: %w", err)
	}
	for _, queue := range queues {
		w.declared.add(queue)
	}
	w.points.begin(ctx.Done()).reach(BeforeFetch)
	w.consumer, err = w.broker.Consume(ctx, w.cfg.subscription())
	if err != nil {
		return fmt.Errorf("subscribe: %w", err)
	}
	traits := w.broker.Traits()
	w.holds = traits.Delay == broker.ByWorker
	if traits.Returns == broker.OnLease {
		w.flusher.leased()
	}
	w.write(ledger.Line{Event: ledger.Consuming})
	w.log.Info("ready", "queues", queues, "concurrency", w.cfg.Concurrency, "ack", w.ackMode)
	return nil
}

// work runs the slots until they end, then settles what is left.
func (w *Worker) work(ctx context.Context, now <-chan struct{}) error {
	handlers, interrupt := context.WithCancelCause(context.WithoutCancel(ctx))
	defer interrupt(nil)
	flushing, stopFlushing := context.WithCancel(context.WithoutCancel(ctx))
	defer stopFlushing()

	slots, slotCtx := errgroup.WithContext(context.WithoutCancel(ctx))
	for range w.cfg.Concurrency {
		slots.Go(func() error { return w.slot(slotCtx, handlers) })
	}
	go w.flushLoop(flushing)
	ended := make(chan error, 1)
	go func() { ended <- slots.Wait() }()

	var err error
	select {
	case err = <-ended: // a slot failed: no task is running any more
	case <-w.ledger.Broken():
		err = w.ledger.Err()
	case <-ctx.Done():
		err = w.drain(ctx, now, interrupt, ended)
	case <-now:
		err = w.drain(ctx, now, interrupt, ended)
	}
	stopFlushing()
	return errors.Join(err, w.close(ctx))
}

// close gives back what is unsettled, makes sure of the rest, and ends the
// subscription.
func (w *Worker) close(ctx context.Context) error {
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeWithin)
	defer cancel()
	for _, d := range w.waiting.all() {
		w.requeue(end, d, "the worker ends before its eta")
	}
	w.flush(end)
	if err := w.consumer.Close(end); err != nil {
		return fmt.Errorf("%w: %w", ErrUnsettled, err)
	}
	return nil
}
