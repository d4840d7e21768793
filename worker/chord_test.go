package worker_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"acklab/result"
	"acklab/task"
)

// thick is a store that takes three seconds for the values of a chord, and takes no
// member with a value, or none at all.
type thick struct {
	inner
	noValue, none bool
}

func (s *thick) Values(ctx context.Context, chord string, size int) ([]json.RawMessage, error) {
	select {
	case <-time.After(3 * time.Second):
		return s.inner.Values(ctx, chord, size)
	case <-ctx.Done():
		return nil, result.Unavailable(ctx.Err())
	}
}

func (s *thick) Join(ctx context.Context, p result.Part) (result.Joined, error) {
	if s.none || s.noValue && p.Value != nil {
		return result.Joined{}, fmt.Errorf("%w: refused", result.ErrInvalid)
	}
	return s.inner.Join(ctx, p)
}

func TestTheValuesOfAChordHaveTheirTime(t *testing.T) {
	inFlow(t, func(b *bench, s result.Store) {
		b.cfg.Results = &thick{inner: s}
		b.flow(task.Chord([]*task.Signature{call("a", "add", 1)}, call("back", "same")), 1)
		b.start()
		b.sleep(time.Minute)
		if got := value(b.t, s, "back"); got != "[[1]]" {
			b.t.Errorf("back is %s", got)
		}
	})
}

func TestAMemberThatNoStoreCountsEndsItsChord(t *testing.T) {
	for _, none := range []bool{false, true} {
		t.Run(fmt.Sprint(none), func(t *testing.T) {
			inFlow(t, func(b *bench, s result.Store) {
				b.cfg.Results = &thick{inner: s, noValue: true, none: none}
				b.flow(task.Chord([]*task.Signature{call("a", "add", 1), call("b", "add", 2)}, call("back", "same")), 1)
				b.start()
				if got := value(b.t, s, "back"); !strings.HasPrefix(got, "ChordError") {
					b.t.Errorf("back is %s", got)
				}
				if got := b.calledOff(); got != "back" && !none {
					b.t.Errorf("called off: %s", got)
				}
				b.holds(0, 0, 0)
			})
		})
	}
}
