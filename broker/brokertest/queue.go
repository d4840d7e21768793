package brokertest

import (
	"context"
	"errors"
	"time"

	"acklab/broker"
)

func queueTests() []test {
	return []test{
		{"declaring a queue again keeps what it holds", nil, declareAgain},
		{"an unknown queue cannot be consumed", []need{needRefusal}, unknownConsume},
		{"an invalid subscription is refused", nil, invalidSubscription},
		{"a consume with nothing listening is an error", []need{needProxy}, consumeNobody},
		{"queues do not mix", nil, queuesDoNotMix},
		{"receive returns when its context ends", nil, receiveEnds},
		{"receive waits for a message that comes later", nil, receiveWaits},
	}
}

func declareAgain(p *probe) {
	b := p.open()
	q := p.queue(b)
	sent := p.put(b, q, 3)
	for range 3 {
		if err := b.Declare(p.soon(), q, q); err != nil {
			p.Fatalf("declare again: %v", err)
		}
	}
	p.wantHeld(b, q, broker.Queued, sent...)
}

func unknownConsume(p *probe) {
	b := p.open()
	q := p.queue(b)
	sub := broker.Subscription{Sources: []broker.Source{{Queue: q}, {Queue: "never-declared-" + q}}, Prefetch: 1}
	c, err := b.Consume(p.soon(), sub)
	p.wantIs(err, "consume of an unknown queue", broker.ErrUnknownQueue)
	if c != nil {
		p.Error("a refused subscription has a consumer")
		p.closeConsumer(c)
	}
	p.put(b, q, 1) // and the client still works, with nobody left on the good queue
	d := p.receive(p.consume(b, q, 1))
	p.ack(d)
}

// consumeNobody allows a driver to try until the context ends.
func consumeNobody(p *probe) {
	b := p.server.OpenAt(p.T, p.freeAddr(), broker.Options{})
	done := make(chan error, 1)
	p.spawn(func() {
		c, err := b.Consume(p.within(2*time.Second), broker.Subscription{Sources: []broker.Source{{Queue: "any"}}, Prefetch: 1})
		if c != nil {
			_ = c.Close(p.soon())
		}
		done <- err
	})
	if p.returned("Consume with nothing listening", done) == nil {
		p.Error("a consumer of a server that is not there")
	}
}

func invalidSubscription(p *probe) {
	b := p.open()
	q := p.queue(b)
	source := []broker.Source{{Queue: q}}
	for name, s := range map[string]broker.Subscription{
		"no queue":          {Prefetch: 1},
		"an empty queue":    {Sources: []broker.Source{{}}, Prefetch: 1},
		"one queue twice":   {Sources: []broker.Source{{Queue: q}, {Queue: q}}, Prefetch: 1},
		"no prefetch":       {Sources: source},
		"a prefetch of -2":  {Sources: source, Prefetch: -2},
		"a weight of -1":    {Sources: []broker.Source{{Queue: q, Weight: -1}}, Prefetch: 1},
		"an order of chaos": {Sources: source, Prefetch: 1, Order: "chaos"},
	} {
		c, err := b.Consume(p.soon(), s)
		if err == nil {
			p.Errorf("a subscription with %s is accepted", name)
		}
		if c != nil {
			p.closeConsumer(c)
		}
	}
}

func queuesDoNotMix(p *probe) {
	b := p.open()
	one, two := p.queue(b), p.queue(b)
	first, second := p.put(b, one, 2), p.put(b, two, 3)
	c := p.consume(b, one, 10)
	for _, d := range p.receiveN(c, 2) {
		if d.Queue != one || d.Message.ID != first[0].ID && d.Message.ID != first[1].ID {
			p.Errorf("a consumer of queue %s received message %s of queue %s", one, d.Message.ID, d.Queue)
		}
		p.ack(d)
	}
	p.flush(c)
	p.closeConsumer(c)
	p.wantEmpty(b, one)
	p.wantHeld(b, two, broker.Queued, second...)
}

func receiveEnds(p *probe) {
	b := p.open()
	c := p.consume(b, p.queue(b), 1)
	ctx, cancel := context.WithTimeout(p.ctx, 50*time.Millisecond)
	defer cancel()
	done := make(chan error, 1)
	p.spawn(func() {
		_, err := c.Receive(ctx)
		done <- err
	})
	if err := p.returned("Receive", done); !errors.Is(err, context.DeadlineExceeded) {
		p.Errorf("receive: got %v; want the error of its context", err)
	}
	cause, end := context.WithCancel(p.ctx)
	end()
	if _, err := c.Receive(cause); !errors.Is(err, context.Canceled) {
		p.Errorf("receive with a context that has ended: got %v; want the error of its context", err)
	}
}

func receiveWaits(p *probe) {
	b := p.open()
	q := p.queue(b)
	c := p.consume(b, q, 1)
	got := make(chan *broker.Delivery, 1)
	p.spawn(func() {
		d, err := c.Receive(p.soon())
		if err != nil {
			p.Errorf("receive: %v", err)
		}
		got <- d
	})
	sent := p.put(b, q, 1)[0]
	if d := <-got; d != nil {
		if d.Message.ID != sent.ID {
			p.Errorf("received message %s; want %s", d.Message.ID, sent.ID)
		}
		p.ack(d)
	}
	p.flush(c)
}
