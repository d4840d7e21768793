package rabbitbroker

import (
	"context"
	"sync"

	amqp "github.com/rabbitmq/amqp091-go"

	"acklab/broker"
)

// control is the connection for questions: declare, depth, census. A server
// in an alarm does not read publishing connections, so it is one of its own.
// It connects when it is needed.
type control struct {
	b    *Broker
	turn rpc // one attempt to connect at a time

	mu   sync.Mutex
	link *link
}

func newControl(b *Broker) *control { return &control{b: b, turn: newRPC()} }

// ask is link.ask on the control connection. Questions change nothing when they are repeated, so one whose connection
// turns out to be dead is asked once more on a new one.
func (c *control) ask(ctx context.Context, f func(*amqp.Channel) error) error {
	for again := false; ; again = true {
		l, fresh, err := c.standing(ctx)
		if err != nil {
			return err
		}
		err = l.ask(ctx, f)
		if err == nil || fresh || again || ctx.Err() != nil || l.stands() {
			return err
		}
	}
}

// standing returns the connection, and whether it was made just now.
func (c *control) standing(ctx context.Context) (_ *link, fresh bool, err error) {
	if c.b.life.Err() != nil {
		return nil, false, broker.ErrClosed
	}
	type outcome struct {
		link  *link
		fresh bool
	}
	outcomes := make(chan outcome, 1)
	err = c.turn.do(ctx, func() error {
		c.mu.Lock()
		l := c.link
		c.mu.Unlock()
		if l != nil && l.stands() {
			outcomes <- outcome{l, false}
			return nil
		}
		l, err := c.b.connect(c.b.life, "control", nil)
		if err != nil {
			return err
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.b.life.Err() != nil {
			l.abandon()
			return broker.ErrClosed
		}
		c.link = l
		outcomes <- outcome{l, true}
		return nil
	})
	if err != nil {
		return nil, false, err
	}
	o := <-outcomes
	return o.link, o.fresh, nil
}

func (c *control) close(ctx context.Context) {
	c.mu.Lock()
	l := c.link
	c.mu.Unlock()
	if l != nil {
		l.close(ctx)
	}
}
