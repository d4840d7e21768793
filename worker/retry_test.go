package worker_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"acklab/broker"
	"acklab/internal/ledger"
	"acklab/internal/metrics"
	"acklab/task"
	"acklab/worker"
)

// fails registers a task whose first n tries fail with errBoom, and gives its
// name back. Its arguments are ignored.
func (b *bench) fails(name string, n int, p task.RetryPolicy) string {
	b.cfg.Registry.Register(name, func(_ context.Context, c *task.Call) (any, error) {
		if c.Message.Retries < n {
			return nil, errBoom
		}
		return nil, nil
	}, task.WithRetry(p))
	return name
}

// delayed checks how many messages the broker holds for later.
func (b *bench) delayed(want int) {
	b.t.Helper()
	d, err := b.client.Depth(b.t.Context(), queue)
	b.must("depth", err)
	if *d.Delayed != want {
		b.t.Errorf("%d messages wait for their time; want %d", *d.Delayed, want)
	}
}

// three is the policy of the teaching material.
var three = task.RetryPolicy{Max: 3, Delay: 5 * time.Second, For: task.AnyError}

func TestAFailingTaskIsTriedAgainSoOftenSoFarApartAndThenFailsForGood(t *testing.T) {
	bothModes(t, func(b *bench) {
		var began []time.Time
		b.cfg.Registry.Register("fail", func(context.Context, *task.Call) (any, error) {
			began = append(began, time.Now())
			return nil, errBoom
		}, task.WithRetry(three))
		m := b.publish("fail")
		b.start()
		b.sleep(time.Hour)
		if len(began) != 4 {
			b.t.Fatalf("%d tries; want 4", len(began))
		}
		for i := range 3 {
			if gap := began[i+1].Sub(began[i]); gap < 5*time.Second || gap > 5*time.Second+time.Millisecond {
				b.t.Errorf("retry %d came after %v", i+1, gap)
			}
		}
		failed := b.lines(ledger.Failed)
		for i, l := range failed {
			if l.Final != (i == 3) || l.Retries != i || l.Reason != "boom" || l.Task != m.TaskID {
				b.t.Errorf("failure %d: %+v", i, l)
			}
		}
		if len(failed) != 4 || len(began) != 4 {
			b.t.Errorf("%d failures of %d tries", len(failed), len(began))
		}
		b.holds(0, 0, 0)
		b.delayed(0)
		b.alive()
	})
}

func TestTheRetryIsConfirmedBeforeTheFailedDeliveryIsSettledUnderLate(t *testing.T) {
	t.Parallel()
	for mode, want := range map[worker.AckMode][]ledger.Event{
		worker.Early: {ledger.Received, ledger.Accepted, ledger.AckSending, ledger.AckSent, ledger.Started, ledger.Failed, ledger.Attempted, ledger.Confirmed},
		worker.Late:  {ledger.Received, ledger.Accepted, ledger.Started, ledger.Failed, ledger.Attempted, ledger.Confirmed, ledger.AckSending, ledger.AckSent},
	} {
		t.Run(string(mode), func(t *testing.T) {
			inBubble(t, func(b *bench) {
				b.cfg.Ack = mode
				m := b.publish(b.fails("fail", 1, three))
				b.start()
				b.lived(m, want...)
				b.delayed(1)
				l := b.one(ledger.Attempted)
				if l.Message == m.ID || l.Retries != 1 || l.Queue != queue || l.Name != "fail" || l.Hash != m.Hash() || l.ETA == 0 {
					t.Errorf("attempted: %+v", l)
				}
				if c := b.one(ledger.Confirmed); c.Message != l.Message || c.Retries != 1 {
					t.Errorf("confirmed: %+v", c)
				}
				b.sleep(5 * time.Second)
				if f := b.one(ledger.Finished); f.Message != l.Message || f.Task != m.TaskID {
					t.Errorf("finished: %+v", f)
				}
				b.holds(0, 0, 0)
			})
		})
	}
}

func TestOnlyChosenErrorsAreTriedAgain(t *testing.T) {
	t.Parallel()
	transient := task.RetryPolicy{Max: 1, Delay: time.Second, For: task.ErrorOfKind(task.KindTransient)}
	panics := task.RetryPolicy{Max: 1, Delay: time.Second, For: task.ErrorOfKind(task.KindPanic)}
	for name, c := range map[string]struct {
		policy task.RetryPolicy
		h      func(context.Context, *task.Call) (any, error)
		tries  int
	}{
		"chosen":                       {transient, func(context.Context, *task.Call) (any, error) { return nil, task.WithKind(errBoom, task.KindTransient) }, 2},
		"not chosen":                   {transient, func(context.Context, *task.Call) (any, error) { return nil, errBoom }, 1},
		"a panic, not chosen":          {transient, func(context.Context, *task.Call) (any, error) { panic("gone") }, 1},
		"a panic, chosen":              {panics, func(context.Context, *task.Call) (any, error) { panic("gone") }, 2},
		"an argument":                  {three, func(_ context.Context, c *task.Call) (any, error) { return nil, c.Bad("x", "is bad") }, 1},
		"an argument, though asked":    {three, func(_ context.Context, c *task.Call) (any, error) { return nil, task.TryAgain(c.Bad("x", "is bad")) }, 1},
		"asked, without errors chosen": {task.RetryPolicy{Max: 2, Delay: time.Second}, func(context.Context, *task.Call) (any, error) { return nil, task.TryAgain(errBoom) }, 3},
		"at its hard time limit": {three, func(ctx context.Context, _ *task.Call) (any, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(b *bench) {
				b.cfg.Registry.Register("fail", c.h, task.WithRetry(c.policy))
				b.publishWith(task.Options{Queue: queue, HardLimit: time.Minute}, "fail")
				b.start()
				b.sleep(time.Hour)
				if n := len(b.lines(ledger.Started)); n != c.tries {
					t.Errorf("%d tries; want %d", n, c.tries)
				}
				failed := b.lines(ledger.Failed)
				if last := failed[len(failed)-1]; !last.Final {
					t.Errorf("the last failure is not final: %+v", last)
				}
				b.alive()
			})
		})
	}
}

func TestAnErrorsOwnDelayGoesBeforeThePolicys(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.cfg.Registry.Register("fail", func(_ context.Context, c *task.Call) (any, error) {
			if c.Message.Retries == 0 {
				return nil, task.RetryIn(errBoom, 42*time.Second)
			}
			return nil, nil
		})
		b.publish("fail")
		b.start()
		b.sleep(41 * time.Second)
		if n := len(b.lines(ledger.Started)); n != 1 {
			t.Fatalf("%d tries after 41 s", n)
		}
		b.sleep(2 * time.Second)
		b.one(ledger.Finished)
	})
}

func TestARetryWithoutADelayIsForAtOnce(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.fails("fail", 2, task.RetryPolicy{Max: 2, For: task.AnyError})
		b.publishWith(task.Options{Queue: queue, ETA: time.Now()}, "fail")
		b.start()
		b.one(ledger.Finished)
		for _, l := range b.lines(ledger.Attempted) {
			if l.ETA != 0 {
				t.Errorf("attempted: %+v", l)
			}
		}
	})
}

func TestATaskThatWouldExpireBeforeItsRetryFailsForGood(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.fails("fail", 1, three)
		b.publishWith(task.Options{Queue: queue, Expires: time.Now().Add(4 * time.Second)}, "fail")
		b.start()
		if l := b.one(ledger.Failed); !l.Final {
			t.Errorf("failed: %+v", l)
		}
		b.delayed(0)
	})
}

func TestAWorkerCanChangeThePolicyOfEveryTask(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.cfg.Retry = func(p task.RetryPolicy) task.RetryPolicy {
			p.Max, p.Delay, p.For = 1, time.Second, task.AnyError
			return p
		}
		b.publish(b.fails("fail", 9, task.RetryPolicy{}))
		b.publish(b.fails("fail-too", 9, three))
		b.start()
		b.sleep(time.Hour)
		if n := len(b.lines(ledger.Started)); n != 4 {
			t.Errorf("%d tries; want two each", n)
		}
	})
}

func TestJitterComesFromTheGivenSource(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.cfg.Random = func() float64 { return 0.25 }
		b.publish(b.fails("fail", 1, task.RetryPolicy{Max: 1, Backoff: 8 * time.Second, Jitter: true, For: task.AnyError}))
		b.start()
		b.sleep(2*time.Second - time.Millisecond)
		if n := len(b.lines(ledger.Started)); n != 1 {
			t.Fatalf("%d tries before a quarter of the backoff", n)
		}
		b.sleep(2 * time.Millisecond)
		b.one(ledger.Finished)
	})
}

// publishes opens the server through a broker whose publishes pass through
// publish, one by one.
func (b *bench) publishes(publish func(context.Context, broker.Broker, *task.Message) error) {
	open := b.cfg.Open
	b.cfg.Open = func(ctx context.Context, o broker.Options) (broker.Broker, error) {
		inner, err := open(ctx, o)
		return &publishing{inner, publish}, err
	}
}

type publishing struct {
	broker.Broker
	publish func(context.Context, broker.Broker, *task.Message) error
}

func (p *publishing) Publish(ctx context.Context, msgs ...*task.Message) []error {
	var errs []error
	for _, m := range msgs {
		errs = append(errs, p.publish(ctx, p.Broker, m))
	}
	return errs
}

// spoilPublish makes the worker's publishes end with an error, the first n of
// them; stored says whether they are stored all the same.
func (b *bench) spoilPublish(n int, stored bool, err error) {
	var mu sync.Mutex
	b.publishes(func(ctx context.Context, inner broker.Broker, m *task.Message) error {
		mu.Lock()
		n--
		spoil := n >= 0
		mu.Unlock()
		if spoil && !stored {
			return err
		}
		if e := inner.Publish(ctx, m)[0]; e != nil || !spoil {
			return e
		}
		return err
	})
}

func TestUnderLateADeliveryWhoseRetryIsNotConfirmedGoesBack(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		err     error
		stored  bool
		outcome ledger.Event
		runs    int // of the second try
	}{
		"unsure and not stored": {broker.ErrUnsure, false, ledger.Unsure, 1},
		"unsure and stored":     {broker.ErrUnsure, true, ledger.Unsure, 2},
		"the broker is full":    {&broker.Refusal{Reason: broker.Full}, false, ledger.Refused, 1},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(b *bench) {
				b.cfg.Ack = worker.Late
				b.spoilPublish(3, c.stored, c.err)
				m := b.publish(b.fails("fail", 1, task.RetryPolicy{Max: 1, Delay: time.Minute, For: task.AnyError}))
				b.start()
				b.lived(m, ledger.Received, ledger.Accepted, ledger.Started, ledger.Failed, ledger.Attempted, c.outcome)
				b.holds(0, 1, 0)
				if n := len(b.lines(ledger.Started)); n != 1 {
					t.Fatalf("it spins: %d tries at once", n)
				}
				b.sleep(1500 * time.Millisecond)
				if n := len(b.lines(ledger.Requeued)); n != 1 {
					t.Fatalf("%d requeues after 1.5 s", n)
				}
				b.sleep(time.Hour)
				if n := len(b.lines(ledger.Started)); n != 4+map[bool]int{false: 1, true: 4}[c.stored] {
					t.Errorf("%d tries began", n)
				}
				if n := len(b.lines(c.outcome)); n != 3 {
					t.Errorf("%d lines %s", n, c.outcome)
				}
				b.holds(0, 0, 0)
				b.delayed(0)
			})
		})
	}
}

func TestARetryThatCanNeverBePublishedIsAFailureForGood(t *testing.T) {
	bothModes(t, func(b *bench) {
		b.spoilPublish(100, false, &broker.Refusal{Reason: broker.TooLarge})
		b.publish(b.fails("fail", 1, three))
		b.start()
		failed := b.lines(ledger.Failed)
		if len(failed) != 2 || failed[0].Final || !failed[1].Final || !strings.Contains(failed[1].Reason, "boom; its retry was not taken: refused (too-large)") {
			b.t.Errorf("failed: %+v", failed)
		}
		b.holds(0, 0, 0)
		b.alive()
	})
}

func TestUnderEarlyARefusedRetryIsAFailureForGoodAndAnUnsureOneIsNot(t *testing.T) {
	t.Parallel()
	for want, err := range map[string]error{
		"not final, final": &broker.Refusal{Reason: broker.Full},
		"not final":        fmt.Errorf("no answer: %w", broker.ErrUnsure),
	} {
		t.Run(want, func(t *testing.T) {
			inBubble(t, func(b *bench) {
				b.spoilPublish(100, false, err)
				b.publish(b.fails("fail", 1, three))
				b.start()
				b.sleep(time.Hour)
				var got []string
				for _, l := range b.lines(ledger.Failed) {
					got = append(got, map[bool]string{true: "final", false: "not final"}[l.Final])
				}
				if s := strings.Join(got, ", "); s != want {
					t.Errorf("failures: %s; want %s", s, want)
				}
				if n := len(b.lines(ledger.Started)); n != 1 {
					t.Errorf("%d tries", n)
				}
			})
		})
	}
}

func TestAWorkerThatIsStoppedGivesAnUnconfirmedRetryBackAtOnce(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.cfg.Ack = worker.Late
		b.spoilPublish(100, false, broker.ErrUnsure)
		b.publish(b.fails("fail", 1, three))
		b.start()
		begin := time.Now()
		close(b.now)
		b.must("stop", b.wait())
		if took := time.Since(begin); took > 0 {
			t.Errorf("it took %v", took)
		}
		b.holds(1, 0, 0)
	})
}

func TestAWorkerCountsItsRetries(t *testing.T) {
	inBubble(t, func(b *bench) {
		reg := prometheus.NewRegistry()
		b.cfg.Metrics = metrics.New(reg)
		b.publish(b.fails("fail", 2, three))
		b.start()
		b.sleep(time.Minute)
		b.must("metrics", testutil.GatherAndCompare(reg, strings.NewReader(`
# HELP acklab_retries_total Messages published to try a task again.
# TYPE acklab_retries_total counter
acklab_retries_total{task="fail"} 2
acklab_retries_total{task="noop"} 0
acklab_retries_total{task="sleep"} 0
`), "acklab_retries_total"))
		fam, err := reg.Gather()
		b.must("gather", err)
		states := map[string]float64{}
		for _, f := range fam {
			if f.GetName() != "acklab_tasks_total" {
				continue
			}
			for _, m := range f.GetMetric() {
				if m.GetLabel()[1].GetValue() == "fail" {
					states[m.GetLabel()[0].GetValue()] = m.GetCounter().GetValue()
				}
			}
		}
		if states["RETRY"] != 2 || states["SUCCESS"] != 1 || states["FAILURE"] != 0 || states["STARTED"] != 3 {
			t.Errorf("states: %v", states)
		}
	})
}
