package rabbitbroker

import (
	"context"
	"errors"
	"fmt"
	"iter"

	amqp "github.com/rabbitmq/amqp091-go"

	"acklab/broker"
)

// Census reads everything that the queue and its dead letters hold, each
// message once, by basic.get without acknowledgement on a channel of its own,
// and gives it all back by closing that channel. So it can be repeated, but
// it marks what it has read as redelivered, raises the counts of quorum
// queues, and shows messages as delivered that no consumer had: it comes last.
//
// It is complete or it yields an error: when a consumer is on the queue (it
// waits a moment for connections that are being torn down), when the number
// read differs from what the server says, or when a quorum queue has no
// leader. What a client without a subscription holds unacknowledged cannot be
// seen (Traits.SeesUnacked): make sure that all clients are gone. A queue that
// does not exist (any more) holds nothing and is no error; Depth tells.
func (b *Broker) Census(ctx context.Context, queue string) iter.Seq2[broker.Held, error] {
	return func(yield func(broker.Held, error) bool) {
		if err := checkQueue(queue); err != nil {
			yield(broker.Held{}, fmt.Errorf("census: %w", err))
			return
		}
		for _, state := range []broker.State{broker.Queued, broker.Dead} {
			more, err := b.count(ctx, queue, state, yield)
			if err != nil {
				yield(broker.Held{}, fmt.Errorf("census of queue %q (%s): %w", queue, state, err))
				return
			}
			if !more {
				return
			}
		}
	}
}

// count reads one queue. more is false when the caller wants no more.
func (b *Broker) count(ctx context.Context, queue string, state broker.State, yield func(broker.Held, error) bool) (more bool, err error) {
	name := queue
	if state == broker.Dead {
		name += deadSuffix
	}
	there, err := b.consumed(ctx, name, 0)
	if errors.Is(err, broker.ErrUnknownQueue) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	r, err := b.newReader(ctx, name)
	if err != nil {
		return false, err
	}
	defer r.close(ctx)
	read := 0
	for {
		raw, err := r.next(ctx)
		if err != nil {
			return false, err
		}
		if raw == nil {
			break
		}
		if read == 0 && b.addr.quorum {
			there = int(raw.MessageCount) + 1 // from the Raft log, better than a passive declare
		}
		if read++; !yield(b.held(raw, queue, state), nil) {
			return false, nil
		}
	}
	if read != there {
		return false, fmt.Errorf("%d messages were read, %d were there by the server's count", read, there)
	}
	return true, b.undisturbed(ctx, name, read)
}

// undisturbed asks, while everything that was there is in our hands, whether
// anybody else is on the queue. Quorum queues count each basic.get that is not
// settled as a consumer.
func (b *Broker) undisturbed(ctx context.Context, name string, read int) error {
	ours := 0
	if b.addr.quorum {
		ours = read
	}
	left, err := b.consumed(ctx, name, ours)
	if err != nil {
		return err
	}
	if left != 0 {
		return fmt.Errorf("%d messages came while %d were read", left, read)
	}
	return nil
}

// consumed waits a moment until the queue has just so many consumers, and
// returns its number of ready messages.
func (b *Broker) consumed(ctx context.Context, name string, want int) (ready int, err error) {
	moment, cancel := context.WithTimeout(ctx, backoffMax)
	defer cancel()
	for pause := (backoff{}); ; {
		ready, consumers, err := b.inspect(ctx, name)
		if err != nil || consumers == want {
			return ready, err
		}
		if !pause.wait(moment) {
			return 0, fmt.Errorf("it has %d consumers, %d of them ours: what others hold cannot be seen", consumers, want)
		}
	}
}

func (b *Broker) held(raw *amqp.Delivery, queue string, state broker.State) broker.Held {
	m, _ := decode(raw, queue) // malformed: what could be read
	h := broker.Held{Message: m, Queue: queue, State: state}
	if state == broker.Dead {
		h.Reason, _ = raw.Headers[reasonHeader].(string)
	}
	if earlier, ok := deliveryCount(raw); ok && b.addr.quorum {
		h.Count = earlier
	}
	return h
}

// reader takes messages from a queue without acknowledging them.
type reader struct {
	queue  string
	quorum bool
	link   *link
	ch     *amqp.Channel
	calls  rpc
}

func (b *Broker) newReader(ctx context.Context, queue string) (*reader, error) {
	l, err := b.connect(ctx, "census", nil)
	if err != nil {
		return nil, err
	}
	r := &reader{queue: queue, quorum: b.addr.quorum, link: l, calls: newRPC()}
	err = r.calls.do(ctx, func() (err error) {
		r.ch, err = l.conn.Channel()
		return err
	})
	if err != nil {
		l.abandon()
		return nil, err
	}
	return r, nil
}

// next returns nil when the queue is empty. On a quorum queue an empty answer
// comes out of its Raft log, so it cannot come from a queue without a leader.
func (r *reader) next(ctx context.Context) (*amqp.Delivery, error) {
	type answer struct {
		raw amqp.Delivery
		ok  bool
	}
	var got answer
	err := r.calls.do(ctx, func() (err error) {
		got.raw, got.ok, err = r.ch.Get(r.queue, false)
		return err
	})
	if err != nil || !got.ok {
		return nil, err
	}
	return &got.raw, nil
}

// close gives everything back, and waits for an answer so that the next
// question finds it there. The connection ends with the reader: nothing stays
// with one that the server did not answer in time.
func (r *reader) close(ctx context.Context) {
	_ = r.calls.do(ctx, func() error { // the end of the connection gives back what this cannot
		if err := r.ch.Nack(0, true, true); err != nil {
			return err
		}
		if r.quorum {
			return fenceOn(r.ch, r.queue, "acklab-fence")
		}
		return r.ch.Qos(1, 0, false)
	})
	r.link.close(ctx)
}
