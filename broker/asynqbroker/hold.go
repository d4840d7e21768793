package asynqbroker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hibiken/asynq"

	"acklab/broker"
	"acklab/task"
)

// leaseFor is what asynq takes at the dequeue and at each renewal.
const leaseFor = 30 * time.Second

// settlement is what becomes of a held task.
type settlement int

const (
	unsettled settlement = iota
	acked
	requeued
	rejected
)

// by tells whether an asynq script with so many KEYS writes this settlement
// (internal/rdb of v0.26): Done has 5, or 6 for a task with a unique lock;
// MarkAsComplete, for a task with a retention, 6 or 7; Retry 8; Archive 9.
func (s settlement) by(keys int) bool {
	switch s {
	case acked:
		return keys >= 5 && keys <= 7
	case requeued:
		return keys == 8
	case rejected:
		return keys == 9
	}
	return false
}

// errRequeue is what a handler returns for a task that goes back.
var errRequeue = errors.New("requeued")

// hold is one delivery in the hands of a consumer: the asynq handler that
// blocks for it, and what is known of its settlement. It is the delivery's
// Settler. The desk's lock guards the fields below it.
type hold struct {
	c        *Consumer
	key      string // of the task in Redis
	id       string
	delivery *broker.Delivery
	outcome  chan error // to the handler; takes one without blocking

	unwatch func() bool   // forgets to call letGo; false: that is or was called
	lease   time.Time     // as asynq keeps it, in whole seconds
	over    bool          // asynq has let go of it
	want    settlement    // what was handed over
	known   bool          // whether err is
	done    chan struct{} // closed when it is
	err     error         // nil: Redis has processed the settlement
}

// arrival is a task whose asynq handler waits to learn what becomes of it.
type arrival struct {
	ctx     context.Context // asynq's, for the handler
	task    *asynq.Task
	outcome chan error // to the handler; takes one without blocking
}

// handle is the asynq handler: it waits until the delivery of its task is
// settled or asynq gives up on it. asynq runs it in a goroutine of its own;
// reading the message there would grow a small stack for every task, which
// costs as much as the reading, so that is done by admit.
func (c *Consumer) handle(ctx context.Context, t *asynq.Task) error {
	a := arrival{ctx, t, make(chan error, 1)}
	select {
	case c.arrivals <- a:
	case <-ctx.Done():
		c.feedOf(ctx).flow.came()
		return ctx.Err()
	case <-c.life.Done():
		return context.Cause(c.life)
	}
	select {
	case err := <-a.outcome:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// admit puts what arrives into the inbox, until the connections are cut.
func (c *Consumer) admit() {
	for {
		select {
		case a := <-c.arrivals:
			c.arrive(a)
		case <-c.life.Done():
			return
		}
	}
}

func (c *Consumer) arrive(a arrival) {
	h := c.newHold(a)
	c.desk.add(a.ctx, h)
	d := h.delivery
	c.broker.opts.Tell(broker.Event{Kind: broker.Arrived, Session: d.Session, Queue: d.Queue, MessageID: d.Message.ID, Delivery: d})
	if !c.inbox.Put(d) {
		c.giveBack(d)
	}
	c.feedOf(a.ctx).flow.came()
}

// feedOf is the feed that a handler's task came by.
func (c *Consumer) feedOf(ctx context.Context) *feed {
	lane, _ := asynq.GetQueueName(ctx)
	return c.lanes[lane]
}

func (c *Consumer) newHold(a arrival) *hold {
	id, _ := asynq.GetTaskID(a.ctx)
	lane, _ := asynq.GetQueueName(a.ctx)
	queue := c.lanes[lane].queue
	retried, _ := asynq.GetRetryCount(a.ctx)
	m, err := messageOf(a.task.Payload(), id, queue, a.task.Type())
	lease := time.Now().Add(leaseFor).Truncate(time.Second)
	h := &hold{c: c, key: taskKey(lane, id), id: id, lease: lease, outcome: a.outcome, done: make(chan struct{})}
	h.delivery = &broker.Delivery{
		Message:   m,
		Malformed: err,
		Queue:     queue,
		Session:   int(c.session.Load()),
		Seen:      broker.SeenUnknown,
		Count:     retried + 1,
		Lease:     lease,
		Settler:   h,
	}
	if retried > 0 {
		h.delivery.Seen = broker.SeenAgain
	}
	return h
}

// messageOf reads a payload. The message id is the task id of asynq, whatever
// the envelope says: settlements and the census go by that one.
func messageOf(payload []byte, id, queue, kind string) (*task.Message, error) {
	m, err := task.UnmarshalEnvelope(payload)
	if m == nil {
		m = &task.Message{}
	}
	m.ID, m.Queue = id, queue
	if m.Name == "" {
		m.Name = kind
	}
	return m, err
}

// Ack lets the handler return nil: asynq deletes the task.
func (h *hold) Ack(context.Context, *broker.Delivery) error { return h.settle(acked, nil) }

// Requeue lets the handler fail: asynq puts the task into its retry set, due
// at once.
func (h *hold) Requeue(context.Context, *broker.Delivery) error {
	return h.settle(requeued, errRequeue)
}

// Reject lets the handler fail without a retry: asynq archives the task with
// the reason.
func (h *hold) Reject(_ context.Context, _ *broker.Delivery, reason string) error {
	return h.settle(rejected, rejection(reason))
}

// rejection is an error that asynq archives at once, and whose text is the
// reason alone: it becomes the last error of the archived task.
type rejection string

func (r rejection) Error() string        { return string(r) }
func (r rejection) Is(target error) bool { return target == asynq.SkipRetry }

// settle hands the settlement to the handler, or says ErrStale when asynq has
// let go of the task or certainly will not write for it any more.
func (h *hold) settle(want settlement, outcome error) error {
	if !h.c.desk.settle(h, want) {
		h.c.tellStale(h)
		return fmt.Errorf("message %s: its lease has expired: %w", h.id, broker.ErrStale)
	}
	h.outcome <- outcome
	h.c.inbox.Settled(h.delivery.Queue)
	return nil
}

func (c *Consumer) tellStale(h *hold) {
	d := h.delivery
	c.broker.opts.Tell(broker.Event{Kind: broker.Stale, Session: d.Session, Queue: d.Queue, MessageID: h.id, Delivery: d})
}

// letGo is called when asynq has done all it will do for the task: it wrote
// the settlement, or its lease ran out, or somebody cancelled it.
func (c *Consumer) letGo(h *hold) {
	switch held, unwritten := c.desk.remove(h); {
	case unwritten:
		c.tellStale(h)
	case held && !c.inbox.Remove(h.delivery): // it was handed out
		c.inbox.Settled(h.delivery.Queue)
	case held && h.delivery.Abandon():
		d := h.delivery
		c.broker.opts.Tell(broker.Event{Kind: broker.Dropped, Session: d.Session, Queue: d.Queue, MessageID: h.id, Delivery: d})
	}
}
