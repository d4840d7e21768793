package redisbroker

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"acklab/task"
)

// The headers that a dead letter carries beside its own.
const (
	reasonHeader  = "x-acklab-reason"
	queueHeader   = "x-acklab-queue"
	historyHeader = "x-acklab-history" // a list of objects: time (RFC 3339), queue, reason
)

// decode reads a message as it lies in Redis. tag is the delivery tag by which
// it was claimed; empty: nobody has, and a message that has none gets
// substitute. The headers of a dead letter are no part of the message; reason
// is the one that counts.
func (b *Broker) decode(raw []byte, tag, queue, substitute string) (m *task.Message, redelivered bool, reason string, err error) {
	m, redelivered, err = task.UnmarshalDelivery(raw)
	switch {
	case tag != "":
		m.ID = tag
	case m.ID == "":
		m.ID = substitute
	}
	m.Queue, m.Priority = queue, b.address.onWire(m.Priority)
	if m.Extra != nil {
		reason, _ = m.Extra[reasonHeader].(string)
		for _, own := range []string{reasonHeader, queueHeader, historyHeader} {
			delete(m.Extra, own)
		}
	}
	return m, redelivered, reason, err
}

// object is a JSON object whose values are kept as they were written.
type object map[string]json.RawMessage

// append writes it, the keys in order.
func (o object) append(dst []byte) []byte {
	dst = append(dst, '{')
	for i, key := range slices.Sorted(maps.Keys(o)) {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(append(dst, jsonName(key)...), ':')
		dst = append(dst, o[key]...)
	}
	return append(dst, '}')
}

// part reads a member that is an object; one that is missing or null is empty.
func (o object) part(key string) (object, bool) {
	raw, ok := o[key]
	if !ok || string(raw) == "null" {
		return object{}, true
	}
	part := object{}
	return part, json.Unmarshal(raw, &part) == nil
}

// envelope is a message taken apart as far as it has to be changed.
type envelope struct{ top, headers, properties, info object }

// open takes a message apart. ok is false when it is no object, or a part of it
// is none where it should be.
func open(raw []byte) (e envelope, ok bool) {
	if json.Unmarshal(raw, &e.top) != nil || e.top == nil {
		return e, false
	}
	var headers, properties, info bool
	e.headers, headers = e.top.part("headers")
	e.properties, properties = e.top.part("properties")
	if !headers || !properties {
		return e, false
	}
	e.info, info = e.properties.part("delivery_info")
	return e, info
}

// write puts the message together again.
func (e envelope) write() []byte {
	e.properties["delivery_info"] = e.info.append(nil)
	e.top["headers"] = e.headers.append(nil)
	e.top["properties"] = e.properties.append(nil)
	return e.top.append(nil)
}

// marked is the message with kombu's marks of a redelivery. One that cannot be
// read stays as it is.
func marked(raw []byte) []byte {
	e, ok := open(raw)
	if !ok {
		return raw
	}
	e.headers["redelivered"] = json.RawMessage("true")
	e.info["redelivered"] = json.RawMessage("true")
	return e.write()
}

// deadLetter is the message with the reason why it is dead, and its history.
// Bytes that are no message become the body of one.
func deadLetter(raw []byte, tag, queue, reason string, now time.Time) []byte {
	e, ok := open(raw)
	if !ok {
		e = wrapped(raw, queue)
	}
	if id, ok := e.properties["delivery_tag"]; !ok || string(id) != jsonName(tag) {
		e.properties["delivery_tag"] = json.RawMessage(jsonName(tag))
	}
	at := json.RawMessage(jsonName(now.UTC().Format(time.RFC3339Nano)))
	latest := object{"time": at, "queue": json.RawMessage(jsonName(queue)), "reason": json.RawMessage(jsonName(reason))}
	var history []json.RawMessage
	_ = json.Unmarshal(e.headers[historyHeader], &history) // what is no list is replaced by one
	list := []byte{'['}
	for _, one := range append(history, latest.append(nil)) {
		if len(list) > 1 {
			list = append(list, ',')
		}
		list = append(list, one...)
	}
	e.headers[historyHeader] = append(list, ']')
	e.headers[reasonHeader] = latest["reason"]
	e.headers[queueHeader] = latest["queue"]
	return e.write()
}

// wrapped is an envelope around bytes that are none.
func wrapped(raw []byte, queue string) envelope {
	text := func(s string) json.RawMessage { return json.RawMessage(jsonName(s)) }
	return envelope{
		top: object{
			"body":             text(base64.StdEncoding.EncodeToString(raw)),
			"content-encoding": text("binary"),
			"content-type":     text("application/octet-stream"),
		},
		headers:    object{},
		properties: object{"body_encoding": text("base64")},
		info:       object{"exchange": text(""), "routing_key": text(queue)},
	}
}
