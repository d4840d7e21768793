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
	letter, err := h.deadLetter(d, reason, time.Now())
	if err == nil {
		err = s.c.b.parker.send(ctx, dead, letter)
	}
	if err != nil {
		back := s.settle(h, h.nack)
		return errors.Join(fmt.Errorf("reject %q of queue %q: parking in %q, requeued instead: %w", d.Message.ID, d.Queue, dead, err), back)
	}
	err = s.settle(h, func() error { return s.ch.Ack(h.tag, false) })
	if err != nil {
		// A copy is parked and the original comes back: not "nothing changed".
		return unsure(fmt.Sprintf("reject %q of queue %q: parked in %q, but not acknowledged (%v)", d.Message.ID, d.Queue, dead, err), nil)
	}
	return nil
}

// kept is what parking a delivery needs beside its message. Ten thousand
// prefetched tasks are kept, so it is little: the headers are written again
// from the message, unless the message is malformed or carries properties that
// task.Message has no place for.
type kept struct {
	body    []byte
	history []any
	whole   *amqp.Delivery
}

func keep(raw *amqp.Delivery, malformed error) kept {
	k := kept{body: raw.Body}
	k.history, _ = raw.Headers[historyHeader].([]any)
	if malformed != nil || !raw.Timestamp.IsZero() || raw.Type != "" || raw.AppId != "" || raw.Expiration != "" {
		whole := *raw
		k.whole = &whole
	}
	return k
}

// original is the delivery as a new publish: the same body, properties and
// headers, without what is about its old queue.
func (k kept) original(d *broker.Delivery) (amqp.Publishing, error) {
	if raw := k.whole; raw != nil {
		headers := maps.Clone(raw.Headers)
		if headers == nil {
			headers = amqp.Table{}
		}
		delete(headers, "x-delivery-count")
		return amqp.Publishing{
			Headers: headers, ContentType: raw.ContentType, ContentEncoding: raw.ContentEncoding,
			DeliveryMode: amqp.Persistent, Priority: raw.Priority, CorrelationId: raw.CorrelationId,
			ReplyTo: raw.ReplyTo, MessageId: d.Message.ID, Timestamp: raw.Timestamp,
			Type: raw.Type, AppId: raw.AppId, Body: raw.Body, // no Expiration: the dead stay
		}, nil
	}
	p, err := publishing(d.Message)
	p.Body = k.body
	return p, err
}

func (h *hold) deadLetter(d *broker.Delivery, reason string, now time.Time) (amqp.Publishing, error) {
	p, err := h.kept.original(d)
	if err != nil {
		return p, err
	}
	history := h.kept.history
	p.Headers[reasonHeader] = reason
	p.Headers[queueHeader] = d.Queue
	p.Headers[historyHeader] = append(history[:len(history):len(history)], amqp.Table{
		"time": now.UTC().Format(time.RFC3339Nano), "queue": d.Queue, "reason": reason,
	})
	return p, nil
}
