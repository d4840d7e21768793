package worker_test

import (
	"strings"
	"testing"
	"time"

	"acklab/internal/ledger"
	"acklab/result"
	"acklab/task"
)

// joinedAs has a member join before its delivery, as a first run does whose worker
// dies between its join and what follows from it.
func joinedAs(b *bench, s result.Store, p result.Part) {
	b.t.Helper()
	_, err := s.Join(b.t.Context(), p)
	b.must("join", err)
}

// A member that was counted as a success stays one, whatever its second run does.
func TestAMemberThatSucceededAndThenFailsStillCallsBack(t *testing.T) {
	inFlow(t, func(b *bench, s result.Store) {
		p := b.flow(task.Chord([]*task.Signature{call("a", "boom")}, call("back", "same")), 1)
		joinedAs(b, s, result.Part{Chord: p.First[0].GroupID, Size: 1, Value: []byte("7")})
		b.start()
		if got := value(b.t, s, "back"); got != "[[7]]" {
			b.t.Errorf("back is %s", got)
		}
		b.holds(0, 0, 0)
	})
}

func TestAMemberThatSucceededAndThenExpiresStillCallsBack(t *testing.T) {
	inFlow(t, func(b *bench, s result.Store) {
		gone := call("a", "add", 1)
		gone.Options.Expires = time.Now().Add(time.Second)
		p := b.flow(task.Chord([]*task.Signature{gone}, call("back", "same")), 1)
		joinedAs(b, s, result.Part{Chord: p.First[0].GroupID, Size: 1, Value: []byte("7")})
		b.sleep(2 * time.Second)
		b.start()
		if got := value(b.t, s, "back"); got != "[[7]]" {
			b.t.Errorf("back is %s", got)
		}
	})
}

// A member that was counted as a failure has ended its chord: what follows is told,
// for the first run may not have come to that.
func TestAMemberThatFailedAndThenSucceedsCallsOffTheCallback(t *testing.T) {
	inFlow(t, func(b *bench, s result.Store) {
		back := call("back", "same")
		back.LinkError = []*task.Signature{call("err", "same")}
		p := b.flow(task.Chord([]*task.Signature{call("a", "add", 1), call("b", "add", 2)}, back), 1)
		joinedAs(b, s, result.Part{Chord: p.First[0].GroupID, Size: 2, Failed: true})
		b.start()
		for id, want := range map[string]string{"back": "ChordError", "err": `["back"]`} {
			if got := value(b.t, s, id); !strings.HasPrefix(got, want) {
				b.t.Errorf("%s is %s, want %s", id, got, want)
			}
		}
		if got := b.calledOff(); got != "back" {
			b.t.Errorf("called off: %s", got)
		}
	})
}

// A task that has succeeded is followed as one, whatever a later delivery of it comes
// to: what it began may be running.
func TestATaskThatHasSucceededIsFollowedAsOneThatHas(t *testing.T) {
	for _, c := range []struct {
		how   string
		event ledger.Event
		dead  int
		task  func() *task.Signature
	}{
		{"it expires", ledger.Expired, 0, func() *task.Signature {
			s := call("a", "add", 1)
			s.Options.Expires = time.Now().Add(time.Second)
			return s
		}},
		{"it fails", ledger.Failed, 0, func() *task.Signature { return call("a", "boom") }},
		{"it is unknown", ledger.Rejected, 1, func() *task.Signature { return call("a", "nobody-knows") }},
	} {
		t.Run(c.how, func(t *testing.T) {
			inFlow(t, func(b *bench, s result.Store) {
				first := c.task()
				first.LinkError = []*task.Signature{call("err", "same")}
				b.must("store", s.Store(b.t.Context(), result.Result{TaskID: "a", State: task.Success, Value: []byte("41"), Done: time.Now()}))
				b.flow(task.Chord([]*task.Signature{task.Chain(first, call("b", "add", 1))}, call("back", "same")), 1)
				b.sleep(2 * time.Second)
				b.start()
				b.one(c.event)
				for id, want := range map[string]string{"a": "41", "b": "42", "back": "[[42]]", "err": "PENDING"} {
					if got := value(b.t, s, id); got != want {
						b.t.Errorf("%s is %s, want %s", id, got, want)
					}
				}
				if got := b.calledOff(); got != "" {
					b.t.Errorf("called off: %s", got)
				}
				b.holds(0, 0, c.dead)
			})
		})
	}
}

func TestATaskThatIsToRunOnceCollapsesThoughItHasExpired(t *testing.T) {
	inFlow(t, func(b *bench, s result.Store) {
		first := call("a", "add", 1)
		first.Options.Once = true
		first.Options.Expires = time.Now().Add(time.Second)
		b.must("store", s.Store(b.t.Context(), result.Result{TaskID: "a", State: task.Success, Value: []byte("41"), Done: time.Now()}))
		b.flow(task.Chain(first, call("b", "add", 1)), 1)
		b.sleep(2 * time.Second)
		b.start()
		b.one(ledger.Collapsed)
		if got := value(b.t, s, "b"); got != "42" {
			b.t.Errorf("b is %s", got)
		}
	})
}
