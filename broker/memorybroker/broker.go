package memorybroker

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"runtime"
	"time"

	"acklab/broker"
	"acklab/task"
)

// Broker is a client of a Server. It implements broker.Broker and is safe for
// concurrent use.
type Broker struct {
	server *Server
	opts   broker.Options
	urgent bool // the queues that it declares have priorities

	// guarded by server.mu
	consumers map[*consumer]struct{}
	closed    bool
}

var _ broker.Broker = (*Broker)(nil)

// Declare makes the queues exist. See broker.Broker. Whether a queue has
// priorities is decided by who declares it first; another wish is an error.
func (b *Broker) Declare(ctx context.Context, queues ...string) error {
	s := b.server
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := b.usable(ctx); err != nil {
		return fmt.Errorf("declare queues: %w", err)
	}
	for _, name := range queues {
		if name == "" {
			return errors.New("declare queues: a queue needs a name")
		}
		q := s.queues[name]
		if q == nil {
			s.queues[name] = newQueue(name, b.urgent)
		} else if q.urgent != b.urgent {
			return fmt.Errorf("declare queue %q: it exists with other properties: all clients of a queue must agree on priority=on", name)
		}
	}
	return nil
}

// Publish stores the messages; one whose ETA is ahead is delayed until then.
// See broker.Broker. It is never unsure.
func (b *Broker) Publish(ctx context.Context, msgs ...*task.Message) []error {
	errs := make([]error, len(msgs))
	for i, m := range msgs {
		errs[i] = b.publish(ctx, m)
	}
	return errs
}

func (b *Broker) publish(ctx context.Context, m *task.Message) error {
	s := b.server
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case b.closed:
		return &broker.Refusal{Reason: broker.Closed}
	case ctx.Err() != nil:
		return &broker.Refusal{Reason: broker.Cancelled, Err: ctx.Err()}
	case m == nil || m.ID == "":
		return &broker.Refusal{Reason: broker.Invalid, Err: errors.New("a message needs an id")}
	}
	now := time.Now()
	if err := task.CheckDelay(m, now); err != nil {
		return &broker.Refusal{Reason: broker.Invalid, Err: err}
	}
	q, err := s.queue(m.Queue)
	if err != nil {
		b.opts.Tell(broker.Event{Kind: broker.Returned, Queue: m.Queue, MessageID: m.ID, Err: err})
		return &broker.Refusal{Reason: broker.Unroutable, Err: err}
	}
	if it := (&item{msg: m}); m.ETA.After(now) {
		s.delay(q, it)
	} else {
		s.store(q, it)
	}
	return nil
}

// Consume subscribes. See broker.Broker.
func (b *Broker) Consume(ctx context.Context, sub broker.Subscription) (broker.Consumer, error) {
	if err := sub.Check(); err != nil {
		return nil, fmt.Errorf("consume: %w", err)
	}
	s := b.server
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := b.usable(ctx); err != nil {
		return nil, fmt.Errorf("consume: %w", err)
	}
	var queues []*queue
	for _, src := range sub.Sources {
		q, err := s.queue(src.Queue)
		if err != nil {
			return nil, fmt.Errorf("consume: %w", err)
		}
		queues = append(queues, q)
	}
	c := newConsumer(b, sub, queues)
	b.consumers[c] = struct{}{}
	c.begin()
	return c, nil
}

// Depth tells how much the queue holds. See broker.Broker. A queue that was
// not declared is an error that wraps ErrUnknownQueue.
func (b *Broker) Depth(ctx context.Context, name string) (broker.Depth, error) {
	s := b.server
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := b.usable(ctx); err != nil {
		return broker.Depth{}, fmt.Errorf("depth of queue %q: %w", name, err)
	}
	q, err := s.queue(name)
	if err != nil {
		return broker.Depth{}, fmt.Errorf("depth: %w", err)
	}
	return broker.Depth{Ready: new(len(q.ready)), Unacked: new(len(q.unacked)), Delayed: new(len(q.delayed)),
		Dead: new(len(q.dead)), Consumers: new(len(q.consumers))}, nil
}

// Census yields all that the queue holds, and disturbs nothing. See
// broker.Broker.
func (b *Broker) Census(ctx context.Context, name string) iter.Seq2[broker.Held, error] {
	return func(yield func(broker.Held, error) bool) {
		all, err := b.held(ctx, name)
		if err != nil {
			yield(broker.Held{}, fmt.Errorf("census of queue %q: %w", name, err))
			return
		}
		for _, h := range all {
			if !yield(h, nil) {
				return
			}
		}
	}
}

func (b *Broker) held(ctx context.Context, name string) ([]broker.Held, error) {
	s := b.server
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := b.usable(ctx); err != nil {
		return nil, err
	}
	q, err := s.queue(name)
	if err != nil {
		return nil, err
	}
	return q.held(), nil
}

// Traits tell what this broker does where brokers differ.
func (b *Broker) Traits() broker.Traits {
	t := broker.Traits{
		System: "memory", Server: "memory", Version: runtime.Version(),
		Returns: broker.OnDisconnect, Confirms: true, RefusesUnknownQueue: true,
		Marks: broker.MarksAlways, Counts: true, FIFO: true,
		Delay: broker.Native, DelayLate: delayLate, Priority: broker.Absent, DeadLetters: broker.Native, SeesUnacked: true,
	}
	if b.urgent {
		t.Priority, t.PriorityLevels = broker.Native, 10
	}
	return t
}

// Close closes the client's consumers, which gives back what they hold, and
// then the client. It never waits. Closing twice is allowed.
func (b *Broker) Close(context.Context) error {
	s := b.server
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range b.consumers {
		c.close()
	}
	b.closed = true
	delete(s.clients, b)
	s.wind()
	return nil
}

// Sever ends the session of each of the client's consumers, as a network that
// breaks does; see Server.CloseConnections.
func (b *Broker) Sever() {
	b.server.mu.Lock()
	defer b.server.mu.Unlock()
	b.sever()
}

func (b *Broker) sever() {
	for c := range b.consumers {
		c.lose(errSevered)
	}
}

// usable is the error of a call that cannot begin. The caller holds server.mu.
func (b *Broker) usable(ctx context.Context) error {
	if b.closed {
		return broker.ErrClosed
	}
	return ctx.Err()
}
