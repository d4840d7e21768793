package redisbroker

import (
	"time"

	"acklab/broker"
	"acklab/task"
)

// admit reads what the pops have brought and puts it into the inbox, until the
// consumer ends.
func (c *Consumer) admit() {
	var text []byte
	for {
		select {
		case got := <-c.arrivals:
			for i, messages := range got.messages {
				for at := 0; at+1 < len(messages); at += 2 {
					tag, _ := messages[at].(string)
					raw, _ := messages[at+1].(string)
					text = append(text[:0], raw...)
					c.arrive(got, got.rooms[i].source, tag, raw, text)
				}
				if r := got.rooms[i]; len(messages)/2 < r.want {
					c.inbox.Dry(r.source.queue)
				}
			}
			if cap(text) > 1<<20 {
				text = nil
			}
		case <-c.life.Done():
			return
		}
	}
}

// arrive makes a delivery of a message. text is raw, and is not kept.
func (c *Consumer) arrive(got catch, src *source, tag, raw string, text []byte) {
	m, again, _, err := c.broker.decode(text, tag, src.queue, "")
	lease := got.lease.Add(c.broker.address.visibility)
	h := &hold{c: c, source: src, tag: tag, raw: raw, score: got.score}
	h.lease.Store(lease.UnixNano())
	d := &broker.Delivery{
		Message:   m,
		Malformed: err,
		Queue:     src.queue,
		Session:   got.session,
		Seen:      seen(again, err),
		Lease:     lease,
		Settler:   h,
	}
	h.delivery = d
	put := c.inbox.Put
	if !c.take(h, m) {
		put = c.inbox.PutAside
	}
	c.tell(broker.Arrived, h)
	if !put(d) {
		c.giveBack(h, true)
	}
	c.mu.Lock()
	c.unread--
	c.settleDown()
	c.mu.Unlock()
}

// seen is the mark of a delivery. One that cannot be read cannot bear one.
func seen(again bool, malformed error) broker.Seen {
	switch {
	case malformed != nil:
		return broker.SeenUnknown
	case again:
		return broker.SeenAgain
	}
	return broker.SeenFirst
}

// take begins a hold and tells whether it counts towards the prefetch. Where the
// worker holds what has an ETA, that does not count until then: Celery raises its
// prefetch for it.
func (c *Consumer) take(h *hold, m *task.Message) (counts bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.holds.add(h)
	wait := time.Until(m.ETA)
	h.counted = c.broker.address.delay || m.ETA.IsZero() || wait <= 0
	if !h.counted {
		h.source.held--
		h.alarm = time.AfterFunc(wait, func() { c.count(h) })
		c.ring()
	}
	return h.counted
}

// count counts a hold whose ETA has come, if it is still unsettled.
func (c *Consumer) count(h *hold) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if h.next == nil || h.counted {
		return
	}
	h.counted = true
	h.source.held++
	c.inbox.Returned(h.source.queue)
}

// withdraw ends a hold that Receive has not handed out, and tells whether it was
// one.
func (c *Consumer) withdraw(h *hold) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	remove := c.inbox.Remove
	if !h.counted {
		remove = c.inbox.RemoveAside
	}
	if !remove(h.delivery) || !h.delivery.Abandon() {
		return false
	}
	c.letGo(h)
	return true
}
