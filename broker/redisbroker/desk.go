package redisbroker

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"acklab/broker"
)

// desk is where settlements wait until Redis has processed them, in the order
// in which they were handed over. The consumer's lock guards it.
type desk struct {
	pending  []*hold // handed over, not known to be processed
	handed   uint64  // number of the last one
	moved    chan struct{}
	answered func() // called when some are processed; nil: nobody asks
	ended    bool   // nothing is sent any more

	failed   []failure
	failures uint64 // number of the last one
	flushes  int    // under way
	lost     []error
}

// failure is a settlement that Redis may not have processed as it was meant.
type failure struct {
	number, seq uint64
	err         error
	told        bool // a Flush has returned it
}

// hand takes a settlement over; false: the consumer is closed, and nothing will
// be sent. awaited says that the caller asks for its fate.
func (c *Consumer) hand(h *hold, want settlement, awaited bool) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.desk.ended {
		return false
	}
	if h.counted {
		c.inbox.Settled(h.source.queue)
	}
	c.letGo(h)
	c.desk.handed++
	h.want, h.seq, h.awaited = want, c.desk.handed, awaited
	c.desk.pending = append(c.desk.pending, h)
	c.ring()
	return true
}

// letGo ends a hold here: it makes room for another. The lock is held.
func (c *Consumer) letGo(h *hold) {
	c.holds.remove(h)
	if h.counted {
		h.counted = false
		h.source.held--
	}
	if h.alarm != nil {
		h.alarm.Stop()
	}
}

// decided notes the fate of a settlement. The lock is held.
func (c *Consumer) decided(h *hold, err error) {
	h.known, h.err = true, err
	h.raw, h.payload = "", nil
	if err == nil {
		return
	}
	if h.own {
		c.desk.lost = append(c.desk.lost, err)
	}
	if !h.awaited {
		c.desk.failures++
		c.desk.failed = append(c.desk.failed, failure{number: c.desk.failures, seq: h.seq, err: err})
	}
}

// advance forgets the settlements whose fate is known. The lock is held.
func (c *Consumer) advance() {
	k := &c.desk
	left := k.pending[:0]
	for _, h := range k.pending {
		if !h.known {
			left = append(left, h)
		}
	}
	if len(left) < len(k.pending) && k.answered != nil {
		k.answered()
	}
	clear(k.pending[len(left):])
	k.pending = left
	if k.moved != nil {
		close(k.moved)
		k.moved = nil
	}
}

// processed waits until the fate of every settlement up to the given number is
// known; nil: it is.
func (c *Consumer) processed(ctx context.Context, seq uint64) error {
	for {
		c.mu.Lock()
		k := &c.desk
		if len(k.pending) == 0 || k.pending[0].seq > seq {
			c.mu.Unlock()
			return nil
		}
		if k.ended {
			c.mu.Unlock()
			return fmt.Errorf("settlements that redis has not answered: %w", broker.ErrClosed)
		}
		if k.moved == nil {
			k.moved = make(chan struct{})
		}
		moved := k.moved
		c.mu.Unlock()
		select {
		case <-moved:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// fate waits for what became of a settlement.
func (c *Consumer) fate(ctx context.Context, h *hold) error {
	err := c.processed(ctx, h.seq)
	c.mu.Lock()
	defer c.mu.Unlock()
	if h.known {
		return h.err
	}
	h.awaited = false // a Flush will tell
	return fmt.Errorf("message %s: %w: %w", h.tag, broker.ErrUnsure, err)
}

// Flush waits until Redis has answered every settlement handed over before the
// call. What got no answer because the connection broke is sent again, which
// changes nothing when it had been processed: a claim ends once. It wraps
// ErrUnsure when ctx ends before that, or when one of them, or one since the
// last Flush, did not do what it was meant to: the claim had ended (see the
// Stale event), or it was sent twice and found no claim. Each failure is told
// to the Flush calls that are under way when it is found, or else to the next.
// A call whose ctx has ended is told too, and does not count: its caller may
// have gone.
func (c *Consumer) Flush(ctx context.Context) error {
	c.mu.Lock()
	k := &c.desk
	upto, begun := k.handed, k.failures
	k.flushes++
	c.mu.Unlock()

	var errs []error
	cut := c.processed(ctx, upto)
	if cut != nil {
		errs = append(errs, cut)
	}
	c.mu.Lock()
	for i := range k.failed {
		if f := &k.failed[i]; f.seq <= upto && (f.number > begun || !f.told) {
			errs = append(errs, f.err)
			f.told = f.told || cut == nil
		}
	}
	if k.flushes--; k.flushes == 0 {
		k.failed = slices.DeleteFunc(k.failed, func(f failure) bool { return f.told })
	}
	c.mu.Unlock()
	return unsure("flush", errs)
}

// unsure is the error of settlements that may have failed; nil without any.
func unsure(what string, errs []error) error {
	if len(errs) == 0 {
		return nil
	}
	const shown = 3
	more := ""
	if len(errs) > shown {
		more = fmt.Sprintf(" (and %d more)", len(errs)-shown)
		errs = errs[:shown]
	}
	return fmt.Errorf("%s%s: %w: %w", what, more, broker.ErrUnsure, errors.Join(errs...))
}
