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

func TestAChordThatCannotBeCountedIsCalledOffOnce(t *testing.T) {
	bothModes(t, func(b *bench) {
		back := call("back", "noop")
		back.LinkError = []*task.Signature{call("err", "noop")}
		b.flow(task.Chord([]*task.Signature{call("a", "noop"), call("b", "noop"), call("c", "noop")}, back), 1)
		b.start()
		b.holds(0, 0, 3)
		if got := b.calledOff(); got != "back" {
			b.t.Errorf("called off: %s", got)
		}
		if got := b.finished(); got != "err" {
			b.t.Errorf("finished: %s", got)
		}
	})
}

// Celery 5.0 and 5.1 write chord_size, too.
func TestAChordWithCelerysSizeIsCelerys(t *testing.T) {
	inFlow(t, func(b *bench, s result.Store) {
		celerys := `{"callbacks": null, "errbacks": null, "chain": null, "chord": {"task": "noop", "chord_size": 1, "options": {"task_id": "back"}}}`
		b.publishWith(task.Options{Queue: queue, GroupID: "g", Extra: map[string]any{"group_index": int64(0)}, Embed: json.RawMessage(celerys)}, "noop")
		b.start()
		b.parked("a chord that Celery has begun")
	})
}
