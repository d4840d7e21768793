package worker_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"acklab/broker"
	"acklab/internal/ledger"
	"acklab/task"
	"acklab/worker"
)

func TestEarlyAcknowledgesBeforeTheHandlerAndLateAfterIt(t *testing.T) {
	t.Parallel()
	for mode, want := range map[worker.AckMode][]ledger.Event{
		worker.Early: {ledger.Received, ledger.Accepted, ledger.AckSending, ledger.AckSent, ledger.Started, ledger.Finished},
		worker.Late:  {ledger.Received, ledger.Accepted, ledger.Started, ledger.Finished, ledger.AckSending, ledger.AckSent},
	} {
		t.Run(string(mode), func(t *testing.T) {
			inBubble(t, func(b *bench) {
				b.cfg.Ack = mode
				m := b.publish("noop")
				b.start()
				b.lived(m, want...)
				b.holds(0, 0, 0)
			})
		})
	}
}

func TestWhileATaskRunsTheBrokerHasItOnlyUnderLate(t *testing.T) {
	t.Parallel()
	for mode, unacked := range map[worker.AckMode]int{worker.Early: 0, worker.Late: 1} {
		t.Run(string(mode), func(t *testing.T) {
			inBubble(t, func(b *bench) {
				b.cfg.Ack = mode
				b.publish("sleep", 1)
				b.start()
				b.holds(0, unacked, 0)
				b.sleep(time.Second)
				b.holds(0, 0, 0)
			})
		})
	}
}

func TestALineOfADeliverySaysAllThatIsKnownOfIt(t *testing.T) {
	inBubble(t, func(b *bench) {
		m := b.publishWith(task.Options{Queue: queue, Retries: 2}, "noop")
		b.start()
		l := b.one(ledger.Received)
		if l.Message != m.ID || l.Name != "noop" || l.Queue != queue || l.Session != 1 || l.Seen != "first" || l.Count != 1 || l.Retries != 2 || l.Hash != m.Hash() {
			t.Errorf("received: %+v", l)
		}
		if l := b.one(ledger.Started); l.Message != m.ID || l.Queue != queue || l.Session != 1 {
			t.Errorf("started: %+v", l)
		}
	})
}

func TestWhatWaitsForASlotIsReceivedAndNotAcknowledged(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.publish("sleep", 1)
		waits := b.publish("noop")
		b.start()
		b.lived(waits, ledger.Received)
		b.holds(0, 1, 0)
		b.sleep(time.Second)
		b.holds(0, 0, 0)
	})
}

func TestAWorkerRunsAsManyTasksAtOnceAsItHasSlots(t *testing.T) {
	inBubble(t, func(b *bench) {
		var running, most atomic.Int64
		b.handler("count", func(context.Context) error {
			n := running.Add(1)
			defer running.Add(-1)
			most.Store(max(most.Load(), n))
			time.Sleep(time.Second)
			return nil
		})
		b.cfg.Concurrency = 3
		for range 12 {
			b.publish("count")
		}
		b.start()
		if n := running.Load(); n != 3 {
			t.Errorf("%d run at once; want 3", n)
		}
		b.sleep(4 * time.Second)
		if most.Load() != 3 {
			t.Errorf("at most %d ran at once; want 3", most.Load())
		}
		if n := len(b.lines(ledger.Finished)); n != 12 {
			t.Errorf("after the time of four rounds %d of 12 are finished", n)
		}
	})
}

func TestPrefetchIsTheMultiplierTimesTheConcurrencyAndZeroIsNoLimit(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ concurrency, multiplier, want int }{{1, 1, 1}, {2, 1, 2}, {2, 3, 6}, {1, 0, 40}, {4, 0, 40}} {
		t.Run(fmt.Sprintf("%d times %d", c.concurrency, c.multiplier), func(t *testing.T) {
			inBubble(t, func(b *bench) {
				b.cfg.Ack, b.cfg.Concurrency, b.cfg.PrefetchMultiplier = worker.Late, c.concurrency, c.multiplier
				for range 40 {
					b.publish("sleep", 1)
				}
				b.start()
				if n := len(b.lines(ledger.Received)); n != c.want {
					t.Errorf("%d deliveries are here; want %d", n, c.want)
				}
				b.holds(40-c.want, c.want, 0)
			})
		})
	}
}

func TestInStrictOrderTheFirstQueueThatHasSomethingGoesFirst(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.must("declare", b.client.Declare(t.Context(), "high", "low"))
		b.cfg.Sources = []broker.Source{{Queue: "high"}, {Queue: "low"}}
		b.publishWith(task.Options{Queue: "low"}, "sleep", 1) // occupies the slot, whatever comes
		b.start()
		for range 3 {
			b.publishWith(task.Options{Queue: "low"}, "noop")
		}
		for range 3 {
			b.publishWith(task.Options{Queue: "high"}, "noop")
		}
		b.sleep(time.Second)
		var order []string
		for _, l := range b.lines(ledger.Started)[1:] {
			order = append(order, l.Queue)
		}
		if got := strings.Join(order, " "); got != "high high high low low low" {
			t.Errorf("they began in the order %s", got)
		}
	})
}

func TestAWorkerDeclaresItsQueuesBeforeItConsumes(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.cfg.Sources = []broker.Source{{Queue: "new"}}
		b.start()
		b.holdsOf("new", 0, 0, 0)
		b.one(ledger.Consuming)
	})
}

func TestWithoutLedgerMetricsAndLogAWorkerWorks(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.cfg.Ledger, b.cfg.Metrics, b.cfg.Log = nil, nil, nil
		ran := false
		b.handler("mark", func(context.Context) error { ran = true; return nil })
		b.publish("mark")
		b.start()
		if !ran {
			t.Error("the task did not run")
		}
		b.holds(0, 0, 0)
	})
}

func TestAnErrorOfTheBrokerAtTheStartEndsTheWorker(t *testing.T) {
	t.Parallel()
	for where, spoil := range map[string]func(*bench){
		"open": func(b *bench) {
			b.cfg.Open = func(context.Context, broker.Options) (broker.Broker, error) { return nil, errBoom }
		},
		"declare": func(b *bench) { b.spoiled(func(s *spoiled) { s.declare = errBoom }) },
		"consume": func(b *bench) { b.spoiled(func(s *spoiled) { s.consume = errBoom }) },
		"receive": func(b *bench) {
			b.meddled(func(c broker.Consumer) broker.Consumer { return &deafConsumer{Consumer: c} })
		},
	} {
		t.Run(where, func(t *testing.T) {
			inBubble(t, func(b *bench) {
				spoil(b)
				b.start()
				if err := b.wait(); err == nil || !strings.Contains(err.Error(), "boom") {
					t.Errorf("the worker ended with %v", err)
				}
			})
		})
	}
}

// spoiled is a broker that fails.
type spoiled struct {
	broker.Broker
	declare, consume error
}

func (b *bench) spoiled(how func(*spoiled)) {
	open := b.cfg.Open
	b.cfg.Open = func(ctx context.Context, o broker.Options) (broker.Broker, error) {
		inner, err := open(ctx, o)
		s := &spoiled{Broker: inner}
		how(s)
		return s, err
	}
}

func (s *spoiled) Declare(ctx context.Context, queues ...string) error {
	if s.declare != nil {
		return s.declare
	}
	return s.Broker.Declare(ctx, queues...)
}

func (s *spoiled) Consume(ctx context.Context, sub broker.Subscription) (broker.Consumer, error) {
	if s.consume != nil {
		return nil, s.consume
	}
	return s.Broker.Consume(ctx, sub)
}

// deafConsumer never receives.
type deafConsumer struct{ broker.Consumer }

func (*deafConsumer) Receive(context.Context) (*broker.Delivery, error) { return nil, errBoom }
