package rabbitbroker

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"acklab/broker"
)

// politeLimit bounds how long Stop and Close wait for the server.
const politeLimit = 15 * time.Second

// consumer is one subscription. It outlives its sessions; each session has a
// connection of its own.
type consumer struct {
	b     *Broker
	sub   broker.Subscription
	inbox *broker.Inbox

	life context.Context // ends when no new session is wanted
	end  context.CancelFunc
	done chan struct{} // closed when the last session has ended
	turn rpc           // Stop and Close, one at a time

	mu       sync.Mutex
	session  *session // nil while none stands
	sessions int
	stopped  bool               // Stop was called: sessions are not renewed
	closed   bool               // Close is ending the connection
	dubious  bool               // a session ended with settlements that no Flush covered
	late     []*broker.Delivery // not handed out when Stop was called, to be given back
}

// Consume subscribes with one connection of its own, one channel, and one
// AMQP consumer for each queue, with manual acknowledgement and that queue's
// prefetch. A prefetch above 65535 is an error; on quorum queues one above
// 2000 is taken as 2000, which is also what Unlimited means there.
func (b *Broker) Consume(ctx context.Context, s broker.Subscription) (broker.Consumer, error) {
	if err := s.Check(); err != nil {
		return nil, fmt.Errorf("consume: %w", err)
	}
	for i, src := range s.Sources {
		if err := checkQueue(src.Queue); err != nil {
			return nil, fmt.Errorf("consume: %w", err)
		}
		if p := s.PrefetchOf(i); p > maxPrefetch {
			return nil, fmt.Errorf("consume: queue %q: prefetch %d: AMQP carries at most %d", src.Queue, p, maxPrefetch)
		}
	}
	c := &consumer{b: b, sub: s, inbox: broker.NewInbox(s), done: make(chan struct{}), turn: newRPC()}
	c.life, c.end = context.WithCancel(b.life)
	c.inbox.ExpectRefills(c.askForRefill)
	if b.addr.priority {
		c.inbox.ServeUrgentFirst()
	}
	if !b.add(c) {
		c.end()
		return nil, fmt.Errorf("consume: %w", broker.ErrClosed)
	}
	first, missing, err := c.connect(ctx)
	if err == nil && len(missing) > 0 {
		first.link.close(ctx)
		err = fmt.Errorf("queue %q: %w", s.Sources[missing[0]].Queue, broker.ErrUnknownQueue)
	}
	if err == nil && !c.adopt(first, nil) {
		first.link.close(ctx)
		err = broker.ErrClosed
	}
	if err != nil {
		c.end()
		b.remove(c)
		return nil, fmt.Errorf("consume: %w", err)
	}
	go c.run(first)
	return c, nil
}

// run keeps a session standing until the consumer is stopped.
func (c *consumer) run(s *session) {
	defer close(c.done)
	for s != nil {
		<-s.gone
		c.bury(s)
		s = c.renew()
	}
}

// renew connects until a session stands; nil: none is wanted any more.
func (c *consumer) renew() *session {
	for pause := (backoff{}); pause.wait(c.life); {
		s, missing, err := c.connect(c.life)
		if err != nil {
			c.b.log.Debug("consumer cannot connect", "broker", c.b.addr.shown, "error", err)
			continue
		}
		if !c.adopt(s, missing) {
			s.link.abandon()
			return nil
		}
		return s
	}
	return nil
}

// connect makes the next session and subscribes; missing are the indexes of
// the queues that do not exist.
func (c *consumer) connect(ctx context.Context) (s *session, missing []int, err error) {
	c.mu.Lock()
	number := c.sessions + 1
	c.mu.Unlock()
	l, err := c.b.connect(ctx, "consumer", nil)
	if err != nil {
		return nil, nil, err
	}
	s = newSession(c, number, l)
	err = s.calls.do(ctx, func() error { return s.open() })
	for i := 0; err == nil && i < len(c.sub.Sources); i++ {
		err = s.subscribe(ctx, i)
		if errors.Is(err, broker.ErrUnknownQueue) {
			missing, err = append(missing, i), nil
		}
	}
	if err != nil {
		l.abandon()
		return nil, nil, err
	}
	return s, missing, nil
}

// adopt makes the session the consumer's and lets its deliveries in. False:
// the consumer was stopped meanwhile.
func (c *consumer) adopt(s *session, missing []int) bool {
	c.mu.Lock()
	if c.stopped || c.life.Err() != nil {
		c.mu.Unlock()
		return false
	}
	c.session, c.sessions = s, s.number
	c.mu.Unlock()
	c.b.options.Tell(broker.Event{Kind: broker.Connected, Session: s.number})
	c.b.log.Debug("consumer connected", "broker", c.b.addr.shown, "session", s.number)
	s.begin(missing)
	return true
}

// bury ends the bookkeeping of a session whose connection or channel has
// ended: from here on its deliveries are stale.
func (c *consumer) bury(s *session) {
	unflushed := s.finish()
	dropped := c.inbox.Drop()
	s.link.abandon()
	s.pumps.Wait()
	dropped = append(dropped, c.inbox.Drop()...)
	dropped = append(dropped, c.takeLate()...)

	c.mu.Lock()
	c.session = nil
	c.dubious = c.dubious || unflushed
	asked := c.closed
	c.mu.Unlock()
	if !asked {
		err := s.err()
		c.b.options.Tell(broker.Event{Kind: broker.Lost, Session: s.number, Err: err})
		c.b.log.Warn("consumer lost its session", "broker", c.b.addr.shown, "session", s.number, "error", err)
	}
	for _, d := range dropped {
		d.Abandon()
		c.b.options.Tell(broker.Event{Kind: broker.Dropped, Session: s.number, Queue: d.Queue, MessageID: d.Message.ID, Delivery: d})
	}
}

// Receive returns the next delivery. See broker.Consumer.
func (c *consumer) Receive(ctx context.Context) (*broker.Delivery, error) {
	return c.inbox.Take(ctx)
}

// Stop cancels the AMQP consumers, waits until the server has confirmed that,
// and gives back (nack with requeue) what Receive has not handed out. When ctx
// ends, or politeLimit is over, before the server has answered, the connection
// is given up instead: then the server takes everything back by itself, what
// was handed out is stale, and the error wraps broker.ErrUnsure.
func (c *consumer) Stop(ctx context.Context) error {
	return c.polite(ctx, func(ctx context.Context, s *session) error { return c.stop(ctx, s) })
}

// Close is Stop, gives back what is not settled, and ends the connection. It
// returns soon after ctx ends, also when the server does not answer.
func (c *consumer) Close(ctx context.Context) error {
	err := c.polite(ctx, func(ctx context.Context, s *session) error {
		err := c.stop(ctx, s)
		c.mu.Lock()
		c.closed = true
		c.mu.Unlock()
		if s == nil {
			return err
		}
		s.giveBackUnsettled()
		if err == nil {
			err = s.flush(ctx)
		}
		s.link.close(ctx)
		return err
	})
	if s := c.standing(); s != nil {
		s.link.abandon()
	}
	<-c.done
	c.b.remove(c)
	return err
}

// polite runs the goodbye, one at a time, with a connection that is given up
// when ctx ends or the server takes too long. From its start no new session
// is made and Receive returns broker.ErrClosed.
func (c *consumer) polite(ctx context.Context, goodbye func(context.Context, *session) error) error {
	c.mu.Lock()
	c.stopped = true
	s := c.session
	c.late = append(c.late, c.inbox.Close()...)
	c.mu.Unlock()
	c.end()
	ctx, cancel := context.WithTimeout(ctx, politeLimit)
	defer cancel()
	if s != nil {
		defer context.AfterFunc(ctx, s.link.abandon)()
	}
	select {
	case c.turn <- struct{}{}:
		defer func() { <-c.turn }()
	case <-ctx.Done():
		return unsure("stop the consumer", ctx.Err())
	}
	return goodbye(ctx, c.standing())
}

func (c *consumer) stop(ctx context.Context, s *session) error {
	if s == nil {
		return nil // what a dead session has left is dropped by bury
	}
	if err := s.cancel(ctx); err != nil {
		s.link.abandon()
		<-c.done
		return unsure(fmt.Sprintf("stop the consumer of session %d: connection given up", s.number), err)
	}
	s.giveBack(c.takeLate())
	if err := s.flush(ctx); err != nil {
		return fmt.Errorf("stop the consumer of session %d: %w", s.number, err)
	}
	return nil
}

// standing is the session that stands, or nil.
func (c *consumer) standing() *session {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.session
}

// put lets a delivery into the inbox, or keeps it for Stop to give back.
func (c *consumer) put(d *broker.Delivery) {
	if c.inbox.Put(d) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.late = append(c.late, d)
}

func (c *consumer) takeLate() []*broker.Delivery {
	c.mu.Lock()
	defer c.mu.Unlock()
	late := c.late
	c.late = nil
	return late
}
