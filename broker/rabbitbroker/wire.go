package rabbitbroker

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	amqp "github.com/rabbitmq/amqp091-go"

	"acklab/broker"
	"acklab/task"
)

// maxBody is the largest message that RabbitMQ takes unless it is configured
// otherwise: max_message_size, 134217728 bytes (up to version 3.13; 16 MiB
// from 4.0, where the server's own refusal decides).
const maxBody = 128 << 20

// maxHeaders bounds the header frame: it cannot be split, the server's
// frame_max is 131072 bytes by default, and it closes the whole connection
// over a larger one.
const maxHeaders = 120 << 10

// maxName is the longest name in bytes that AMQP can carry.
const maxName = 255

// publishing expresses the message in AMQP. Every error is a *broker.Refusal.
func publishing(m *task.Message) (amqp.Publishing, error) {
	if m == nil {
		return amqp.Publishing{}, invalid("no message")
	}
	if m.Queue == "" {
		return amqp.Publishing{}, invalid("message %q names no queue", m.ID)
	}
	w, err := m.Encode()
	if err != nil {
		return amqp.Publishing{}, &broker.Refusal{Reason: broker.Invalid, Err: err}
	}
	p := amqp.Publishing{
		Headers: table(w.Headers), ContentType: w.ContentType, ContentEncoding: w.ContentEncoding,
		DeliveryMode: w.DeliveryMode, Priority: w.Priority, CorrelationId: w.CorrelationID,
		ReplyTo: w.ReplyTo, MessageId: w.MessageID, Body: w.Body,
	}
	return p, checkPublishing(m.Queue, p)
}

// checkPublishing refuses what the library or the server would answer by
// ending the whole connection.
func checkPublishing(queue string, p amqp.Publishing) error {
	names := []struct{ what, value string }{
		{"queue", queue}, {"message id", p.MessageId}, {"correlation id", p.CorrelationId},
		{"reply-to", p.ReplyTo}, {"content type", p.ContentType}, {"content encoding", p.ContentEncoding},
	}
	for _, n := range names {
		if len(n.value) > maxName {
			return invalid("message %.40q: its %s is %d bytes long, AMQP carries %d", p.MessageId, n.what, len(n.value), maxName)
		}
	}
	if err := p.Headers.Validate(); err != nil {
		return invalid("message %q: headers: %v", p.MessageId, err)
	}
	size, longKey := weigh(p.Headers)
	if longKey {
		return invalid("message %q: a header's name is longer than %d bytes", p.MessageId, maxName)
	}
	if size > maxHeaders {
		return &broker.Refusal{Reason: broker.TooLarge, Err: fmt.Errorf("message %q: headers of about %d bytes, at most %d fit", p.MessageId, size, maxHeaders)}
	}
	if len(p.Body) > maxBody {
		return &broker.Refusal{Reason: broker.TooLarge, Err: fmt.Errorf("message %q: a body of %d bytes, at most %d are taken", p.MessageId, len(p.Body), maxBody)}
	}
	return nil
}

func invalid(format string, args ...any) error {
	return &broker.Refusal{Reason: broker.Invalid, Err: fmt.Errorf(format, args...)}
}

// table turns nested maps into the library's own type.
func table(m map[string]any) amqp.Table {
	t := make(amqp.Table, len(m))
	for k, v := range m {
		t[k] = field(v)
	}
	return t
}

func field(v any) any {
	switch v := v.(type) {
	case map[string]any:
		return table(v)
	case []any:
		list := make([]any, len(v))
		for i, e := range v {
			list[i] = field(e)
		}
		return list
	}
	return v
}

// weigh estimates the size of a table on the wire, from above, and tells
// whether a key is too long for it.
func weigh(v any) (size int, longKey bool) {
	switch v := v.(type) {
	case amqp.Table:
		size = 5
		for k, e := range v {
			n, long := weigh(e)
			size += 1 + len(k) + n
			longKey = longKey || long || len(k) > maxName
		}
		return size, longKey
	case []any:
		size = 5
		for _, e := range v {
			n, long := weigh(e)
			size += n
			longKey = longKey || long
		}
		return size, longKey
	case string:
		return 5 + len(v), false
	case []byte:
		return 5 + len(v), false
	}
	return 10, false
}

// decode reads what the server delivered from the queue. The message is never
// nil and never without an id: one that carries none is named after its body.
func decode(raw *amqp.Delivery, queue string) (*task.Message, error) {
	m, err := task.Decode(task.Wire{
		MessageID: raw.MessageId, Headers: raw.Headers,
		ContentType: raw.ContentType, ContentEncoding: raw.ContentEncoding,
		CorrelationID: raw.CorrelationId, ReplyTo: raw.ReplyTo,
		Priority: raw.Priority, DeliveryMode: raw.DeliveryMode, Body: raw.Body,
	})
	m.Queue = queue
	forgetHop(m.Extra, queue)
	for _, own := range []string{reasonHeader, queueHeader, historyHeader} {
		delete(m.Extra, own) // about where it was parked, not about the task
	}
	if len(m.Extra) == 0 {
		m.Extra = nil
	}
	if m.ID == "" {
		sum := sha256.Sum256(raw.Body)
		m.ID = "unnamed-" + hex.EncodeToString(sum[:8])
	}
	return m, err
}

// deliveryCount reads x-delivery-count, which quorum queues set to the number
// of earlier deliveries.
func deliveryCount(raw *amqp.Delivery) (earlier int, ok bool) {
	switch n := raw.Headers["x-delivery-count"].(type) {
	case int64:
		return int(n), true
	case int32:
		return int(n), true
	}
	return 0, false
}

// forgetHop takes from the headers what RabbitMQ has written into them on the
// way through a delay queue of ours. What other queues of other people have
// written stays.
func forgetHop(headers map[string]any, queue string) {
	first, _ := headers["x-first-death-queue"].(string)
	deaths, _ := headers["x-death"].([]any)
	if len(deaths) != 1 || !isDelayQueue(first, queue) {
		return
	}
	for _, h := range []string{"x-death", "x-first-death-exchange", "x-first-death-queue", "x-first-death-reason"} {
		delete(headers, h)
	}
}
