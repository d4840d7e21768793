package rabbitbroker

import (
	"context"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// handover is how long a delivery that the client library has read may take to
// the inbox: two goroutines away.
const handover = 2 * time.Millisecond

// askForRefill finds out that the queue has nothing more for this consumer:
// AMQP never says so. It calls nothing when what the server had sent for all
// settlements so far is here; not at all when the session ends first.
//
//  1. An answer on the consumer's channel: its process has handed the
//     settlements to the queue.
//  2. An answer of the queue, on another channel because a queue that is gone
//     would end ours: it has processed them, and sent what there is.
//  3. An answer on the consumer's channel: that has been passed on to us.
//
// For quorum queues the second is a command in the queue's log, behind the
// settlements (see barrier; those that the channel keeps back beyond 32 are
// missed, so an order may be wrong by one refill then).
func (c *consumer) askForRefill(queue string, nothing func()) {
	s := c.standing()
	if s == nil {
		return
	}
	s.keepers.Go(func() {
		ctx, cancel := context.WithTimeout(s.subscribing, politeLimit)
		defer cancel()
		if s.probe(ctx, queue) == nil && rest(ctx, handover) {
			nothing()
		}
	})
}

func (s *session) probe(ctx context.Context, queue string) error {
	passed := func() error { return s.ch.Qos(1, 0, false) } // each subscription sets its own
	if err := s.calls.do(ctx, passed); err != nil {
		return err
	}
	// An error, that of a queue which is gone too, is no news of a refill.
	_ = s.link.ask(ctx, func(ch *amqp.Channel) error {
		if s.c.b.addr.quorum {
			return fenceOn(ch, queue, "acklab-refill")
		}
		_, err := ch.QueueDeclarePassive(queue, true, false, false, false, nil)
		return err
	})
	return s.calls.do(ctx, passed)
}

// rest waits for d, or for less and false when ctx ends.
func rest(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
