package worker_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"acklab/internal/ledger"
	"acklab/result"
	"acklab/task"
	"acklab/worker"
)

func TestAChordCallsBackOnceWithAllValuesInOrder(t *testing.T) {
	inFlow(t, func(b *bench, s result.Store) {
		var members []*task.Signature
		for i := range 20 {
			members = append(members, call(fmt.Sprintf("m%02d", i), "add", i))
		}
		b.flow(task.Chain(task.Chord(members, call("back", "same")), call("after", "same")), 1)
		b.start()
		want := "[[" + strings.Trim(strings.Join(strings.Fields(fmt.Sprint(nums(20))), ","), "[]") + "]]"
		if got := value(b.t, s, "back"); got != want {
			b.t.Errorf("called back with %s, want %s", got, want)
		}
		if n := len(b.lines(ledger.Finished)); n != 22 {
			b.t.Errorf("%d tasks have finished", n)
		}
	})
}

func TestDuplicatedDeliveriesRepeatMembersAndNotTheCallback(t *testing.T) {
	inFlow(t, func(b *bench, s result.Store) {
		b.cfg.Concurrency = 1 // so that no two runs overlap
		b.flow(task.Chain(task.Group(call("a", "add", 1), call("b", "add", 2)), call("c", "same"), call("d", "same")), 3)
		b.start()
		if got := b.finished(); got != "a a a b b b c d" {
			b.t.Errorf("finished: %s", got)
		}
		if got := value(b.t, s, "d"); got != "[[[1,2]]]" {
			b.t.Errorf("d is %s", got)
		}
		for _, l := range b.lines(ledger.Collapsed) {
			if l.Task != "c" && l.Task != "d" {
				b.t.Errorf("collapsed: %+v", l)
			}
		}
		b.holds(0, 0, 0)
	})
}

func TestAChordWithAFailedMemberDoesNotCallBack(t *testing.T) {
	inFlow(t, func(b *bench, s result.Store) {
		back := call("back", "same")
		back.LinkError = []*task.Signature{call("err", "same")}
		b.cfg.Concurrency = 1 // so that no two runs overlap
		outer := task.Chord([]*task.Signature{
			task.Chord([]*task.Signature{call("a", "add", 1), call("b", "boom"), call("c", "boom"), task.Chain(call("d", "boom"), call("e", "add"))}, back),
			call("f", "add", 2),
		}, task.Chain(call("outer", "same"), call("after", "same")))
		b.flow(outer, 2)
		b.start()
		for id, want := range map[string]string{
			"back": "ChordError: Dependency ", "outer": "ChordError: Dependency back raised ChordError: Dependency ", "e": "UpstreamError", "after": "UpstreamError",
			"f": "2", "err": `["back"]`,
		} {
			if got := value(b.t, s, id); !strings.HasPrefix(got, want) {
				b.t.Errorf("%s is %q, want %q", id, got, want)
			}
		}
		if got := b.finished(); !strings.HasPrefix(got, "a a err") || strings.Contains(got, "back") || strings.Contains(got, "outer") {
			b.t.Errorf("finished: %s", got)
		}
		b.holds(0, 0, 0)
	})
}

type inner = result.Store

// away is a store whose Join fails so often.
type away struct {
	inner
	left  atomic.Int64
	joins atomic.Int64
}

func (a *away) Join(ctx context.Context, p result.Part) (result.Joined, error) {
	a.joins.Add(1)
	if a.left.Add(-1) >= 0 {
		return result.Joined{}, result.Unavailable(errors.New("nobody answers"))
	}
	return a.inner.Join(ctx, p)
}

func TestAStoreThatIsAwayDuringAJoin(t *testing.T) {
	inFlow(t, func(b *bench, s result.Store) {
		a := &away{inner: s}
		a.left.Store(6) // more than one member's tries
		b.cfg.Results, b.cfg.Concurrency = a, 1
		b.flow(task.Chord([]*task.Signature{call("a", "add", 1)}, call("back", "same")), 1)
		b.start()
		b.sleep(time.Minute)
		if b.cfg.Ack == worker.Late {
			if got := value(b.t, s, "back"); got != "[[1]]" {
				b.t.Errorf("back is %s", got)
			}
			if n := len(b.lines(ledger.Requeued)); n != 1 || len(b.lines(ledger.JoinLost)) != 0 {
				b.t.Errorf("given back %d times", n)
			}
			return
		}
		if l := b.one(ledger.JoinLost); l.Task != "a" || !strings.Contains(l.Reason, "nobody answers") {
			b.t.Errorf("lost: %+v", l)
		}
		if n := a.joins.Load(); n != 4 {
			b.t.Errorf("%d tries to join", n)
		}
		if got := value(b.t, s, "back"); got != "PENDING" {
			b.t.Errorf("back is %s", got)
		}
		b.holds(0, 0, 0)
	})
}

func TestAStoreThatIsShortlyAwayIsAskedAgain(t *testing.T) {
	inFlow(t, func(b *bench, s result.Store) {
		a := &away{inner: s}
		a.left.Store(3)
		b.cfg.Results, b.cfg.Concurrency = a, 1
		b.flow(task.Chord([]*task.Signature{call("a", "add", 1)}, call("back", "same")), 1)
		b.start()
		b.sleep(time.Minute)
		if got := b.finished(); got != "a back" {
			b.t.Errorf("finished: %s", got)
		}
	})
}

func TestAWorkerWithoutAStoreDoesNotRunMembersOfChords(t *testing.T) {
	bothModes(t, func(b *bench) {
		b.flow(task.Chord([]*task.Signature{call("a", "noop")}, call("back", "noop")), 1)
		b.start()
		b.parked("name one with --result")
		if got := b.calledOff(); got != "back" {
			b.t.Errorf("called off: %s", got)
		}
	})
}

func TestAChordThatCeleryHasBegunIsNotRun(t *testing.T) {
	inFlow(t, func(b *bench, s result.Store) {
		celerys := `{"callbacks": null, "errbacks": null, "chain": null, "chord": {"task": "noop", "options": {"task_id": "back"}}}`
		b.publishWith(task.Options{Queue: queue, GroupID: "g", Embed: json.RawMessage(celerys)}, "noop")
		b.start()
		b.parked("a chord that Celery has begun")
		if got := value(b.t, s, "back"); !strings.HasPrefix(got, "ChordError") {
			b.t.Errorf("back is %s", got)
		}
	})
}
