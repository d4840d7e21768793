package broker

import (
	"context"
	"slices"
	"sync"
)

// Inbox holds what a broker has delivered and Receive has not yet handed out,
// and chooses among its queues in the order of the subscription. It has no
// bound of its own: the prefetch bounds it at the broker. It is safe for
// concurrent use. Only drivers need it.
type Inbox struct {
	mu       sync.Mutex
	order    Order
	urgent   bool // the larger priority of a queue first
	sources  []inboxSource
	index    map[string]int
	held     int
	refill   func(queue string, nothing func()) // see ExpectRefills
	expects  bool
	patience patience

	wake   chan struct{} // holds one token while a taker may find something
	closed chan struct{}
}

type inboxSource struct {
	weight, credit int
	waiting        []*Delivery
	supply         supply
}

// NewInbox makes an empty inbox for the subscription, which must be valid.
func NewInbox(s Subscription) *Inbox {
	b := &Inbox{order: s.Order, index: map[string]int{}, wake: make(chan struct{}, 1), closed: make(chan struct{})}
	for i, src := range s.Sources {
		b.sources = append(b.sources, inboxSource{weight: max(src.Weight, 1), supply: supply{limit: s.PrefetchOf(i)}})
		b.index[src.Queue] = i
	}
	return b
}

// ServeUrgentFirst makes the inbox hand out, of each queue, the delivery with
// the largest priority first, and of those the oldest. It is to be called
// before the first Put.
func (b *Inbox) ServeUrgentFirst() { b.urgent = true }

// Put adds a delivery of one of the subscription's queues. It reports false,
// and keeps nothing, when the inbox is closed.
func (b *Inbox) Put(d *Delivery) bool { return b.put(d, (*supply).came) }

// PutAside is Put of a delivery that does not count towards the prefetch for now,
// because it is to be held until its ETA. The driver calls Returned when it counts
// again, even if that is before the delivery is put, and Settled only for one that
// counts.
func (b *Inbox) PutAside(d *Delivery) bool { return b.put(d, (*supply).aside) }

func (b *Inbox) put(d *Delivery, heed func(*supply)) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	select {
	case <-b.closed:
		return false
	default:
	}
	s := &b.sources[b.index[d.Queue]]
	s.waiting = slices.Insert(s.waiting, b.place(s, d), d)
	heed(&s.supply)
	b.held++
	b.signal()
	return true
}

// place is where a new delivery waits.
func (b *Inbox) place(s *inboxSource, d *Delivery) int {
	at := len(s.waiting)
	for b.urgent && at > 0 && s.waiting[at-1].Message.Priority < d.Message.Priority {
		at--
	}
	return at
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

// Drop removes and returns all that is held, for a session that has ended: what
// was handed out is nobody's business any more, either.
func (b *Inbox) Drop() []*Delivery {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.empty()
}

// Remove takes out one delivery if it is still held, for a lease that has
// expired, and reports whether it was.
func (b *Inbox) Remove(d *Delivery) bool { return b.remove(d, (*supply).left) }

// RemoveAside is Remove of a delivery that does not count, see PutAside.
func (b *Inbox) RemoveAside(d *Delivery) bool { return b.remove(d, (*supply).outdate) }

func (b *Inbox) remove(d *Delivery, heed func(*supply)) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := &b.sources[b.index[d.Queue]]
	i := slices.Index(s.waiting, d)
	if i < 0 {
		return false
	}
	s.waiting = slices.Delete(s.waiting, i, i+1)
	heed(&s.supply)
	b.held--
	b.gone(d)
	b.signal()
	return true
}

func (b *Inbox) pick() *Delivery {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.held == 0 {
		return nil
	}
	best := b.choose(true)
	if len(best.waiting) == 0 {
		if b.mayWait() {
			b.await(best)
			return nil
		}
		best.supply.answered()
		best = b.choose(false)
	}
	d := best.waiting[0]
	best.waiting[0] = nil
	best.waiting = best.waiting[1:]
	b.held--
	b.gone(d)
	if b.held > 0 {
		b.signal()
	}
	return d
}

// choose is the first busy source, or, weighted, the one with the most credit
// after each busy source has earned its weight (smooth weighted round robin). A
// source is busy when something of it is here, or is to be expected: then it may
// be chosen although nothing is here, and it is not charged for that. Without
// expecting, only what is here counts.
func (b *Inbox) choose(expecting bool) *inboxSource {
	var best *inboxSource
	total := 0
	for i := range b.sources {
		s := &b.sources[i]
		if len(s.waiting) == 0 && (!expecting || !b.expected(s)) {
			continue
		}
		if b.order != Weighted {
			return s
		}
		total += s.weight
		if best == nil || s.credit+s.weight > best.credit+best.weight {
			best = s
		}
	}
	if len(best.waiting) > 0 {
		b.charge(best, total)
	}
	return best
}

func (b *Inbox) charge(best *inboxSource, total int) {
	for i := range b.sources {
		if s := &b.sources[i]; len(s.waiting) > 0 || b.expected(s) {
			s.credit += s.weight
		}
	}
	best.credit -= total
}

func (b *Inbox) empty() []*Delivery {
	var all []*Delivery
	for i := range b.sources {
		s := &b.sources[i]
		all = append(all, s.waiting...)
		s.waiting = nil
		s.supply.renew()
	}
	b.held = 0
	b.gone(b.patience.kept)
	return all
}

func (b *Inbox) signal() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}
