package scheduler

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	// askWithin bounds the questions to the result store of one pass.
	askWithin = 2 * time.Second
	// askAtOnce is how many of them are on the way together.
	askAtOnce = 16
	// presumedOver is after how long without a word a task counts as ended: a
	// store forgets its results after a day, and a task may be lost.
	presumedOver = 24 * time.Hour
)

// overlap marks the ticks of schedules with OverlapSkip whose predecessor has not
// ended, and ends nothing: LastDue must not move past an older tick that is not
// claimed yet. Ticks by hand, and those that may have been sent already, are sent.
func (t *term) overlap(ctx context.Context, out []sending, now time.Time) {
	running := t.ask(ctx, out, now)
	for i := range out {
		s := &out[i]
		e := s.entry
		if e.Overlap != OverlapSkip || s.ByHand {
			continue
		}
		if why := running[e]; why != "" && !s.claimed {
			s.skip = why
			continue
		}
		running[e] = "the one before it is sent at the same moment"
	}
}

// skipped ends those that are marked, and returns the others.
func (t *term) skipped(out []sending) []sending {
	return slices.DeleteFunc(out, func(s sending) bool {
		if s.skip == "" {
			return false
		}
		s.entry.forget(s.owed)
		t.end(s.outcome(Skipped, t.Clock.Now(), s.skip))
		return true
	})
}

// ask asks the result store, once a schedule, why its last task has not ended.
func (t *term) ask(ctx context.Context, out []sending, now time.Time) map[*entry]string {
	running := map[*entry]string{}
	ask := map[*entry]bool{}
	for _, s := range out {
		e := s.entry
		if e.Overlap == OverlapSkip && !s.ByHand && !s.claimed && e.state.LastTask != "" && now.Sub(e.state.LastSent) < presumedOver {
			ask[e] = true
		}
	}
	if len(ask) == 0 {
		return running
	}
	within, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	var mu sync.Mutex
	var all errgroup.Group
	all.SetLimit(askAtOnce)
	for e := range ask {
		all.Go(func() error {
			why := ""
			r, err := t.Results.Get(within, e.state.LastTask)
			switch {
			case err != nil:
				why = fmt.Sprintf("the result store cannot tell whether task %s has ended: %v", e.state.LastTask, err)
			case !r.State.Finished():
				why = fmt.Sprintf("task %s has not ended: %s", e.state.LastTask, r.State)
			}
			mu.Lock()
			defer mu.Unlock()
			running[e] = why
			return nil
		})
	}
	all.Wait()
	return running
}
