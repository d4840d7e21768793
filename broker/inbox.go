package broker

import (
	"context"
	"sync"
)

// Inbox holds what a broker has delivered and Receive has not yet handed out,
// and chooses among its queues in the order of the subscription. It has no
// bound of its own: the prefetch bounds it at the broker. It is safe for
// concurrent use. Only drivers need it.
type Inbox struct {
	mu      sync.Mutex
	order   Order
	sources []inboxSource
	index   map[string]int
	held    int
	wake    chan struct{} // holds one token while a taker may find something
	closed  chan struct{}
}

type inboxSource struct {
	weight, credit int
	waiting        []*Delivery
}

// NewInbox makes an empty inbox for the subscription, which must be valid.
func NewInbox(s Subscription) *Inbox {
	b := &Inbox{order: s.Order, index: map[string]int{}, wake: make(chan struct{}, 1), closed: make(chan struct{})}
	for i, src := range s.Sources {
		b.sources = append(b.sources, inboxSource{weight: max(src.Weight, 1)})
		b.index[src.Queue] = i
	}
	return b
}

// Put adds a delivery of one of the subscription's queues. It reports false,
// and keeps nothing, when the inbox is closed.
func (b *Inbox) Put(d *Delivery) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	select {
	case <-b.closed:
		return false
	default:
	}
	s := &b.sources[b.index[d.Queue]]
	s.waiting = append(s.waiting, d)
	b.held++
	b.signal()
	return true
}

// Take waits for a delivery and removes it. It returns ctx.Err when ctx ends
// and ErrClosed once the inbox is closed, even if something is still held.
func (b *Inbox) Take(ctx context.Context) (*Delivery, error) {
	for {
		select {
		case <-b.closed:
			return nil, ErrClosed
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-b.wake:
		}
		if d := b.pick(); d != nil {
			return d, nil
		}
	}
}

// Close ends all Takes and returns what is still held.
func (b *Inbox) Close() []*Delivery {
	b.mu.Lock()
	defer b.mu.Unlock()
	select {
	case <-b.closed:
	default:
		close(b.closed)
	}
	return b.empty()
}

// Drop removes and returns all that is held, for a session that has ended.
func (b *Inbox) Drop() []*Delivery {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.empty()
}

// Remove takes out one delivery if it is still held, for a lease that has
// expired, and reports whether it was.
func (b *Inbox) Remove(d *Delivery) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	waiting := &b.sources[b.index[d.Queue]].waiting
	for i, w := range *waiting {
		if w == d {
			*waiting = append((*waiting)[:i:i], (*waiting)[i+1:]...)
			b.held--
			return true
		}
	}
	return false
}

func (b *Inbox) pick() *Delivery {
	b.mu.Lock()
	defer b.mu.Unlock()
	best := b.choose()
	if best == nil {
		return nil
	}
	d := best.waiting[0]
	best.waiting[0] = nil
	best.waiting = best.waiting[1:]
	b.held--
	if b.held > 0 {
		b.signal()
	}
	return d
}

// choose is the first busy source, or, weighted, the one with the most credit
// after each busy source has earned its weight (smooth weighted round robin).
func (b *Inbox) choose() *inboxSource {
	var best *inboxSource
	total := 0
	for i := range b.sources {
		s := &b.sources[i]
		if len(s.waiting) == 0 {
			continue
		}
		if b.order != Weighted {
			return s
		}
		s.credit += s.weight
		total += s.weight
		if best == nil || s.credit > best.credit {
			best = s
		}
	}
	if best != nil {
		best.credit -= total
	}
	return best
}

func (b *Inbox) empty() []*Delivery {
	var all []*Delivery
	for i := range b.sources {
		all = append(all, b.sources[i].waiting...)
		b.sources[i].waiting = nil
	}
	b.held = 0
	return all
}

func (b *Inbox) signal() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}
