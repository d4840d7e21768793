package bench

import (
	"context"
	"sync"
	"time"

	"acklab/scheduler"
)

// timedKeeper keeps states elsewhere, and notes how ticks ended.
type timedKeeper struct {
	scheduler.Keeper
	began chan struct{} // closed when the schedules are in force
	once  sync.Once
	more  chan struct{} // there is a value when more ticks have ended
	mu    sync.Mutex
	ended []scheduler.Outcome
}

// Begin comes when the schedules have been read.
func (k *timedKeeper) Begin(ctx context.Context, term scheduler.Term, begun map[string]scheduler.Beginning) error {
	err := k.Keeper.Begin(ctx, term, begun)
	if err == nil {
		k.once.Do(func() { close(k.began) })
	}
	return err
}

// Settle comes after the confirmation, whose time the outcome has.
func (k *timedKeeper) Settle(ctx context.Context, term scheduler.Term, outcomes []scheduler.Outcome) error {
	k.mu.Lock()
	k.ended = append(k.ended, outcomes...)
	k.mu.Unlock()
	select {
	case k.more <- struct{}{}:
	default:
	}
	return k.Keeper.Settle(ctx, term, outcomes)
}

// dueWithin is how many milliseconds after its due time each tick was sent that was
// due within [from, to), and what ended otherwise.
func (k *timedKeeper) dueWithin(from, to time.Time) (late []float64, unsent []scheduler.Outcome) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, o := range k.ended {
		switch due := o.Tick.Due; {
		case due.Before(from) || !due.Before(to):
		case o.Kind != scheduler.Sent:
			unsent = append(unsent, o)
		default:
			late = append(late, o.At.Sub(due).Seconds()*1e3)
		}
	}
	return late, unsent
}
