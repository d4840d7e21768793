package worker_test

import (
	"context"
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
