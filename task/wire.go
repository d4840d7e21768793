package task

import (
	"bytes"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strconv"
)

// Persistent is AMQP's delivery mode of messages that survive a restart.
const Persistent = 2

// MaxSize is the largest message in bytes that is read: RabbitMQ's own limit
// before version 4, and far above anything that belongs in a queue.
const MaxSize = 128 << 20

// ErrMalformed is wrapped by every error of Decode and UnmarshalEnvelope: the
// message cannot be run, now or later. The error names one reason.
var ErrMalformed = errors.New("malformed message")

// Wire is a message as AMQP carries it (Celery's message protocol 2): a table
// of headers, properties, and a JSON body [args, kwargs, embed]. The routing
// key is not in it: it is Message.Queue, and who decodes sets that.
type Wire struct {
	MessageID string
	// Headers as Encode makes them hold nil, bool, string, int32, int64,
	// float64, []any and map[string]any: legal in an AMQP table and in JSON.
	Headers                      map[string]any
	ContentType, ContentEncoding string
	CorrelationID, ReplyTo       string
	Priority                     uint8
	DeliveryMode                 uint8 // Persistent when made by Encode
	Body                         []byte
}

// Encode writes m for AMQP. It fails on what Validate finds, but needs no
// queue and does not mind a message that expires before its ETA: a message
// that was read can be written again.
func (m *Message) Encode() (Wire, error) {
	if err := m.check(); err != nil {
		return Wire{}, err
	}
	headers, err := m.headers()
	if err != nil {
		return Wire{}, m.notEncoded(err)
	}
	return Wire{
		MessageID: m.ID, Headers: headers,
		ContentType: contentType, ContentEncoding: contentEncoding,
		CorrelationID: m.TaskID, ReplyTo: m.ReplyTo,
		Priority: uint8(m.Priority), DeliveryMode: Persistent,
		Body: m.appendBody(nil),
	}, nil
}

// check finds what cannot be written, the extra headers left out.
func (m *Message) check() error {
	err := m.checkOptions()
	if err == nil {
		err = m.checkBody()
	}
	if err != nil {
		return m.notEncoded(err)
	}
	return nil
}

func (m *Message) notEncoded(err error) error {
	return fmt.Errorf("encode message %q of task %q: %w", m.ID, m.Name, err)
}

// Decode reads a message from AMQP. Every error wraps ErrMalformed. The
// message is never nil and holds what could be read, so that a dead letter
// can be named. Queue is left empty.
//
// Without a message id (Celery sends none) it gets "<task id>:<retries>", so
// that each delivery of it has the same. A priority above 9 becomes 9, as in
// kombu (kombu/transport/virtual/base.py, _get_message_priority).
func Decode(w Wire) (*Message, error) { return decodeWire(w, MaxSize) }

func decodeWire(w Wire, limit int) (*Message, error) {
	d := decodeHeaders(w, maps.Keys(w.Headers))
	if d.err != nil { // again, in order: the same message is refused for the same reason
		d = decodeHeaders(w, slices.Values(sortedKeys(w.Headers)))
	}
	if len(w.Body) > limit {
		d.fail("the body is %d bytes long, at most %d are read", len(w.Body), limit)
		return d.finish()
	}
	if d.checkContent(w.ContentType, w.ContentEncoding); d.err == nil {
		d.body(bytes.Clone(w.Body))
	}
	return d.finish()
}

// decodeHeaders begins a message with all but its body.
func decodeHeaders(w Wire, keys iter.Seq[string]) *decoder {
	d := &decoder{m: &Message{ID: w.MessageID}}
	d.m.ReplyTo = w.ReplyTo
	d.m.Priority = min(int(w.Priority), MaxPriority)
	for key := range keys {
		value, ok := canonical(w.Headers[key])
		if !ok && headerKind(key) != transport {
			d.fail("header %q: a %T cannot be read", key, w.Headers[key])
			continue
		}
		d.header(key, value)
	}
	return d
}

// decoder fills a message and remembers the first reason why it is malformed.
type decoder struct {
	m                    *Message
	err                  error
	compression          string
	redelivered          bool
	argsrepr, kwargsrepr any
}

func (d *decoder) fail(format string, args ...any) {
	if d.err == nil {
		d.err = fmt.Errorf("%w: "+format, append([]any{ErrMalformed}, args...)...)
	}
}

// finish gives the message and the reason why it is malformed, if any.
func (d *decoder) finish() (*Message, error) {
	m := d.m
	if m.RootID == m.TaskID {
		m.RootID = ""
	}
	if m.ID == "" && m.TaskID != "" {
		m.ID = m.TaskID + ":" + strconv.Itoa(m.Retries)
	}
	if d.err == nil {
		d.keepRepr()
		if err := m.checkOptions(); err != nil {
			d.fail("%w", err)
		}
	}
	return m, d.err
}

// keepRepr keeps argsrepr and kwargsrepr where the sender chose them (Celery
// lets one hide a secret argument so): a retry must show no more.
func (d *decoder) keepRepr() {
	var buf [256]byte
	if s, ok := d.argsrepr.(string); ok && string(appendArgsRepr(buf[:0], d.m.Args)) != s {
		d.extra("argsrepr", s)
	}
	if s, ok := d.kwargsrepr.(string); ok && string(appendKwargsRepr(buf[:0], d.m.Kwargs)) != s {
		d.extra("kwargsrepr", s)
	}
}
