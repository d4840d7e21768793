package asynqbroker

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"acklab/broker"
)

const (
	// failureStays is how long a settlement that Redis may not have processed
	// makes each new Flush unsure: longer than it can take a worker to get
	// from its settlement to its Flush.
	failureStays = 10 * time.Second
	// leaseSlack covers that leases are known in whole seconds.
	leaseSlack = time.Second
)

var (
	errUnwritten = errors.New("asynq gave the task up without a word to redis: its lease had expired")
	errOtherwise = errors.New("asynq settled the task in another way")
)

// desk keeps the holds of a consumer and what is known of their settlements.
type desk struct {
	mu      sync.Mutex
	holds   map[string]*hold   // by task key
	pending map[*hold]struct{} // handed over, not known to be processed
	failed  []failure          // of the last failureStays
}

type failure struct {
	at  time.Time
	err error
}

func newDesk() desk {
	return desk{holds: map[string]*hold{}, pending: map[*hold]struct{}{}}
}

// add begins a hold, which ends with ctx: asynq cancels that when it has let
// go of the task, for whatever reason.
func (k *desk) add(ctx context.Context, h *hold) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.holds[h.key] = h
	h.unwatch = context.AfterFunc(ctx, func() { h.c.letGo(h) })
}

// settle notes that the settlement is handed over. It reports false, and
// changes nothing, when asynq will not write it: it has let go of the task, or
// the lease is over. That is certain although the clock here is coarser than
// asynq's: the end is never noted before asynq knows it, nor too early by more
// than the slack.
func (k *desk) settle(h *hold, want settlement) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if h.over || time.Now().After(h.lease.Add(leaseSlack)) {
		return false
	}
	h.want = want
	k.pending[h] = struct{}{}
	return true
}

// processed notes the reply to a script, if it settled something here.
func (k *desk) processed(keys []any, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, key := range keys {
		name, _ := key.(string)
		h := k.holds[name]
		if h == nil || h.want == unsettled {
			continue
		}
		if err == nil && !h.want.by(len(keys)) {
			err = errOtherwise
		}
		k.resolve(h, err)
		if err == nil && h.unwatch() { // nothing more to learn: letGo would cost a goroutine for every task
			h.over = true
			delete(k.holds, h.key)
		}
		return
	}
}

// resolve sets the fate of a settlement, once. The lock is held.
func (k *desk) resolve(h *hold, err error) {
	if h.known {
		return
	}
	h.known, h.err = true, err
	delete(k.pending, h)
	if err != nil {
		k.failed = append(k.lately(), failure{time.Now(), fmt.Errorf("message %s: %w", h.id, err)})
	}
	close(h.done)
}

// remove ends a hold that asynq has let go of. It tells whether it was never
// settled, or settled and not written.
func (k *desk) remove(h *hold) (held, unwritten bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	h.over = true
	if k.holds[h.key] == h {
		delete(k.holds, h.key)
	}
	if h.want == unsettled {
		return true, false
	}
	unwritten = !h.known
	k.resolve(h, errUnwritten)
	return false, unwritten
}

// renew notes the new end of a lease.
func (k *desk) renew(key string, end time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if h := k.holds[key]; h != nil {
		h.lease = end
	}
}

// held are the holds that were not settled.
func (k *desk) held() []*hold {
	k.mu.Lock()
	defer k.mu.Unlock()
	var all []*hold
	for _, h := range k.holds {
		if h.want == unsettled {
			all = append(all, h)
		}
	}
	return all
}

// release lets go the handlers that wait for nothing any more: those whose
// delivery was settled too late. asynq writes nothing for them.
func (k *desk) release() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, h := range k.holds {
		if h.want == unsettled {
			select {
			case h.outcome <- errRequeue:
			default:
			}
		}
	}
}

// open gives the settlements that are not known to be processed, and the
// errors of those that lately failed.
func (k *desk) open() (pending []*hold, failed []error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for h := range k.pending {
		pending = append(pending, h)
	}
	for _, f := range k.lately() {
		failed = append(failed, f.err)
	}
	return pending, failed
}

// lately are the failures that still count. The lock is held.
func (k *desk) lately() []failure {
	for len(k.failed) > 0 && time.Since(k.failed[0].at) > failureStays {
		k.failed = k.failed[1:]
	}
	return k.failed
}

// await waits until the fate of each settlement is known. It returns what
// failed, or why it could not wait.
func await(ctx context.Context, holds []*hold) []error {
	var errs []error
	for _, h := range holds {
		select {
		case <-h.done:
			if h.err != nil {
				errs = append(errs, fmt.Errorf("message %s: %w", h.id, h.err))
			}
		case <-ctx.Done():
			return append(errs, context.Cause(ctx))
		}
	}
	return errs
}

// Flush waits until Redis has processed every settlement handed over before
// the call: the reply to asynq's script was seen. It wraps ErrUnsure when one
// of them failed, or did less than ten seconds before the call: asynq does not
// repeat a settlement that failed (its syncer works with a context that has
// ended), so such a task runs again when its lease has run out, unless only
// the reply was lost.
func (c *Consumer) Flush(ctx context.Context) error {
	pending, errs := c.desk.open()
	errs = append(errs, await(ctx, pending)...)
	if len(errs) == 0 {
		return nil
	}
	const shown = 3
	more := ""
	if len(errs) > shown {
		more = fmt.Sprintf(" (and %d more)", len(errs)-shown)
		errs = errs[:shown]
	}
	return fmt.Errorf("flush%s: %w: %w", more, broker.ErrUnsure, errors.Join(errs...))
}
