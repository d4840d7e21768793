package worker_test

import (
	"strings"
	"testing"
	"time"

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
