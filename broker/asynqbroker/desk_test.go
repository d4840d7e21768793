package asynqbroker

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"acklab/broker"
)

func newTestHold(c *Consumer, id string) *hold {
	h := &hold{c: c, id: id, key: taskKey("q", id), lease: time.Now().Add(leaseFor), outcome: make(chan error, 1), done: make(chan struct{})}
	h.delivery = &broker.Delivery{Queue: "q", Settler: h}
	c.desk.add(context.Background(), h)
	return h
}

func newTestConsumer(events *[]broker.Event) *Consumer {
	s := broker.Subscription{Sources: []broker.Source{{Queue: "q"}}, Prefetch: 1}
	return &Consumer{
		broker: &Broker{opts: broker.Options{Observe: func(e broker.Event) { *events = append(*events, e) }}},
		inbox:  broker.NewInbox(s),
		desk:   newDesk(),
	}
}

func keysOf(h *hold, n int) []any {
	keys := make([]any, n)
	for i := range keys {
		keys[i] = "other"
	}
	keys[n/2] = h.key
	return keys
}

func TestFlushKnowsOnlyWhatRedisHasAnswered(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		end  func(*Consumer, *hold)
		want string // in the error; empty: none
	}{
		"the script succeeded":         {func(c *Consumer, h *hold) { c.desk.processed(keysOf(h, 5), nil) }, ""},
		"it had a unique lock":         {func(c *Consumer, h *hold) { c.desk.processed(keysOf(h, 6), nil) }, ""},
		"the script failed":            {func(c *Consumer, h *hold) { c.desk.processed(keysOf(h, 5), errors.New("NOT FOUND")) }, "NOT FOUND"},
		"another script settled it":    {func(c *Consumer, h *hold) { c.desk.processed(keysOf(h, 8), nil) }, "another way"},
		"asynq let go without a word":  {func(c *Consumer, h *hold) { c.letGo(h) }, "without a word"},
		"nothing came before the time": {func(*Consumer, *hold) {}, "deadline"},
	} {
		var events []broker.Event
		consumer := newTestConsumer(&events)
		h := newTestHold(consumer, "a")
		if err := h.delivery.Ack(t.Context()); err != nil {
			t.Fatalf("%s: ack: %v", name, err)
		}
		c.end(consumer, h)
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		err := consumer.Flush(ctx)
		cancel()
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s: flush: %v", name, err)
		case c.want != "" && (!errors.Is(err, broker.ErrUnsure) || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: flush: %v; want unsure, because of %q", name, err, c.want)
		}
		if stale := len(events) == 1 && events[0].Kind == broker.Stale; stale != strings.Contains(name, "without a word") {
			t.Errorf("%s: events %v", name, events)
		}
	}
}

func TestAFailedSettlementMakesAlsoALaterFlushUnsure(t *testing.T) {
	t.Parallel()
	var events []broker.Event
	c := newTestConsumer(&events)
	failed, fine := newTestHold(c, "a"), newTestHold(c, "b")
	for _, h := range []*hold{failed, fine} {
		if err := h.delivery.Ack(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	c.desk.processed(keysOf(failed, 5), errors.New("EOF"))
	c.desk.processed(keysOf(fine, 5), nil)
	for range 2 { // two workers, each with its own settlement in mind
		if err := c.Flush(t.Context()); !errors.Is(err, broker.ErrUnsure) {
			t.Errorf("flush: %v; want unsure", err)
		}
	}
	c.desk.failed[0].at = time.Now().Add(-2 * failureStays)
	if err := c.Flush(t.Context()); err != nil {
		t.Errorf("flush long after the failure: %v", err)
	}
}

func TestASettlementAfterTheLeaseIsStale(t *testing.T) {
	t.Parallel()
	for name, expire := range map[string]func(*Consumer, *hold){
		"by the clock": func(_ *Consumer, h *hold) { h.lease = time.Now().Add(-2 * leaseSlack) },
		"by asynq":     func(c *Consumer, h *hold) { c.letGo(h) },
	} {
		var events []broker.Event
		c := newTestConsumer(&events)
		h := newTestHold(c, "a")
		expire(c, h)
		if err := h.delivery.Ack(t.Context()); !errors.Is(err, broker.ErrStale) {
			t.Errorf("%s: ack: %v; want stale", name, err)
		}
		if len(h.outcome) != 0 {
			t.Errorf("%s: a stale ack reached the handler", name)
		}
		if len(events) != 1 || events[0].Kind != broker.Stale || events[0].Delivery != h.delivery {
			t.Errorf("%s: events %v; want one of a stale settlement", name, events)
		}
		if err := c.Flush(t.Context()); err != nil {
			t.Errorf("%s: flush: %v; a stale settlement was not handed over", name, err)
		}
	}
}

func TestALeaseThatEndsInTheInboxDropsTheDelivery(t *testing.T) {
	t.Parallel()
	var events []broker.Event
	c := newTestConsumer(&events)
	h := newTestHold(c, "a")
	c.inbox.Put(h.delivery)
	c.letGo(h)
	if len(events) != 1 || events[0].Kind != broker.Dropped {
		t.Errorf("events %v; want one of a dropped delivery", events)
	}
	if !h.delivery.Settled() {
		t.Error("a dropped delivery can still be settled")
	}
	if held := c.inbox.Close(); len(held) != 0 {
		t.Errorf("%d deliveries are left in the inbox", len(held))
	}
}

func TestTheHookReadsRenewalsFromAsynqsCommand(t *testing.T) {
	t.Parallel()
	var events []broker.Event
	c := newTestConsumer(&events)
	one, two := newTestHold(c, "a"), newTestHold(c, "b")
	end := time.Now().Add(time.Hour).Truncate(time.Second)
	c.renewed([]any{"zadd", "asynq:{q}:lease", "xx", float64(end.Unix()), "a", float64(end.Unix()), "b"})
	if !one.lease.Equal(end) || !two.lease.Equal(end) {
		t.Errorf("leases end %v and %v; want %v", one.lease, two.lease, end)
	}
	before := one.lease
	c.renewed([]any{"zadd", "asynq:servers", float64(5), "a"})
	if one.lease != before {
		t.Error("another ZADD changed a lease")
	}
}
