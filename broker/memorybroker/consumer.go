package memorybroker

import (
	"context"

	"acklab/broker"
)

// consumer is one subscription. Its fields are guarded by Server.mu; the
// inbox has a lock of its own.
type consumer struct {
	broker  *Broker
	sub     broker.Subscription
	queues  map[string]*queue
	inbox   *broker.Inbox
	session int
	held    map[*broker.Delivery]*item // unsettled, of this session
	count   map[string]int             // of held, by queue
	stopped bool
}

func newConsumer(b *Broker, sub broker.Subscription, queues []*queue) *consumer {
	c := &consumer{broker: b, sub: sub, inbox: broker.NewInbox(sub), queues: map[string]*queue{},
		held: map[*broker.Delivery]*item{}, count: map[string]int{}}
	for _, q := range queues {
		c.queues[q.name] = q
	}
	if b.urgent {
		c.inbox.ServeUrgentFirst()
	}
	return c
}

// begin starts a session and asks for deliveries.
func (c *consumer) begin() {
	c.session++
	c.broker.opts.Tell(broker.Event{Kind: broker.Connected, Session: c.session})
	for _, q := range c.queues {
		if !c.stopped {
			q.consumers = append(q.consumers, c)
			q.dispatch()
		}
	}
}

// hasRoom tells whether the prefetch of the queue allows another delivery.
func (c *consumer) hasRoom(queue string) bool {
	for i, src := range c.sub.Sources {
		if src.Queue == queue {
			limit := c.sub.PrefetchOf(i)
			return limit == broker.Unlimited || c.count[queue] < limit
		}
	}
	return false
}

func (c *consumer) deliver(q *queue, it *item) {
	seen := broker.SeenFirst
	if it.delivered > 1 {
		seen = broker.SeenAgain
	}
	d := &broker.Delivery{Message: it.msg, Malformed: it.malformed, Queue: q.name,
		Session: c.session, Seen: seen, Count: it.delivered, Settler: c}
	c.held[d] = it
	c.count[q.name]++
	c.broker.opts.Tell(broker.Event{Kind: broker.Arrived, Session: c.session, Queue: q.name, MessageID: it.msg.ID, Delivery: d})
	c.inbox.Put(d)
}

// lose ends the session and begins the next one.
func (c *consumer) lose(err error) {
	c.broker.opts.Tell(broker.Event{Kind: broker.Lost, Session: c.session, Err: err})
	c.leave()
	for _, d := range c.inbox.Drop() {
		c.broker.opts.Tell(c.event(broker.Dropped, d))
	}
	c.giveBackHeld()
	c.begin()
}

// Receive returns the next delivery. See broker.Consumer.
func (c *consumer) Receive(ctx context.Context) (*broker.Delivery, error) { return c.inbox.Take(ctx) }

// Stop ends the subscription. See broker.Consumer.
func (c *consumer) Stop(context.Context) error {
	s := c.broker.server
	s.mu.Lock()
	defer s.mu.Unlock()
	c.stop()
	return nil
}

func (c *consumer) stop() {
	if c.stopped {
		return
	}
	c.stopped = true
	c.leave()
	for _, d := range c.inbox.Close() {
		if d.Abandon() {
			q, it := c.release(d)
			q.giveBack(it)
			c.broker.opts.Tell(c.event(broker.GivenBack, d))
			q.dispatch()
		}
	}
}

// Flush returns nil: a settlement is processed when it is handed over.
func (c *consumer) Flush(context.Context) error { return nil }

// Close stops and gives back what is unsettled. See broker.Consumer.
func (c *consumer) Close(context.Context) error {
	s := c.broker.server
	s.mu.Lock()
	defer s.mu.Unlock()
	c.close()
	return nil
}

func (c *consumer) close() {
	c.stop()
	c.giveBackHeld()
	delete(c.broker.consumers, c)
}

// leave takes the consumer off its queues: nothing more is delivered to it.
func (c *consumer) leave() {
	for _, q := range c.queues {
		q.remove(c)
	}
}

// giveBackHeld returns all unsettled deliveries to their queues. A settlement
// of one of them that comes later finds it gone, and is stale.
func (c *consumer) giveBackHeld() {
	for d := range c.held {
		q, it := c.release(d)
		q.giveBack(it)
	}
	for _, q := range c.queues {
		q.dispatch()
	}
}

// release takes a delivery out of the consumer's hands.
func (c *consumer) release(d *broker.Delivery) (*queue, *item) {
	it := c.held[d]
	delete(c.held, d)
	c.count[d.Queue]--
	return c.queues[d.Queue], it
}

// settle does what is asked with the item of a delivery that this session
// still holds; otherwise it is ErrStale.
func (c *consumer) settle(d *broker.Delivery, what func(*queue, *item)) error {
	s := c.broker.server
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := c.held[d]; !ok {
		c.broker.opts.Tell(c.event(broker.Stale, d))
		return broker.ErrStale
	}
	q, it := c.release(d)
	what(q, it)
	q.dispatch()
	return nil
}

// Ack, Requeue and Reject settle a delivery. See broker.Settler.
func (c *consumer) Ack(_ context.Context, d *broker.Delivery) error {
	return c.settle(d, (*queue).forget)
}

func (c *consumer) Requeue(_ context.Context, d *broker.Delivery) error {
	return c.settle(d, (*queue).giveBack)
}

func (c *consumer) Reject(_ context.Context, d *broker.Delivery, reason string) error {
	return c.settle(d, func(q *queue, it *item) { q.park(it, reason) })
}

func (c *consumer) event(kind broker.EventKind, d *broker.Delivery) broker.Event {
	return broker.Event{Kind: kind, Session: d.Session, Queue: d.Queue, MessageID: d.Message.ID, Delivery: d}
}
