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
	"acklab/result"
	"acklab/task"
	"acklab/worker"
)

func TestASuccessorThatIsNotSureToBeWithTheBroker(t *testing.T) {
	inFlow(t, func(b *bench, s result.Store) {
		b.firstUnsure()
		b.flow(task.Chain(call("a", "add", 1), call("b", "add", 1)), 1)
		b.start()
		b.sleep(time.Minute)
		want := map[worker.AckMode]string{worker.Early: "a", worker.Late: "a a b"}[b.cfg.Ack]
		if got := b.finished(); got != want {
			b.t.Errorf("finished: %s, want %s", got, want)
		}
		b.one(ledger.Unsure)
		if n := len(b.lines(ledger.Requeued)); n != map[worker.AckMode]int{worker.Late: 1}[b.cfg.Ack] {
			b.t.Errorf("given back %d times", n)
		}
		b.holds(0, 0, 0)
	})
}

func TestASuccessorThatTheBrokerRefuses(t *testing.T) {
	for _, reason := range []broker.Reason{broker.TooLarge, broker.Unreachable} {
		t.Run(string(reason), func(t *testing.T) {
			inFlow(t, func(b *bench, s result.Store) {
				var tries atomic.Int64
				b.publishes(func(ctx context.Context, next broker.Broker, m *task.Message) error {
					if tries.Add(1) == 1 {
						return &broker.Refusal{Reason: reason}
					}
					return next.Publish(ctx, m)[0]
				})
				step := call("b", "add", 1)
				step.LinkError = []*task.Signature{call("err", "same")}
				b.flow(task.Chain(call("a", "add", 1), step, call("c", "add", 1)), 1)
				b.start()
				b.sleep(time.Minute)
				if reason == broker.Unreachable && b.cfg.Ack == worker.Late { // it goes back and succeeds
					if got := b.finished(); got != "a a b c" {
						b.t.Errorf("finished: %s", got)
					}
					return
				}
				for id, want := range map[string]string{"b": "UpstreamError: its message was not taken", "c": "UpstreamError: task b has failed", "err": `["b"]`} {
					if got := value(b.t, s, id); !strings.HasPrefix(got, want) {
						b.t.Errorf("%s is %q, want %q", id, got, want)
					}
				}
				if got := b.calledOff(); got != "c" {
					b.t.Errorf("called off: %s", got)
				}
			})
		})
	}
}

// firstUnsure makes the broker lose its first reply to the worker, and what it was to.
func (b *bench) firstUnsure() {
	var tries atomic.Int64
	b.publishes(func(ctx context.Context, next broker.Broker, m *task.Message) error {
		if tries.Add(1) == 1 {
			return fmt.Errorf("%w: the reply was lost", broker.ErrUnsure)
		}
		return next.Publish(ctx, m)[0]
	})
}

// failsOnce registers a task that fails for good when it is run first.
func (b *bench) failsOnce() {
	var runs atomic.Int64
	b.cfg.Registry.Register("fails-once", func(context.Context, *task.Call) (any, error) {
		if runs.Add(1) == 1 {
			return nil, errBoom
		}
		return 1, nil
	})
}

// A delivery that goes back runs again, and may succeed then.
func TestNothingIsCalledOffAsLongAsTheErrbacksAreNotSure(t *testing.T) {
	inFlow(t, func(b *bench, s result.Store) {
		b.firstUnsure()
		b.failsOnce()
		first := call("a", "fails-once")
		first.LinkError = []*task.Signature{call("err", "same")}
		b.flow(task.Chain(first, call("b", "add", 1)), 1)
		b.start()
		b.sleep(time.Minute)
		want := map[worker.AckMode][3]string{worker.Early: {"", "b", "UpstreamError: task a has failed"}, worker.Late: {"a b", "", "2"}}[b.cfg.Ack]
		if got := b.finished(); got != want[0] {
			b.t.Errorf("finished: %s, want %s", got, want[0])
		}
		if got := b.calledOff(); got != want[1] {
			b.t.Errorf("called off: %s, want %s", got, want[1])
		}
		if got := value(b.t, s, "b"); !strings.HasPrefix(got, want[2]) {
			b.t.Errorf("b is %s, want %s", got, want[2])
		}
		b.holds(0, 0, 0)
	})
}

// A member that has failed ends its chord for good, but not before its errbacks are sure.
func TestAChordIsCalledOffOnceItsErrbacksAreSure(t *testing.T) {
	inFlow(t, func(b *bench, s result.Store) {
		b.firstUnsure()
		b.failsOnce()
		back := call("back", "same")
		back.LinkError = []*task.Signature{call("err", "same")}
		b.flow(task.Chord([]*task.Signature{call("a", "fails-once")}, back), 1)
		b.start()
		b.sleep(time.Minute)
		off := b.one(ledger.CalledOff)
		if off.Task != "back" {
			b.t.Errorf("called off: %+v", off)
		}
		if sure := b.lines(ledger.Confirmed); b.cfg.Ack == worker.Late && (len(sure) != 1 || sure[0].Task != "err" || off.Seq < sure[0].Seq) {
			b.t.Errorf("called off in line %d; confirmed: %+v", off.Seq, sure)
		}
		b.holds(0, 0, 0)
	})
}

// A delivery that is not run is not acknowledged before what follows it, in either
// mode: it can go back.
func TestWhatFollowsADeliveryThatIsNotRunIsSureBeforeItIsSettled(t *testing.T) {
	inFlow(t, func(b *bench, s result.Store) {
		b.firstUnsure()
		unknown := call("u", "nobody-knows")
		unknown.LinkError = []*task.Signature{call("err", "same")}
		b.flow(unknown, 1)
		b.start()
		b.sleep(time.Minute)
		b.one(ledger.Requeued)
		if got := value(b.t, s, "err"); got != `["u"]` {
			b.t.Errorf("err is %s", got)
		}
		b.holds(0, 0, 1)
	})
}
