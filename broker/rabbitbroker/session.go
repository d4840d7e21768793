package rabbitbroker

import (
	"context"
	"errors"
	"fmt"
	"sync"

	amqp "github.com/rabbitmq/amqp091-go"

	"acklab/broker"
)

// session is one connection of a consumer, with the one channel that its
// deliveries come on. Delivery tags belong to that channel: a delivery keeps
// its session, and a settlement goes to no other.
type session struct {
	c      *consumer
	number int
	link   *link
	ch     *amqp.Channel
	calls  rpc           // synchronous calls on ch
	gone   chan struct{} // closed when channel or connection has ended
	cause  error         // why, valid after gone

	subscribing context.Context // ends when no queue shall be subscribed to again
	unsubscribe context.CancelFunc
	pumps       sync.WaitGroup // of deliveries
	keepers     sync.WaitGroup // of subscriptions

	mu        sync.Mutex
	ended     bool // its deliveries are stale
	cancelled bool // no subscription is made any more
	begun     bool
	streams   []stream       // subscribed before begin
	tags      map[string]int // consumer tag to index of the source
	tagged    int            // consumer tags made so far
	unsettled map[uint64]*broker.Delivery
	ledger    settlements
	round     *round // the flush that has not begun
	flushing  bool
}

// stream is what one AMQP consumer delivers.
type stream struct {
	source     int
	deliveries <-chan amqp.Delivery
}

func newSession(c *consumer, number int, l *link) *session {
	s := &session{
		c: c, number: number, link: l, calls: newRPC(), gone: make(chan struct{}),
		tags: map[string]int{}, unsettled: map[uint64]*broker.Delivery{},
		ledger: newSettlements(len(c.sub.Sources), c.b.addr.quorum),
	}
	s.subscribing, s.unsubscribe = context.WithCancel(c.life)
	return s
}

// open makes the channel. It is called once, before anything else.
func (s *session) open() error {
	ch, err := s.link.conn.Channel()
	if err != nil {
		return fmt.Errorf("open a channel: %w", err)
	}
	s.ch = ch
	closes := ch.NotifyClose(make(chan *amqp.Error, 1))
	cancels := ch.NotifyCancel(make(chan string, 16))
	s.keepers.Go(func() { s.watch(closes, cancels) })
	return nil
}

// watch follows the channel to its end and drains what the library tells.
func (s *session) watch(closes chan *amqp.Error, cancels chan string) {
	told := cancels
	for {
		select {
		case e := <-closes:
			s.cause = errHungUp
			if e != nil {
				s.cause = e
			}
			close(s.gone)
			for range cancels { // the library closes it
			}
			return
		case tag, ok := <-told:
			if !ok {
				told = nil
				continue
			}
			s.unsubscribed(tag)
		}
	}
}

// subscribe starts an AMQP consumer on source i, or wraps
// broker.ErrUnknownQueue. The question whether the queue exists goes on a
// channel of its own, because a 404 ends the channel it is asked on.
func (s *session) subscribe(ctx context.Context, i int) error {
	queue := s.c.sub.Sources[i].Queue
	err := s.link.ask(ctx, func(ch *amqp.Channel) error {
		_, err := ch.QueueDeclarePassive(queue, true, false, false, false, nil)
		return err
	})
	if err == nil {
		err = s.calls.do(ctx, func() error { return s.consume(i) })
	}
	if err != nil {
		return fmt.Errorf("queue %q: %w", queue, unknownQueue(err))
	}
	return nil
}

// consume sets the prefetch, which holds for the AMQP consumers made after
// it (basic.qos with global=false), and makes one.
func (s *session) consume(i int) error {
	s.mu.Lock()
	s.tagged++
	tag := fmt.Sprintf("acklab-%d", s.tagged)
	over := s.cancelled
	s.mu.Unlock()
	if over {
		return broker.ErrClosed
	}
	if err := s.ch.Qos(s.c.prefetch(i), 0, false); err != nil {
		return err
	}
	deliveries, err := s.ch.Consume(s.c.sub.Sources[i].Queue, tag, false, false, false, false, nil)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tags[tag] = i
	st := stream{i, deliveries}
	if s.begun {
		s.pumps.Go(func() { s.pump(st) })
	} else {
		s.streams = append(s.streams, st)
	}
	return nil
}

// prefetch is what basic.qos says for source i; 0 there is no bound.
func (c *consumer) prefetch(i int) int {
	p := c.sub.PrefetchOf(i)
	switch {
	case p == broker.Unlimited:
		return 0
	case c.b.addr.quorum:
		return min(p, quorumUnlimited)
	}
	return p
}

// begin lets deliveries in, and keeps asking for the queues that do not exist.
func (s *session) begin(missing []int) {
	s.mu.Lock()
	s.begun = true
	for _, st := range s.streams {
		s.pumps.Go(func() { s.pump(st) })
	}
	s.streams = nil
	s.mu.Unlock()
	for _, i := range missing {
		s.resubscribe(i, broker.ErrUnknownQueue)
	}
}

// unsubscribed handles a cancel by the server: the queue was deleted, or its
// node has gone.
func (s *session) unsubscribed(tag string) {
	s.mu.Lock()
	i, ok := s.tags[tag]
	delete(s.tags, tag)
	s.mu.Unlock()
	if ok {
		s.resubscribe(i, errors.New("the server cancelled the subscription: the queue was deleted or is not available"))
	}
}

// resubscribe tries again, with growing pauses, until the source is
// subscribed or the session ends.
func (s *session) resubscribe(i int, why error) {
	queue := s.c.sub.Sources[i].Queue
	s.c.b.log.Warn("subscription ended", "broker", s.c.b.addr.shown, "queue", queue, "session", s.number, "error", why)
	s.c.b.options.Tell(broker.Event{Kind: broker.Unconsumed, Session: s.number, Queue: queue, Err: why})
	s.keepers.Go(func() {
		for pause := (backoff{}); pause.wait(s.subscribing); {
			err := s.subscribe(s.subscribing, i)
			if err == nil {
				return
			}
			s.c.b.log.Debug("cannot subscribe again", "broker", s.c.b.addr.shown, "error", err)
		}
	})
}

// pump brings the deliveries of one AMQP consumer into the inbox.
func (s *session) pump(st stream) {
	queue := s.c.sub.Sources[st.source].Queue
	var raw amqp.Delivery // one for all: a delivery in hand keeps only parts of it
	for raw = range st.deliveries {
		d := s.delivery(&raw, st.source, queue)
		s.mu.Lock()
		ended := s.ended
		if !ended {
			s.unsettled[raw.DeliveryTag] = d
		}
		s.mu.Unlock()
		if ended {
			continue
		}
		s.c.b.options.Tell(broker.Event{Kind: broker.Arrived, Session: s.number, Queue: queue, MessageID: d.Message.ID, Delivery: d})
		s.c.put(d)
	}
}

func (s *session) delivery(raw *amqp.Delivery, source int, queue string) *broker.Delivery {
	d := &broker.Delivery{Queue: queue, Session: s.number, Seen: broker.SeenFirst}
	d.Message, d.Malformed = decode(raw, queue)
	d.Settler = &hold{s: s, tag: raw.DeliveryTag, source: source, kept: keep(raw, d.Malformed)}
	if raw.Redelivered {
		d.Seen = broker.SeenAgain
	}
	earlier, counted := deliveryCount(raw)
	if s.c.b.addr.quorum {
		d.Count = earlier + 1
	} else if counted {
		s.fenceFrom(source)
	}
	return d
}

// cancel ends all subscriptions and waits until everything that the server
// had sent before is in the consumer's hands.
func (s *session) cancel(ctx context.Context) error {
	s.unsubscribe()
	s.mu.Lock()
	s.cancelled = true
	s.mu.Unlock()
	err := s.calls.do(ctx, func() error {
		s.mu.Lock()
		tags := s.tags
		s.tags = map[string]int{}
		s.mu.Unlock()
		for tag := range tags {
			if err := s.ch.Cancel(tag, false); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		s.pumps.Wait()
	}
	return err
}

// finish makes the session's deliveries stale and reports whether it leaves
// settlements of which nobody knows whether they were processed.
func (s *session) finish() (dubious bool) {
	s.unsubscribe()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended, s.unsettled = true, nil
	return s.ledger.open()
}

// err tells why the session ended; valid after gone.
func (s *session) err() error {
	if s.cause == errHungUp {
		if cause := s.link.err(); cause != nil {
			return cause
		}
	}
	return s.cause
}
