package redisbroker

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"acklab/broker"
)

// settlement is what becomes of a held message.
type settlement int

const (
	unsettled settlement = iota
	acked
	requeued
	rejected
)

// hold is one claim: a delivery in the hands of the consumer. It is the
// delivery's Settler.
type hold struct {
	c        *Consumer
	source   *source
	tag      string
	raw      string // the message as it was taken
	delivery *broker.Delivery
	lease    atomic.Int64 // when it ends, by the clock here, in ns since 1970

	// When the claim was made, and what it may have been renewed to where the
	// reply was lost. Only the exchange touches them.
	score, other string

	// The consumer's lock guards what follows.
	prev, next *hold       // among the unsettled
	counted    bool        // it counts towards the prefetch
	alarm      *time.Timer // counts it when its ETA comes

	want    settlement
	seq     uint64 // of its settlement
	list    string // where the message goes
	payload []byte // the message as it goes there
	tried   bool   // it was sent once without an answer
	awaited bool   // who handed it over waits for its fate
	own     bool   // the consumer itself gives it back
	known   bool   // whether err is
	err     error  // nil: Redis has processed the settlement
}

// Ack has Redis forget the message.
func (h *hold) Ack(ctx context.Context, _ *broker.Delivery) error {
	return h.settle(ctx, acked)
}

// Requeue puts the message back, marked, where it is taken next.
func (h *hold) Requeue(ctx context.Context, _ *broker.Delivery) error {
	h.back()
	return h.settle(ctx, requeued)
}

// Reject puts the message on the list of dead letters, with the reason, in the
// same step that ends the claim.
func (h *hold) Reject(ctx context.Context, d *broker.Delivery, reason string) error {
	h.list = deadKey(d.Queue)
	h.payload = deadLetter([]byte(h.raw), h.tag, d.Queue, reason, time.Now())
	return h.settle(ctx, rejected)
}

// back prepares to give the message back.
func (h *hold) back() {
	d := h.delivery
	h.list = listKey(d.Queue, h.c.broker.address.onWire(d.Message.Priority))
	h.payload = []byte(h.raw)
	if d.Malformed == nil {
		h.payload = marked(h.payload)
	}
}

// settle hands the settlement over. As long as the lease is certainly not over
// by the clock here that is all: Flush tells the rest. Later it waits for what
// Redis says of the claim, which may still stand.
func (h *hold) settle(ctx context.Context, want settlement) error {
	late := time.Now().UnixNano() >= h.lease.Load()
	if !h.c.hand(h, want, late) {
		h.c.tellStale(h)
		return fmt.Errorf("message %s: the consumer is closed: %w", h.tag, broker.ErrStale)
	}
	if !late {
		return nil
	}
	return h.c.fate(ctx, h)
}

func (c *Consumer) tellStale(h *hold) { c.tell(broker.Stale, h) }

func (c *Consumer) tell(kind broker.EventKind, h *hold) {
	d := h.delivery
	c.broker.opts.Tell(broker.Event{Kind: kind, Session: d.Session, Queue: d.Queue, MessageID: h.tag, Delivery: d})
}

// holds are the unsettled holds in the order in which they were claimed: a ring
// through a hold that is none.
type holds struct{ ends hold }

func (l *holds) init() { l.ends.prev, l.ends.next = &l.ends, &l.ends }

func (l *holds) add(h *hold) {
	h.prev, h.next = l.ends.prev, &l.ends
	h.prev.next, h.next.prev = h, h
}

func (l *holds) remove(h *hold) {
	if h.next == nil {
		return
	}
	h.prev.next, h.next.prev = h.next, h.prev
	h.prev, h.next = nil, nil
}

// all are the holds, the last one first.
func (l *holds) all() []*hold {
	var all []*hold
	for h := l.ends.prev; h != &l.ends; h = h.prev {
		all = append(all, h)
	}
	return all
}
