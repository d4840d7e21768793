package scheduler

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// requests takes in what was asked for by hand, every few seconds. A name that is
// unknown may be that of a schedule that was just added: it is not refused before the
// sources were read from the moment on when it was met (certain: they were read just
// now), nor while one of them is broken.
func (t *term) requests(ctx context.Context, certain bool) error {
	if time.Since(t.asked) < askRequests {
		return nil
	}
	ticks, err := t.Keeper.Requests(ctx)
	if err != nil {
		return fmt.Errorf("ask for the ticks by hand: %w", err)
	}
	t.asked = time.Now()
	met := t.unknown
	t.unknown = map[string]bool{}
	for _, tick := range ticks {
		e := t.entries[tick.Schedule]
		switch {
		case t.settled(tick): // the keeper has not been told yet
		case e != nil:
			e.owe(&owed{Tick: tick})
			t.agenda.put(e)
		case !certain || !met[tick.ID()]:
			t.unknown[tick.ID()], t.changed = true, true
		case !t.broken():
			o := &owed{Tick: tick}
			t.end(o.outcome(Refused, t.Clock.Now(), "there is no such schedule"))
		}
	}
	return nil
}

// broken: a source cannot be read.
func (t *term) broken() bool {
	return slices.ContainsFunc(t.loaded, func(l loaded) bool { return l.broken != "" })
}

func (t *term) settled(tick Tick) bool {
	for _, o := range t.ended {
		if o.Tick.Equal(tick) {
			return true
		}
	}
	return false
}
