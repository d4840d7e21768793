package rabbitbroker

import (
	"fmt"

	amqp "github.com/rabbitmq/amqp091-go"
)

// barrier makes synchronous calls on the session's channel after which every
// settlement written before is processed, or will be whatever happens to this
// client. It has the turn on the channel.
//
// Classic queues: the server's channel process handles the methods of one
// channel in order, and it hands a settlement to the queue process before it
// looks at the next method. So when it has answered any later call, here
// basic.qos, all settlements are in the queue's mailbox, ahead of the news
// that this client has died. Without the call up to 28 % of the
// acknowledgements of a killed client had no effect (measured).
//
// Quorum queues: that is not enough. The channel process keeps settlements
// back, in its own memory, once more than 32 commands to the queue are not
// yet applied (rabbit_fifo_client, soft_limit and unsent_commands), and they
// die with the client: of 1000 acknowledgements followed by basic.qos, 967
// came back (measured, 3.10.8). So there the barrier is a consumer that asks
// for no message (x-credit 0) and is cancelled again. Starting it is a command
// in the queue's log, behind all that was sent; when it is answered the
// channel has been told what was applied, and sends what it had kept back
// before it looks at the next method. Cancelling is a second command, behind
// that. Exact as long as the queue's leader stays the same in between.
func (s *session) barrier(handed []uint64) error {
	fenced, plain := s.toFlush(handed)
	for _, i := range fenced {
		if err := s.fence(s.c.sub.Sources[i].Queue); err != nil {
			return err
		}
	}
	if plain {
		return s.ch.Qos(1, 0, false) // each subscription sets its own
	}
	return nil
}

// toFlush lists the quorum queues with settlements that are not covered, and
// tells whether a classic queue has any.
func (s *session) toFlush(handed []uint64) (fenced []int, plain bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, n := range handed {
		switch {
		case n == s.ledger.flushed[i]:
		case s.ledger.fence[i]:
			fenced = append(fenced, i)
		default:
			plain = true
		}
	}
	return fenced, plain
}

// fence is fenceOn for the session's channel.
func (s *session) fence(queue string) error {
	s.mu.Lock()
	s.tagged++
	tag := fmt.Sprintf("acklab-fence-%d", s.tagged)
	s.mu.Unlock()
	return fenceOn(s.ch, queue, tag)
}

// fenceOn starts and cancels a consumer without credit: two commands of a
// quorum queue's log, so it fails or hangs when the queue has no leader.
// Should a server that does not know x-credit send it something, that goes
// back.
func fenceOn(ch *amqp.Channel, queue, tag string) error {
	if err := ch.Qos(1, 0, false); err != nil {
		return err
	}
	none := amqp.Table{"credit": int64(0), "drain": false}
	deliveries, err := ch.Consume(queue, tag, false, false, false, false, amqp.Table{"x-credit": none})
	if err != nil {
		return err
	}
	if err := ch.Cancel(tag, false); err != nil {
		return err
	}
	for d := range deliveries {
		if err := d.Nack(false, true); err != nil {
			return err
		}
	}
	return nil
}

// fenceFrom notes that a source is a quorum queue although the URL says
// classic: it counts deliveries.
func (s *session) fenceFrom(source int) {
	s.mu.Lock()
	known := s.ledger.fence[source]
	s.ledger.fence[source] = true
	s.mu.Unlock()
	if !known {
		s.c.b.log.Warn("a quorum queue, but the URL does not say queue_type=quorum", "broker", s.c.b.addr.shown, "queue", s.c.sub.Sources[source].Queue)
	}
}
