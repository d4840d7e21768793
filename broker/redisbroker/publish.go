package redisbroker

import (
	"context"
	"fmt"
	"time"

	"acklab/broker"
	"acklab/broker/redisclient"
	"acklab/task"
)

// publishGrace is how long Publish waits, after ctx has ended or the broker
// was closed, for what has already been sent.
const publishGrace = 100 * time.Millisecond

// Publish pushes each message on the list of its queue and priority, in the
// order given. What several callers publish at the same time goes out together;
// a slow or broken connection of one does not hold up the others for longer
// than their contexts allow. With delay=broker a message whose ETA is ahead
// waits in a set of its own. Safe for concurrent use.
//
// Beside the errors of the contract: Invalid when the envelope or the layout
// cannot express the message or its ETA is further away than task.MaxDelay,
// TooLarge above task.MaxSize bytes of envelope, Full and ReadOnly as Redis
// says, Cancelled when ctx ended before the message was sent. A message whose
// id is already held is stored again: this layout does not look.
func (b *Broker) Publish(ctx context.Context, msgs ...*task.Message) []error {
	if len(msgs) == 0 {
		return nil
	}
	p := b.newBatch(ctx, msgs)
	if p.Open() && b.post(p) {
		select {
		case <-p.Done():
			return p.Errors(nil)
		case <-ctx.Done():
		case <-b.closed:
		}
		// What is on its way ends by itself now; its own word on that is
		// better than a guess.
		p.Abandon()
		grace := time.NewTimer(publishGrace)
		defer grace.Stop()
		select {
		case <-p.Done():
		case <-grace.C:
			b.leave(p)
		}
	}
	return p.Errors(b.why(ctx))
}

// why is what ended a Publish early.
func (b *Broker) why(ctx context.Context) error {
	select {
	case <-b.closed:
		return broker.ErrClosed
	default:
		return context.Cause(ctx)
	}
}

// letter is one message as it goes to Redis.
type letter struct {
	key     string // of a list, or of a set when due is not zero
	due     int64  // in ms since 1970
	payload []byte
}

// letterOf writes a message down, or says why it cannot be.
func (b *Broker) letterOf(m *task.Message, now time.Time) (letter, error) {
	if m != nil {
		m = b.address.forWire(m)
	}
	payload, err := redisclient.Payload(paper.take(), m, now, checkName)
	if err != nil {
		return letter{}, err
	}
	// An ETA that has passed is not rounded: that could put it ahead again.
	if b.address.delay && m.ETA.After(now) {
		due := m.ETA.Add(time.Millisecond - time.Nanosecond).UnixMilli()
		return letter{delayedKey(m.Queue, m.Priority), due, payload}, nil
	}
	return letter{listKey(m.Queue, m.Priority), 0, payload}, nil
}

// fateOf is the error of one message that was sent.
func (b *Broker) fateOf(m *task.Message, err error) error {
	if err != nil {
		err = fmt.Errorf("publish message %s to queue %q on %s: %w", m.ID, m.Queue, b.address, redisclient.Fate(err))
	}
	b.blocked.Heed(b.opts, m.Queue, err)
	return err
}
