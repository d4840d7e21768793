package result

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// How long Await waits for a notification before it looks by itself: this at
// first, then twice as long each time, up to the second.
const (
	firstPause = 100 * time.Millisecond
	longPause  = 2 * time.Second
	lookLimit  = 5 * time.Second // of one look
)

// Waiters are the calls of Wait of one client, and whom a notification wakes. It
// is safe for concurrent use; the zero value is ready. Only drivers need it.
type Waiters struct {
	// First is called when somebody begins to wait for a task for which nobody
	// does, Last when the last one leaves. Either may be nil. They are called
	// one after another, in order, not after Close, and must not block.
	First, Last func(id string)

	mu     sync.Mutex
	byID   map[string]map[*waiter]struct{}
	closed chan struct{}
	over   bool
}

// waiter has one token in wake while it should look.
type waiter struct{ wake chan struct{} }

// Await implements Store.Wait: look is Store.Get of the task.
func (w *Waiters) Await(ctx context.Context, id string, look func(context.Context) (Result, error)) (Result, error) {
	r, err, over := w.look(ctx, look)
	if over {
		return r, err
	}
	me, closed, leave := w.join(id)
	defer leave()
	me.nudge() // it may have been stored between the look and the join
	timer := time.NewTimer(firstPause)
	defer timer.Stop()
	trouble := err // of the last look that ctx did not cut short
	for pause := firstPause; ; {
		select {
		case <-me.wake:
		case <-timer.C:
			pause = min(2*pause, longPause)
			timer.Reset(pause)
		case <-ctx.Done():
			return r, ended(ctx, id, trouble)
		case <-closed:
			return r, ErrClosed
		}
		if r, err, over = w.look(ctx, look); over {
			return r, err
		}
		if ctx.Err() == nil {
			trouble = err
		}
	}
}

// look reports whether the wait is over.
func (w *Waiters) look(ctx context.Context, look func(context.Context) (Result, error)) (Result, error, bool) {
	brief, cancel := context.WithTimeout(ctx, lookLimit)
	defer cancel()
	r, err := look(brief)
	if err != nil {
		return r, err, !errors.Is(err, ErrUnavailable)
	}
	return r, nil, r.State.Finished()
}

// ended is the error of a wait whose context has ended.
func ended(ctx context.Context, id string, last error) error {
	cause := context.Cause(ctx)
	if last != nil {
		return fmt.Errorf("wait for the result of task %s: %w (last look: %w)", id, cause, last)
	}
	return fmt.Errorf("wait for the result of task %s: %w", id, cause)
}

// Wake has those look who wait for the task.
func (w *Waiters) Wake(id string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for one := range w.byID[id] {
		one.nudge()
	}
}

// WakeAll has everybody look who waits: notifications may have been lost.
func (w *Waiters) WakeAll() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, all := range w.byID {
		for one := range all {
			one.nudge()
		}
	}
}

// Close ends all waits, also those to come, with ErrClosed.
func (w *Waiters) Close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.begin()
	if !w.over {
		w.over = true
		close(w.closed)
	}
}

// begin makes the zero value useful.
func (w *Waiters) begin() {
	if w.closed == nil {
		w.closed, w.byID = make(chan struct{}), map[string]map[*waiter]struct{}{}
	}
}

func (w *Waiters) join(id string) (me *waiter, closed <-chan struct{}, leave func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.begin()
	me = &waiter{wake: make(chan struct{}, 1)}
	all := w.byID[id]
	if all == nil {
		all = map[*waiter]struct{}{}
		w.byID[id] = all
		if w.First != nil && !w.over {
			w.First(id)
		}
	}
	all[me] = struct{}{}
	return me, w.closed, func() { w.leave(id, me) }
}

func (w *Waiters) leave(id string, me *waiter) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.byID[id], me)
	if len(w.byID[id]) == 0 {
		delete(w.byID, id)
		if w.Last != nil && !w.over {
			w.Last(id)
		}
	}
}

func (one *waiter) nudge() {
	select {
	case one.wake <- struct{}{}:
	default:
	}
}
