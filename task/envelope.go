package task

import (
	"bytes"
	"encoding/base64"
	"errors"
	"slices"
	"unicode/utf8"
)

// MarshalEnvelope writes m as one JSON object, as kombu's virtual transports
// do (kombu/transport/virtual/base.py): body in base64, headers, properties.
// It is what lies in a Redis list and what an asynq task carries. Errors are
// those of Encode.
func (m *Message) MarshalEnvelope() ([]byte, error) { return m.AppendEnvelope(nil) }

// AppendEnvelope is MarshalEnvelope behind what dst holds. It returns nil with an error.
func (m *Message) AppendEnvelope(dst []byte) ([]byte, error) {
	if err := m.check(); err != nil {
		return nil, err
	}
	var buf [512]byte
	body := m.appendBody(buf[:0])
	dst = slices.Grow(dst, m.envelopeSize(len(body)))
	dst = append(dst, `{"body":"`...)
	dst = base64.StdEncoding.AppendEncode(dst, body)
	dst = append(dst, `","content-encoding":"`+contentEncoding+`","content-type":"`+contentType+`","headers":{`...)
	dst, err := m.appendHeaders(dst)
	if err != nil {
		return nil, m.notEncoded(err)
	}
	dst = appendString(append(dst, `},"properties":{"correlation_id":`...), m.TaskID)
	dst = appendOrNull(append(dst, `,"reply_to":`...), m.ReplyTo)
	dst = append(dst, `,"delivery_mode":2,"priority":`...)
	dst = append(dst, byte('0'+m.Priority))
	dst = appendString(append(dst, `,"body_encoding":"base64","delivery_tag":`...), m.ID)
	dst = appendString(append(dst, `,"delivery_info":{"exchange":"","routing_key":`...), m.Queue)
	return append(dst, `}}}`...), nil
}

// envelopeSize is about how long the envelope will be, a little more for a task
// of its own without options; others may grow. The arguments are in it twice, as
// a body in base64 and as Python shows them.
func (m *Message) envelopeSize(body int) int {
	return 480 + base64.StdEncoding.EncodedLen(body) + min(body, 2*reprLimit) +
		len(m.Name) + 3*len(m.TaskID) + len(m.ID) + len(m.Queue) + len(m.Origin) + len(m.ReplyTo)
}

// UnmarshalEnvelope reads what MarshalEnvelope or kombu wrote. It is Decode
// for an envelope, and sets Queue from the routing key. It keeps no part of
// data.
func UnmarshalEnvelope(data []byte) (*Message, error) {
	m, _, err := UnmarshalDelivery(data)
	return m, err
}

// UnmarshalDelivery is UnmarshalEnvelope, and also tells whether the envelope
// bears kombu's mark of a redelivery (headers.redelivered or
// properties.delivery_info.redelivered).
func UnmarshalDelivery(data []byte) (m *Message, redelivered bool, err error) {
	return decodeEnvelope(data, MaxSize)
}

func decodeEnvelope(data []byte, limit int) (*Message, bool, error) {
	e := envelope{d: decoder{m: &Message{}}, s: scanner{data: data}}
	switch {
	case len(data) > limit:
		e.d.fail("the envelope is %d bytes long, at most %d are read", len(data), limit)
	case !utf8.Valid(data):
		e.d.fail("the envelope is not UTF-8")
	default:
		e.read()
	}
	m, err := e.d.finish()
	return m, e.d.redelivered, err
}

// envelope is a decoder on its way through the JSON text of one.
type envelope struct {
	d decoder
	s scanner

	bodyText                        []byte // between its quotes; nil: no body
	contentType, contentEncoding    string
	bodyEncoding                    string
	sawHeaders, sawProps, sawQueued bool
}

// read takes the whole envelope into the message.
func (e *envelope) read() {
	if e.s.peek() != '{' {
		err := e.s.skip()
		if err == nil {
			err = errors.New("not an object")
		}
		e.d.fail("the envelope is not a JSON object: %w", err)
		return
	}
	err := e.s.object(e.part)
	if err == nil {
		err = e.s.end()
	}
	if err != nil {
		e.d.fail("the envelope is not JSON: %w", err)
		return
	}
	if e.bodyText == nil {
		e.d.fail("the envelope has no body")
	}
	if e.d.checkContent(e.contentType, e.contentEncoding); e.d.err != nil {
		return
	}
	if body, ok := e.body(); ok {
		e.d.body(body)
	}
}

// part takes one member of the envelope.
func (e *envelope) part(key []byte) error {
	switch string(key) {
	case "body":
		if e.s.peek() != '"' {
			e.d.fail("the envelope's body is not a string")
			return e.s.skip()
		}
		var err error
		e.bodyText, err = e.s.quoted()
		return err
	case "content-type":
		return e.word("content-type", &e.contentType)
	case "content-encoding":
		return e.word("content-encoding", &e.contentEncoding)
	case "headers":
		return e.once(&e.sawHeaders, "headers", e.header)
	case "properties":
		return e.once(&e.sawProps, "properties", e.property)
	}
	return e.s.skip()
}

// once passes an object that may come once, calling member for each member.
func (e *envelope) once(saw *bool, what string, member func([]byte) error) error {
	switch c := e.s.peek(); {
	case *saw:
		e.d.fail("the envelope has two %s", what)
		return e.s.skip()
	case c != '{':
		e.d.fail("the envelope's %s are not an object", what)
		return e.s.skip()
	}
	*saw = true
	return e.s.object(member)
}

func (e *envelope) header(key []byte) error {
	name := text(key)
	if into := e.d.named(name); into != nil {
		return e.word(name, into)
	}
	v, err := e.value(name)
	if err == nil {
		e.d.header(name, v)
	}
	return err
}

// value builds the value of a header or property.
func (e *envelope) value(name string) (any, error) {
	v, err := e.s.any()
	if e.s.huge {
		e.s.huge = false
		e.d.fail("%q: number out of range", name)
	}
	return v, err
}

func (e *envelope) property(key []byte) error {
	switch string(key) {
	case "delivery_tag":
		return e.word("delivery_tag", &e.d.m.ID)
	case "reply_to":
		return e.word("reply_to", &e.d.m.ReplyTo)
	case "body_encoding":
		return e.word("body_encoding", &e.bodyEncoding)
	case "priority":
		return e.priority()
	case "delivery_info":
		if e.s.peek() == 'n' {
			return e.s.skip()
		}
		return e.once(&e.sawQueued, "delivery_info", e.deliveryInfo)
	}
	return e.s.skip()
}

func (e *envelope) deliveryInfo(key []byte) error {
	switch string(key) {
	case "routing_key":
		return e.word("routing_key", &e.d.m.Queue)
	case "redelivered":
		v, err := e.value("redelivered")
		e.d.redelivered = e.d.redelivered || v == true
		return err
	}
	return e.s.skip()
}

// word takes a string; null is the empty one.
func (e *envelope) word(name string, into *string) error {
	if e.s.peek() == '"' {
		q, err := e.s.quoted()
		if err == nil {
			*into = text(q)
		}
		return err
	}
	v, err := e.value(name)
	if err == nil {
		e.d.word(name, v, into)
	}
	return err
}

// priority takes the priority and brings it to 0 to 9, as kombu does.
func (e *envelope) priority() error {
	v, err := e.value("priority")
	switch v := v.(type) {
	case int64:
		e.d.m.Priority = int(min(max(v, 0), MaxPriority))
	case nil:
		e.d.m.Priority = 0
	default:
		e.d.fail("property \"priority\": want a whole number, got %s", describe(v))
	}
	return err
}

// body decodes what stands between the quotes of the body.
func (e *envelope) body() ([]byte, bool) {
	switch e.bodyEncoding {
	case "":
		return []byte(text(e.bodyText)), true
	case "base64":
	default:
		e.d.fail("unknown body encoding %q, want \"base64\"", e.bodyEncoding)
		return nil, false
	}
	encoded := e.bodyText
	if bytes.IndexByte(encoded, '\\') >= 0 {
		encoded = []byte(text(encoded))
	}
	body, err := base64.StdEncoding.AppendDecode(nil, encoded)
	if err != nil {
		e.d.fail("the body is not base64: %w", err)
		return nil, false
	}
	return body, true
}
