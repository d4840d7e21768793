package worker_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"acklab/broker"
	"acklab/internal/ledger"
	"acklab/result"
	"acklab/result/memoryresult"
	"acklab/task"
	"acklab/worker"
)

// inFlow has the worker run workflows in both modes, with a store, and tasks that
// add, that fail for good, and that write down what they are called with.
func inFlow(t *testing.T, test func(b *bench, s result.Store)) {
	t.Helper()
	bothModes(t, func(b *bench) {
		s := memoryresult.NewServer().Open(result.Options{})
		b.cfg.Results, b.cfg.Concurrency = s, 4
		b.cfg.Registry.Register("add", addTask)
		b.cfg.Registry.Register("same", func(_ context.Context, c *task.Call) (any, error) { return c.Message.Args, nil })
		b.handler("boom", func(context.Context) error { return errBoom })
		test(b, s)
	})
}

// addTask adds numbers, and the numbers of lists.
func addTask(_ context.Context, c *task.Call) (any, error) {
	sum := 0
	for i := range c.Message.Args {
		var list []int
		if err := json.Unmarshal(c.Message.Args[i], &list); err != nil {
			list = make([]int, 1)
			if err := c.Arg(i, &list[0]); err != nil {
				return nil, err
			}
		}
		for _, n := range list {
			sum += n
		}
	}
	return sum, nil
}

// call is one task of a workflow, with an id that tests can name.
func call(id, name string, args ...any) *task.Signature {
	s, err := task.NewSignature(name, task.Options{}, args...)
	if err != nil {
		panic(err)
	}
	s.TaskID = id
	return s
}

// flow publishes a workflow so many times.
func (b *bench) flow(s *task.Signature, times int) *task.Plan {
	b.t.Helper()
	p, err := s.Plan(task.Options{Queue: queue})
	b.must("plan", err)
	for range times {
		for _, err := range b.client.Publish(b.t.Context(), p.First...) {
			b.must("publish", err)
		}
	}
	return p
}

// value is what a task has returned, or the error that is stored for it.
func value(t *testing.T, s result.Store, id string) string {
	t.Helper()
	r, err := s.Get(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	switch {
	case r.State == task.Success:
		return string(r.Value)
	case r.Error != nil:
		return r.Error.Error()
	}
	return string(r.State)
}

// finished are the ids of the tasks that have finished, in order, each as often.
func (b *bench) finished() string {
	var ids []string
	for _, l := range b.lines(ledger.Finished) {
		ids = append(ids, l.Task)
	}
	slices.Sort(ids)
	return strings.Join(ids, " ")
}

// calledOff are the ids of the tasks that were called off, in order.
func (b *bench) calledOff() string {
	var ids []string
	for _, l := range b.lines(ledger.CalledOff) {
		ids = append(ids, l.Task)
	}
	slices.Sort(ids)
	return strings.Join(ids, " ")
}

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
		if err != nil || r.ParentID != "a" {
			b.t.Errorf("the parent of b is %q, %v", r.ParentID, err)
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

func nums(n int) (all []int) {
	for i := range n {
		all = append(all, i)
	}
	return all
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
			"a": "TaskRevokedError", "back": "ChordError", "err": "PENDING", "u": "Reject", "v": "UpstreamError", "err2": `["u"]`,
		} {
			if got := value(b.t, s, id); !strings.HasPrefix(got, want) {
				b.t.Errorf("%s is %q, want %q", id, got, want)
			}
		}
		b.holds(0, 0, 1)
	})
}

func TestASuccessorThatIsNotSureToBeWithTheBroker(t *testing.T) {
	inFlow(t, func(b *bench, s result.Store) {
		var tries atomic.Int64
		b.publishes(func(ctx context.Context, next broker.Broker, m *task.Message) error {
			if tries.Add(1) == 1 {
				return fmt.Errorf("%w: the reply was lost", broker.ErrUnsure)
			}
			return next.Publish(ctx, m)[0]
		})
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

// A delivery that is not run is not acknowledged before what follows it, in either
// mode: it can go back.
func TestWhatFollowsADeliveryThatIsNotRunIsSureBeforeItIsSettled(t *testing.T) {
	inFlow(t, func(b *bench, s result.Store) {
		var tries atomic.Int64
		b.publishes(func(ctx context.Context, next broker.Broker, m *task.Message) error {
			if tries.Add(1) == 1 {
				return fmt.Errorf("%w: the reply was lost", broker.ErrUnsure)
			}
			return next.Publish(ctx, m)[0]
		})
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
