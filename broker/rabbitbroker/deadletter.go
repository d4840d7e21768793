package rabbitbroker

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"acklab/broker"
)

// The headers that a dead letter carries beside its own.
const (
	reasonHeader  = "x-acklab-reason"
	queueHeader   = "x-acklab-queue"
	historyHeader = "x-acklab-history" // a list of tables: time (RFC 3339), queue, reason
)

// Reject parks the delivery: a confirmed, mandatory publish of the same
// properties and body to <queue>.dead, with the reason, then an ack of the
// original. While parking fails the message is not lost: the original is
// requeued, and the error wraps broker.ErrUnsure when a copy may be parked
// nevertheless, or says why parking was refused (for instance no such dead
// letter queue).
func (h *hold) Reject(ctx context.Context, d *broker.Delivery, reason string) error {
	s := h.s
	s.mu.Lock()
	over := s.ended || s.ch.IsClosed()
	s.mu.Unlock()
	if over {
		s.stale(d)
		return fmt.Errorf("reject %q of queue %q: %w", d.Message.ID, d.Queue, s.over())
	}
	dead := d.Queue + deadSuffix
	if err := s.c.b.publisher.send(ctx, dead, deadLetter(h.raw, d, reason, time.Now())); err != nil {
		back := s.settle(h, h.nack)
		return errors.Join(fmt.Errorf("reject %q of queue %q: parking in %q, requeued instead: %w", d.Message.ID, d.Queue, dead, err), back)
	}
	err := s.settle(h, func() error { return s.ch.Ack(h.tag, false) })
	if err != nil {
		// A copy is parked and the original comes back: not "nothing changed".
		return unsure(fmt.Sprintf("reject %q of queue %q: parked in %q, but not acknowledged (%v)", d.Message.ID, d.Queue, dead, err), nil)
	}
	return nil
}

func deadLetter(raw *amqp.Delivery, d *broker.Delivery, reason string, now time.Time) amqp.Publishing {
	p := republishing(raw)
	p.MessageId = d.Message.ID
	p.Headers = maps.Clone(raw.Headers)
	if p.Headers == nil {
		p.Headers = amqp.Table{}
	}
	delete(p.Headers, "x-delivery-count") // it is about the queue it leaves
	history, _ := p.Headers[historyHeader].([]any)
	p.Headers[reasonHeader] = reason
	p.Headers[queueHeader] = d.Queue
	p.Headers[historyHeader] = append(history[:len(history):len(history)], amqp.Table{
		"time": now.UTC().Format(time.RFC3339Nano), "queue": d.Queue, "reason": reason,
	})
	return p
}
