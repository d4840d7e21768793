package worker_test

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"acklab/internal/ledger"
	"acklab/result"
	"acklab/task"
	"acklab/worker"
)

func TestAChainPassesItsResultsOn(t *testing.T) {
	inFlow(t, func(b *bench, s result.Store) {
		last := call("c", "same", 9)
		last.Immutable = true
		b.flow(task.Chain(call("a", "add", 1, 2), call("b", "add", 10), last), 1)
		b.start()
		for id, want := range map[string]string{"a": "3", "b": "13", "c": "[9]"} {
			if got := value(b.t, s, id); got != want {
				b.t.Errorf("%s is %s, want %s", id, got, want)
			}
		}
		r, err := s.Get(b.t.Context(), "b")
		if err != nil || r.ParentID != "a" || !slices.Equal(r.Children, []string{"c"}) {
			b.t.Errorf("the parent of b is %q, its children are %q, %v", r.ParentID, r.Children, err)
		}
		b.holds(0, 0, 0)
	})
}

func TestASuccessorIsConfirmedAfterTheResultAndBeforeALateAcknowledgement(t *testing.T) {
	inFlow(t, func(b *bench, _ result.Store) {
		b.flow(task.Chain(call("a", "add", 1), call("b", "add", 1)), 1)
		b.start()
		at := map[string]int64{}
		for _, l := range b.lines() {
			if at[l.Task+" "+string(l.Event)] == 0 {
				at[l.Task+" "+string(l.Event)] = l.Seq
			}
		}
		stored, sent, confirmed, acking := at["a result-stored"], at["b attempted"], at["b confirmed"], at["a ack-sending"]
		if stored == 0 || sent < stored || confirmed < sent || (acking > confirmed) != (b.cfg.Ack == worker.Late) {
			b.t.Errorf("stored %d, attempted %d, confirmed %d, acknowledged %d", stored, sent, confirmed, acking)
		}
	})
}

func TestWorkflowsWithinWorkflows(t *testing.T) {
	inFlow(t, func(b *bench, s result.Store) {
		b.flow(task.Chain(
			call("a", "add", 1),
			task.Group(call("b", "add", 10), task.Chain(call("c", "add", 100), call("d", "add", 1000)), task.Group(call("e", "add", 5))),
			call("f", "same"),
			task.Group(call("g", "same"), call("h", "same", 2)),
		), 1)
		b.flow(task.Chord([]*task.Signature{task.Chord([]*task.Signature{call("i", "add", 1), call("j", "add", 2)}, call("k", "add")), call("l", "add", 4)}, call("m", "same")), 1)
		b.start()
		for id, want := range map[string]string{"f": "[[11,1101,6]]", "g": "[[[11,1101,6]]]", "h": "[[[11,1101,6]],2]", "m": "[[3,4]]"} {
			if got := value(b.t, s, id); got != want {
				b.t.Errorf("%s is %s, want %s", id, got, want)
			}
		}
	})
}

func TestACollapsedTaskPublishesWhatFollowsItAgain(t *testing.T) {
	inFlow(t, func(b *bench, s result.Store) {
		first := call("a", "add", 1)
		first.Options.Once = true
		b.must("store", s.Store(b.t.Context(), result.Result{TaskID: "a", State: task.Success, Value: json.RawMessage("41"), Done: time.Now()}))
		b.flow(task.Chain(first, call("b", "add", 1)), 1) // its first run came no further than the store
		b.start()
		if got := b.finished(); got != "b" {
			b.t.Errorf("finished: %s", got)
		}
		if l := b.one(ledger.Collapsed); l.Task != "a" {
			b.t.Errorf("collapsed: %+v", l)
		}
		if got := value(b.t, s, "b"); got != "42" {
			b.t.Errorf("b is %s", got)
		}
		b.holds(0, 0, 0)
	})
}

func TestAFailureInAChainCallsOffTheRestAndCallsErrbacks(t *testing.T) {
	inFlow(t, func(b *bench, s result.Store) {
		chain := task.Chain(call("a", "add", 1), call("b", "boom"), call("c", "add"), task.Group(call("d", "add"), call("e", "add")))
		chain.LinkError = []*task.Signature{{Name: "same", Options: task.Options{}}}
		b.flow(chain, 1)
		b.start()
		if got := b.calledOff(); got != "c d e" {
			b.t.Errorf("called off: %s", got)
		}
		for _, id := range []string{"c", "d", "e"} {
			if got := value(b.t, s, id); !strings.HasPrefix(got, "UpstreamError: task b has failed: TaskError: boom") {
				b.t.Errorf("%s is %s", id, got)
			}
		}
		lines := b.lines(ledger.Finished)
		if len(lines) != 2 {
			b.t.Fatalf("%d have finished: a and the errback of b should have", len(lines))
		}
		if got := value(b.t, s, lines[1].Task); got != `["b"]` {
			b.t.Errorf("the errback was called with %s", got)
		}
		b.holds(0, 0, 0)
	})
}

func TestATaskThatExpiresOrIsUnknownEndsItsWorkflow(t *testing.T) {
	inFlow(t, func(b *bench, s result.Store) {
		gone := call("a", "add", 1)
		gone.Options.Expires = time.Now().Add(time.Second)
		gone.LinkError = []*task.Signature{call("err", "same")}
		b.flow(task.Chord([]*task.Signature{gone}, call("back", "same")), 1)
		unknown := call("u", "nobody-knows")
		unknown.LinkError = []*task.Signature{call("err2", "same")}
		b.flow(task.Chain(unknown, call("v", "add")), 1)
		b.sleep(2 * time.Second)
		b.start()
		for id, want := range map[string]string{
			"a": "TaskRevokedError", "back": "ChordError", "err": "PENDING", "u": "NotRegistered: nobody-knows", "v": "UpstreamError", "err2": `["u"]`,
		} {
			if got := value(b.t, s, id); !strings.HasPrefix(got, want) {
				b.t.Errorf("%s is %q, want %q", id, got, want)
			}
		}
		for _, id := range []string{"a", "back", "u"} { // as what a caller in Python catches them
			if r, err := s.Get(b.t.Context(), id); err != nil || r.Error == nil || r.Error.Module != "celery.exceptions" {
				b.t.Errorf("%s is %+v, %v; want an exception of Celery's", id, r.Error, err)
			}
		}
		b.holds(0, 0, 1)
	})
}

func TestAMessageWhoseLinksCannotBeReadIsNotRun(t *testing.T) {
	inFlow(t, func(b *bench, s result.Store) {
		b.publishWith(task.Options{Queue: queue, Embed: json.RawMessage(`{"chain": [{"task": "a", "subtask_type": "chunks"}]}`)}, "noop")
		b.start()
		b.parked("chunks")
	})
}

func TestAWorkflowGoesOnInAQueueThatNobodyHasDeclared(t *testing.T) {
	inFlow(t, func(b *bench, s result.Store) {
		step := call("b", "add", 1)
		step.Options.Queue = "elsewhere"
		b.flow(task.Chain(call("a", "add", 1), step), 1)
		b.start()
		b.holdsOf("elsewhere", 1, 0, 0)
	})
}

func TestARetriedTaskIsFollowedOnce(t *testing.T) {
	inFlow(t, func(b *bench, s result.Store) {
		b.fails("once", 1, three)
		b.flow(task.Chain(call("a", "once"), call("b", "same")), 1)
		b.start()
		b.sleep(time.Minute)
		if got := b.finished(); got != "a b" {
			b.t.Errorf("finished: %s", got)
		}
		if got := value(b.t, s, "b"); got != "[null]" {
			b.t.Errorf("b is %s", got)
		}
	})
}

func TestAResultThatIsNoJSONEndsTheChain(t *testing.T) {
	inFlow(t, func(b *bench, s result.Store) {
		b.cfg.Registry.Register("odd", func(context.Context, *task.Call) (any, error) { return func() {}, nil })
		b.flow(task.Chain(call("a", "odd"), call("b", "same")), 1)
		b.start()
		if got := value(b.t, s, "b"); !strings.HasPrefix(got, "UpstreamError: task a has failed: EncodeError") {
			b.t.Errorf("b is %s", got)
		}
	})
}

// A step that has become too late while the one before it ran expires; its chord is
// told.
func TestAStepForWhichItHasBecomeTooLateExpires(t *testing.T) {
	inFlow(t, func(b *bench, s result.Store) {
		late := call("b", "add", 1)
		late.Countdown, late.Options.Expires = 10*time.Second, time.Now().Add(15*time.Second)
		b.flow(task.Chord([]*task.Signature{task.Chain(call("a", "sleep", 8), late)}, call("back", "same")), 1)
		b.start()
		b.sleep(time.Minute)
		for id, want := range map[string]string{"b": "TaskRevokedError", "back": "ChordError"} {
			if got := value(b.t, s, id); !strings.HasPrefix(got, want) {
				b.t.Errorf("%s is %s, want %s", id, got, want)
			}
		}
		b.holds(0, 0, 0)
	})
}
