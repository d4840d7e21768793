package asynqbroker

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/hibiken/asynq"

	"acklab/broker"
	"acklab/broker/redisclient"
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
		case <-p.Done():
			return p.Errors(nil)
		case <-ctx.Done():
		case <-b.closed:
		}
		// What a worker has in its hands ends by itself now; its own word
		// on that is better than a guess.
		p.Abandon()
		grace := time.NewTimer(publishGrace)
		defer grace.Stop()
		select {
		case <-p.Done():
		case <-grace.C:
		}
	}
	return p.Errors(b.why(ctx))
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
	payload, err := redisclient.Payload(nil, m, time.Now(), checkName)
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
	b.blocked.Heed(b.opts, m.Queue, err)
	return err
}

// wholeSecond is the first whole second that is not before t. asynq cuts the
// rest off, which would be early.
func wholeSecond(t time.Time) time.Time {
	return t.Add(time.Second - time.Nanosecond).Truncate(time.Second)
}
