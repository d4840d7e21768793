package worker_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"acklab/broker"
	"acklab/internal/ledger"
	"acklab/result"
	"acklab/task"
)

// slow is a broker that takes a second to declare a queue.
type slow struct{ broker.Broker }

func (s slow) Declare(ctx context.Context, queues ...string) error {
	time.Sleep(time.Second)
	return s.Broker.Declare(ctx, queues...)
}

// Two slots that come to a new queue at once: the second waits until it is there.
func TestNobodyPublishesToAQueueThatIsStillBeingDeclared(t *testing.T) {
	inFlow(t, func(b *bench, _ result.Store) {
		open := b.cfg.Open
		b.cfg.Open = func(ctx context.Context, o broker.Options) (broker.Broker, error) {
			inner, err := open(ctx, o)
			return slow{inner}, err
		}
		for _, id := range []string{"a", "b"} {
			next := call(id+"2", "add", 1)
			next.Options.Queue = "elsewhere"
			b.flow(task.Chain(call(id, "add", 1), next), 1)
		}
		b.start()
		b.sleep(time.Minute)
		if n := len(b.lines(ledger.Refused)); n != 0 {
			b.t.Errorf("%d refused", n)
		}
		b.holdsOf("elsewhere", 2, 0, 0)
	})
}

// undeclaring is a broker that never answers when a queue is declared after its first ones.
type undeclaring struct {
	broker.Broker
	declared atomic.Bool
}

func (u *undeclaring) Declare(ctx context.Context, queues ...string) error {
	if u.declared.CompareAndSwap(false, true) {
		return u.Broker.Declare(ctx, queues...)
	}
	<-ctx.Done()
	return ctx.Err()
}

// Nor does each wait in turn for a broker that does not answer: none waits for longer
// than one declaration may take.
func TestSlotsThatWaitForTheSameQueueWaitTogether(t *testing.T) {
	inFlow(t, func(b *bench, _ result.Store) {
		open := b.cfg.Open
		b.cfg.Open = func(ctx context.Context, o broker.Options) (broker.Broker, error) {
			inner, err := open(ctx, o)
			return &undeclaring{Broker: inner}, err
		}
		b.must("declare", b.client.Declare(b.t.Context(), "elsewhere"))
		for _, id := range []string{"a", "b", "c", "d"} {
			next := call(id+"2", "add", 1)
			next.Options.Queue = "elsewhere"
			b.flow(task.Chain(call(id, "add", 1), next), 1)
		}
		b.start()
		b.sleep(11 * time.Second)
		b.holdsOf("elsewhere", 4, 0, 0)
	})
}
