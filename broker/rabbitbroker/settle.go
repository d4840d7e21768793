package rabbitbroker

import (
	"context"
	"errors"
	"fmt"

	amqp "github.com/rabbitmq/amqp091-go"

	"acklab/broker"
)

// hold is one delivery in the consumer's hands: broker.Settler.
type hold struct {
	s      *session
	tag    uint64
	source int
	kept   kept
}

// Ack writes basic.ack. It does not wait and does not look at ctx.
func (h *hold) Ack(_ context.Context, d *broker.Delivery) error {
	return h.settle(d, "ack", func() error { return h.s.ch.Ack(h.tag, false) })
}

// Requeue writes basic.nack with requeue. It does not wait and does not look
// at ctx.
func (h *hold) Requeue(_ context.Context, d *broker.Delivery) error {
	return h.settle(d, "requeue", h.nack)
}

func (h *hold) nack() error { return h.s.ch.Nack(h.tag, false, true) }

// settle writes one settlement while the delivery's own session stands.
// Nothing is ever written for a delivery of an ended session: its tag may
// belong to another message now.
func (h *hold) settle(d *broker.Delivery, what string, write func() error) error {
	err := h.s.settle(h, write)
	if err == nil {
		return nil
	}
	if errors.Is(err, broker.ErrStale) {
		h.s.stale(d)
	}
	return fmt.Errorf("%s %q of queue %q: %w", what, d.Message.ID, d.Queue, err)
}

func (s *session) settle(h *hold, write func() error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended || s.ch.IsClosed() {
		return s.over()
	}
	err := write()
	if errors.Is(err, amqp.ErrClosed) {
		return s.over() // the channel ended first: nothing was written
	}
	delete(s.unsettled, h.tag)
	s.ledger.hand(h.source)
	s.c.inbox.Settled(s.c.sub.Sources[h.source].Queue)
	if err != nil {
		return unsure(fmt.Sprintf("session %d", s.number), err)
	}
	return nil
}

func (s *session) over() error {
	return fmt.Errorf("session %d has ended: %w", s.number, broker.ErrStale)
}

func (s *session) stale(d *broker.Delivery) {
	s.c.b.options.Tell(broker.Event{Kind: broker.Stale, Session: s.number, Queue: d.Queue, MessageID: d.Message.ID, Delivery: d})
}

// giveBack requeues deliveries that Receive has not handed out.
func (s *session) giveBack(ds []*broker.Delivery) {
	for _, d := range ds {
		h, ok := d.Settler.(*hold)
		if !ok || !d.Abandon() {
			continue
		}
		kind := broker.GivenBack
		if h.s.settle(h, h.nack) != nil {
			kind = broker.Dropped
		}
		s.c.b.options.Tell(broker.Event{Kind: kind, Session: h.s.number, Queue: d.Queue, MessageID: d.Message.ID, Delivery: d})
	}
}

// giveBackUnsettled requeues what was handed out and is not settled.
func (s *session) giveBackUnsettled() {
	s.mu.Lock()
	var left []*broker.Delivery
	for _, d := range s.unsettled {
		left = append(left, d)
	}
	s.mu.Unlock()
	for _, d := range left {
		if h, ok := d.Settler.(*hold); ok && d.Abandon() {
			_ = s.settle(h, h.nack) // the end of the connection gives back what this cannot
		}
	}
}
