package asynqbroker

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/hibiken/asynq"

	"acklab/broker"
	"acklab/task"
)

// never is the deadline of every task. Without one asynq would end the handler
// after 30 minutes and run the task again.
var never = asynq.Deadline(time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC))

// forever is the retry limit of every task: whether it runs again is decided
// above this package, and asynq archives what has reached its limit.
var forever = asynq.MaxRetry(math.MaxInt32)

// Publish enqueues each message as one asynq task, 32 at a time and in order: a
// queue holds the messages of one Publish as they were given. A message whose
// ETA is ahead goes to asynq's scheduled set, which counts in whole seconds: it
// is written down for the first one that is not before the ETA. The first
// message for a queue also lists the queue. Safe for concurrent use.
//
// Beside the errors of the contract: Duplicate when the queue already holds
// the message id, Invalid when asynq or the envelope cannot express the
// message or its ETA is further away than task.MaxDelay, TooLarge above task.MaxSize bytes of envelope, Cancelled when ctx
// ended before the message was sent.
func (b *Broker) Publish(ctx context.Context, msgs ...*task.Message) []error {
	if len(msgs) == 0 {
		return nil
	}
	p := newBatch(ctx, msgs)
	if b.hand(p) {
		select {
		case <-p.done:
			return p.errors(nil)
		case <-ctx.Done():
		case <-b.closed:
		}
		// What a worker has in its hands ends by itself now; its own word
		// on that is better than a guess.
		p.abandon()
		grace := time.NewTimer(publishGrace)
		defer grace.Stop()
		select {
		case <-p.done:
		case <-grace.C:
		}
	}
	return p.errors(b.why(ctx))
}

// publishGrace is how long Publish waits, after ctx has ended or the broker
// was closed, for what has already been sent.
const publishGrace = 100 * time.Millisecond

// why is what ended a Publish early.
func (b *Broker) why(ctx context.Context) error {
	select {
	case <-b.closed:
		return broker.ErrClosed
	default:
		return context.Cause(ctx)
	}
}

// enqueue publishes one message and waits for the answer.
func (b *Broker) enqueue(ctx context.Context, m *task.Message, s *seat) error {
	payload, err := payloadOf(m)
	if err != nil {
		return err
	}
	s.queue = b.address.laneOf(m.Queue, m.Priority)
	options := []asynq.Option{asynq.Queue(s.queue), asynq.TaskID(m.ID), forever, never}
	// An ETA that has passed is not rounded: that could put it ahead again.
	if m.ETA.After(time.Now()) {
		options = append(options, asynq.ProcessAt(wholeSecond(m.ETA)))
	}
	_, err = b.enqueuer.EnqueueContext(context.WithValue(ctx, seatKey{}, s), asynq.NewTask(m.Name, payload), options...)
	if err = classify(err, s.err); err != nil {
		err = fmt.Errorf("publish message %s to queue %q on %s: %w", m.ID, m.Queue, b.address, err)
	}
	b.heed(m.Queue, err)
	return err
}

// wholeSecond is the first whole second that is not before t. asynq cuts the
// rest off, which would be early.
func wholeSecond(t time.Time) time.Time {
	return t.Add(time.Second - time.Nanosecond).Truncate(time.Second)
}

func payloadOf(m *task.Message) ([]byte, error) {
	invalid := func(err error) error { return &broker.Refusal{Reason: broker.Invalid, Err: err} }
	switch {
	case m == nil:
		return nil, invalid(errors.New("no message"))
	case checkName(m.Queue) != nil:
		return nil, invalid(checkName(m.Queue))
	case strings.TrimSpace(m.ID) == "" || strings.TrimSpace(m.Name) == "":
		return nil, invalid(errors.New("asynq needs a message id and a task name"))
	}
	// The arguments alone may settle it; to encode them takes seconds.
	if n := base64.StdEncoding.EncodedLen(argumentSize(m)); n > task.MaxSize {
		return nil, tooLarge(n)
	}
	if err := task.CheckDelay(m, time.Now()); err != nil {
		return nil, invalid(err)
	}
	payload, err := m.MarshalEnvelope()
	if err != nil {
		return nil, invalid(err)
	}
	if len(payload) > task.MaxSize {
		return nil, tooLarge(len(payload))
	}
	return payload, nil
}

func tooLarge(size int) error {
	return &broker.Refusal{Reason: broker.TooLarge, Err: fmt.Errorf("an envelope of %d bytes or more, the limit is %d", size, task.MaxSize)}
}

func argumentSize(m *task.Message) (n int) {
	for _, a := range m.Args {
		n += len(a)
	}
	for name, a := range m.Kwargs {
		n += len(name) + len(a)
	}
	return n
}

// heed tells when Redis begins and ceases to refuse all publishes.
func (b *Broker) heed(queue string, err error) {
	if err == nil {
		if b.blocked.Load() && b.blocked.CompareAndSwap(true, false) {
			b.opts.Tell(broker.Event{Kind: broker.Unblocked, Queue: queue})
		}
		return
	}
	var r *broker.Refusal
	if errors.As(err, &r) && (r.Reason == broker.Full || r.Reason == broker.ReadOnly) && b.blocked.CompareAndSwap(false, true) {
		b.opts.Tell(broker.Event{Kind: broker.Blocked, Queue: queue, Err: err})
	}
}
