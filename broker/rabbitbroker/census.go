package rabbitbroker

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"acklab/broker"
)

// stallLimit bounds the wait for one message that the server has counted.
const stallLimit = 20 * time.Second

// Census reads everything that the queue, its delay queues and its dead letters
// hold, each message once, as a consumer on a connection of its own that acknowledges
// nothing, and gives it all back in the end. So it can be repeated, but it
// marks what it has read as redelivered, raises the counts of quorum
// queues, and shows messages as delivered that no consumer had: it comes last.
//
// It is complete or it yields an error: when a consumer is on the queue (it
// waits a moment for connections that are being torn down), when the number
// read differs from what the server says, or when a quorum queue has no
// leader. What a client without a subscription holds unacknowledged cannot be
// seen (Traits.SeesUnacked), nor what a quorum delay queue is handing over:
// make sure that all clients are gone. A queue that
// does not exist (any more) holds nothing and is no error; Depth tells.
func (b *Broker) Census(ctx context.Context, queue string) iter.Seq2[broker.Held, error] {
	return func(yield func(broker.Held, error) bool) {
		if err := checkQueue(queue); err != nil {
			yield(broker.Held{}, fmt.Errorf("census: %w", err))
			return
		}
		release, more, err := b.censusDelayed(ctx, queue, yield)
		defer release()
		if err != nil {
			yield(broker.Held{}, fmt.Errorf("census of queue %q (%s): %w", queue, broker.Delayed, err))
		}
		if err != nil || !more {
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
	if there == 0 {
		return true, nil
	}
	r, err := b.newReader(ctx, name)
	if err != nil {
		return false, err
	}
	defer r.close(ctx)
	for range there {
		raw, err := r.next(ctx)
		if err != nil {
			return false, fmt.Errorf("%d of %d messages were read: %w", r.read-1, there, err)
		}
		if !yield(b.held(raw, queue, state), nil) {
			return false, nil
		}
	}
	return true, b.undisturbed(ctx, r)
}

// undisturbed ends the reader's subscriptions and asks, while everything that
// was there is in its hands, whether there is more or anybody else.
func (b *Broker) undisturbed(ctx context.Context, r *reader) error {
	more, err := r.cancel(ctx)
	if err != nil {
		return err
	}
	left, err := b.consumed(ctx, r.queue, r.consumers())
	if err != nil {
		return err
	}
	if left+more > 0 {
		return fmt.Errorf("%d messages came while %d were read", left+more, r.read)
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
	queue   string
	quorum  bool
	link    *link
	ch      *amqp.Channel
	calls   rpc
	streams []<-chan amqp.Delivery
	read    int // deliveries asked for so far
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

// next waits for the next message. A consumer can hold at most maxPrefetch
// messages of a quorum queue; then another one begins.
func (r *reader) next(ctx context.Context) (*amqp.Delivery, error) {
	r.read++
	if n := len(r.streams); n == 0 || r.quorum && r.read > n*maxPrefetch {
		if err := r.subscribe(ctx); err != nil {
			return nil, err
		}
	}
	stall := time.NewTimer(stallLimit)
	defer stall.Stop()
	select {
	case raw, ok := <-r.streams[len(r.streams)-1]:
		if !ok {
			return nil, errors.New("the server ended the subscription")
		}
		return &raw, nil
	case <-stall.C:
		return nil, fmt.Errorf("no message came for %v: does somebody else hold them?", stallLimit)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (r *reader) subscribe(ctx context.Context) error {
	prefetch, tag := 0, fmt.Sprintf("acklab-census-%d", len(r.streams))
	if r.quorum {
		prefetch = maxPrefetch // 0 means 2000 there
	}
	streams := make(chan (<-chan amqp.Delivery), 1)
	err := r.calls.do(ctx, func() error {
		if err := r.ch.Qos(prefetch, 0, false); err != nil {
			return err
		}
		deliveries, err := r.ch.Consume(r.queue, tag, false, false, false, false, nil)
		streams <- deliveries
		return err
	})
	if err == nil {
		r.streams = append(r.streams, <-streams)
	}
	return err
}

// cancel ends the subscriptions and counts what had come beyond what was read.
func (r *reader) cancel(ctx context.Context) (more int, err error) {
	err = r.end(ctx, func(*amqp.Delivery) { more++ })
	return more, err
}

// end ends the subscriptions, and hands over what had come and was not read.
func (r *reader) end(ctx context.Context, take func(*amqp.Delivery)) error {
	err := r.calls.do(ctx, func() error {
		if err := r.ch.Qos(1, 0, false); err != nil { // what the queue has sent is here when it is answered
			return err
		}
		for i := range r.streams {
			if err := r.ch.Cancel(fmt.Sprintf("acklab-census-%d", i), false); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, deliveries := range r.streams {
		for raw := range deliveries {
			take(&raw)
		}
	}
	return nil
}

// consumers is how many consumers the server counts for the cancelled reader:
// a quorum queue keeps each that holds messages.
func (r *reader) consumers() int {
	if r.quorum {
		return len(r.streams)
	}
	return 0
}

// close gives everything back, and waits for an answer so that the next
// question finds it there. The connection ends with the reader: nothing stays
// with one that the server did not answer in time.
func (r *reader) close(ctx context.Context) {
	if _, err := r.cancel(ctx); err == nil {
		_ = r.calls.do(ctx, r.giveBack) // the end of the connection gives back what this cannot
	}
	r.link.close(ctx)
}

func (r *reader) giveBack() error {
	if err := r.ch.Nack(0, true, true); err != nil {
		return err
	}
	if r.quorum {
		return fenceOn(r.ch, r.queue, "acklab-fence")
	}
	return r.ch.Qos(1, 0, false)
}
