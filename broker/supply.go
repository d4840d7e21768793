package broker

import (
	"slices"
	"time"
)

const (
	// refillIn is how long a refill may take before the driver is asked to find
	// out whether there is any: longer than a round trip takes as a rule.
	refillIn = 2 * time.Millisecond
	// refillWithin is how long a refill is waited for at most, whatever is settled
	// meanwhile: a server that does not answer does not stop the worker.
	refillWithin = time.Second
	// refillsWithin is how long what is here is kept waiting at most, in all, while
	// one refill after the other comes: a queue of which more comes all the time,
	// each before it was known whether it would, does not stop the others. A slow
	// machine with a tenth of a second a refill keeps its order all the same.
	refillsWithin = 10 * time.Second
)

// supply is what an inbox knows of a queue at the broker: whether more of it is
// on its way because there is room for it.
//
// Without that, the order among queues would depend on the prefetch. With a
// prefetch of 1 a worker that has settled an urgent task finds, for the time of
// a round trip, only the less urgent one here, and would take turns between
// the two.
type supply struct {
	limit int  // the prefetch
	here  int  // deliveries that are not settled
	dry   bool // the broker has no more, it was said, and nothing has come since

	turn   uint64 // counts what makes an answer out of date
	alarm  *time.Timer
	begun  time.Time     // when the alarm was set
	waited time.Duration // how long a refill had been waited for by then
}

// came: a delivery is here, and more may follow.
func (s *supply) came() {
	s.here++
	s.dry = false
	s.next()
}

// left: a delivery is not here any more, and makes room for another.
func (s *supply) left() {
	s.here = max(s.here-1, 0)
	s.outdate()
}

// returned: a delivery that was aside counts again, and takes a room. Without one
// no refill is waited for.
func (s *supply) returned() {
	s.here++
	s.outdate()
	if s.here >= s.limit {
		s.waited = 0
	}
}

// aside: a delivery is here that takes no room, and more may follow.
func (s *supply) aside() {
	s.dry = false
	s.next()
}

// renew: nothing is here, and nothing is known.
func (s *supply) renew() {
	s.here, s.dry = 0, false
	s.next()
}

// answered: there is no more for now, or nobody waits for it any longer.
func (s *supply) answered() {
	s.dry = true
	s.next()
}

// next: the broker has been heard, and the next refill is another.
func (s *supply) next() {
	s.outdate()
	s.waited = 0
}

// outdate: what was asked is out of date, and the broker has still to be heard. A
// server that stands still is waited for no longer because others are settled
// meanwhile.
func (s *supply) outdate() {
	s.turn++
	if s.alarm != nil {
		s.alarm.Stop()
		s.alarm = nil
		s.waited += time.Since(s.begun)
	}
}

// ExpectRefills makes the order of the subscription hold whatever the prefetch
// is: a queue that has room, and of which the broker has not said that it holds
// no more, is expected to deliver. Receive then waits for it rather than hand out
// what its turn is later; no refill is waited for longer than a second, however
// much is settled meanwhile, and no delivery is kept waiting for such refills
// longer than ten seconds in all. The driver calls Settled for each delivery that
// leaves the consumer's hands, and Dry when the broker had nothing more.
//
// A driver whose broker does not say so by itself passes ask: it is called,
// without a lock, when a refill does not come for 2 ms, and shall call nothing
// once it is certain that all the broker had, at the time of the call, is in
// the inbox. A driver whose deliveries are here when a settlement returns needs
// none of this. It is to be called before the first Put.
func (b *Inbox) ExpectRefills(ask func(queue string, nothing func())) {
	b.expects, b.refill = len(b.sources) > 1, ask
}

// Settled says that a delivery of the queue, one that was handed out, has left
// the consumer's hands.
func (b *Inbox) Settled(queue string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sources[b.index[queue]].supply.left()
	b.signal()
}

// Returned says that a delivery of the queue, one that was put with PutAside,
// counts towards the prefetch from now on.
func (b *Inbox) Returned(queue string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sources[b.index[queue]].supply.returned()
	b.signal()
}

// Dry says that the broker had no more of the queue than what is here.
func (b *Inbox) Dry(queue string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sources[b.index[queue]].supply.answered()
	b.signal()
}

// expected tells whether more of the source is likely on its way.
func (b *Inbox) expected(s *inboxSource) bool {
	u := &s.supply
	return b.expects && !u.dry && u.limit != Unlimited && u.here < u.limit
}

// patience is for how long the delivery that is here the longest has been kept
// waiting for others that were expected. The time in which those were handed out
// and run does not count.
type patience struct {
	kept   *Delivery // nil: none is kept waiting
	spent  time.Duration
	since  time.Time // when the present wait began; zero: there is none
	expiry *time.Timer
}

// left is what is left of it.
func (p *patience) left() time.Duration {
	left := refillsWithin - p.spent
	if !p.since.IsZero() {
		left -= time.Since(p.since)
	}
	return left
}

// rest ends the present wait.
func (p *patience) rest() {
	if p.since.IsZero() {
		return
	}
	p.spent += time.Since(p.since)
	p.since = time.Time{}
	p.expiry.Stop()
}

// mayWait tells whether what is here may wait for what is expected, and begins to
// wait if it may.
func (b *Inbox) mayWait() bool {
	p := &b.patience
	if p.kept == nil {
		i := slices.IndexFunc(b.sources, func(s inboxSource) bool { return len(s.waiting) > 0 })
		*p = patience{kept: b.sources[i].waiting[0]}
	}
	left := p.left()
	if left > 0 && p.since.IsZero() {
		p.since = time.Now()
		p.expiry = time.AfterFunc(left, b.signal)
	}
	return left > 0
}

// gone: the delivery waits no more.
func (b *Inbox) gone(d *Delivery) {
	b.patience.rest()
	if b.patience.kept == d {
		b.patience.kept = nil
	}
}

// await sees to it that somebody looks again when the source has answered, or
// has not in time.
func (b *Inbox) await(s *inboxSource) {
	u := &s.supply
	if u.alarm != nil {
		return
	}
	queue, turn := "", u.turn
	for name, i := range b.index {
		if &b.sources[i] == s {
			queue = name
		}
	}
	giveUp := func() { b.answered(s, turn) }
	left := refillWithin - u.waited
	u.begun = time.Now()
	if b.refill == nil || left <= refillIn {
		u.alarm = time.AfterFunc(left, giveUp)
		return
	}
	u.alarm = time.AfterFunc(refillIn, func() {
		b.mu.Lock()
		current := u.turn == turn
		if current {
			u.alarm = time.AfterFunc(left-refillIn, giveUp)
		}
		b.mu.Unlock()
		if current {
			b.refill(queue, giveUp)
		}
	})
}

// answered notes that a source is dry, if nothing has happened to it since the
// turn.
func (b *Inbox) answered(s *inboxSource, turn uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if s.supply.turn != turn {
		return
	}
	s.supply.answered()
	b.signal()
}
