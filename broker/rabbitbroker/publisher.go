package rabbitbroker

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	amqp "github.com/rabbitmq/amqp091-go"

	"acklab/broker"
	"acklab/task"
)

// publisher owns the publishing connection. It connects when somebody wants
// to publish and no session stands; one attempt serves all who wait.
type publisher struct {
	b *Broker

	mu       sync.Mutex
	session  *pubSession
	attempt  *attempt
	sessions int
	closed   bool
	running  sync.WaitGroup
}

// attempt is one try to connect, shared by all who wait for it.
type attempt struct {
	done    chan struct{}
	session *pubSession
	err     error
}

func newPublisher(b *Broker) *publisher { return &publisher{b: b} }

// post is one message on its way.
type post struct {
	queue string
	out   amqp.Publishing

	session   *pubSession
	state     atomic.Int32
	withdrawn chan struct{} // closed when the caller has given up before it was written
	done      chan struct{} // closed when its fate is known; err holds it
	err       error
}

// The states of a post. It leaves waiting once: who moves it on decides
// whether it can have reached the server.
const (
	waiting int32 = iota
	written
	withdrawn
)

func newPost(queue string, out amqp.Publishing) *post {
	return &post{queue: queue, out: out, withdrawn: make(chan struct{}), done: make(chan struct{})}
}

// withdraw takes the post back and reports whether it was not yet written.
func (p *post) withdraw() bool {
	if !p.state.CompareAndSwap(waiting, withdrawn) {
		return false
	}
	close(p.withdrawn)
	return true
}

func (p *post) String() string {
	return fmt.Sprintf("publish %q to queue %q", p.out.MessageId, p.queue)
}

// Publish sends the messages, mandatory and persistent, in their order, and
// waits for the confirm of each, with at most window of them unconfirmed at
// the server over all callers. A returned message is refused as Unroutable. A
// negative confirm is ErrUnsure. Where no session stands it tries once to
// connect. While the server is out of memory or disk (connection.blocked)
// nothing is sent: what waits when ctx ends is refused as Full.
func (b *Broker) Publish(ctx context.Context, msgs ...*task.Message) []error {
	errs := make([]error, len(msgs))
	posts := make([]*post, len(msgs))
	for i, m := range msgs {
		out, err := publishing(m)
		if err != nil {
			errs[i] = err
			continue
		}
		p := newPost(m.Queue, out)
		if errs[i] = b.publisher.hand(ctx, p); errs[i] == nil {
			posts[i] = p
		}
	}
	for i, p := range posts {
		if p != nil {
			errs[i] = b.publisher.wait(ctx, p)
		}
	}
	return errs
}

// send publishes one message that is already in AMQP's terms.
func (pub *publisher) send(ctx context.Context, queue string, out amqp.Publishing) error {
	if err := checkPublishing(queue, out); err != nil {
		return err
	}
	p := newPost(queue, out)
	if err := pub.hand(ctx, p); err != nil {
		return err
	}
	return pub.wait(ctx, p)
}

// hand gives the post to the writer of a standing session.
func (pub *publisher) hand(ctx context.Context, p *post) error {
	for {
		if err := ctx.Err(); err != nil {
			return cancelled(p, err)
		}
		s, err := pub.standing(ctx)
		if err != nil {
			return refusal(fmt.Errorf("%v: %w", p, err))
		}
		p.session = s
		select {
		case s.out <- p:
			return nil
		case <-s.gone:
		case <-ctx.Done():
			return s.notSent(p, ctx.Err())
		}
	}
}

// wait waits for the fate of a post that was handed over. A post that its
// session's end has caught unwritten is handed to the next session.
func (pub *publisher) wait(ctx context.Context, p *post) error {
	for {
		select {
		case <-p.done:
			return p.err
		case <-ctx.Done():
			if p.withdraw() {
				return p.session.notSent(p, ctx.Err())
			}
			select {
			case <-p.done:
				return p.err
			default:
				return unsure(fmt.Sprintf("%v: no confirm", p), ctx.Err())
			}
		case <-p.session.gone:
			if !p.withdraw() {
				return p.settled(ctx)
			}
			p = newPost(p.queue, p.out)
			if err := pub.hand(ctx, p); err != nil {
				return err
			}
		}
	}
}

// settled waits for the fate of a written post whose session has ended.
func (p *post) settled(ctx context.Context) error {
	select {
	case <-p.done:
		return p.err
	case <-ctx.Done():
		return unsure(fmt.Sprintf("%v: no confirm", p), ctx.Err())
	}
}

func cancelled(p *post, cause error) error {
	return &broker.Refusal{Reason: broker.Cancelled, Err: fmt.Errorf("%v: not sent: %w", p, cause)}
}

// standing returns the session that stands, or the outcome of one attempt to
// make one.
func (pub *publisher) standing(ctx context.Context) (*pubSession, error) {
	pub.mu.Lock()
	if pub.closed {
		pub.mu.Unlock()
		return nil, broker.ErrClosed
	}
	if s := pub.session; s != nil && s.stands() {
		pub.mu.Unlock()
		return s, nil
	}
	a := pub.attempt
	if a == nil {
		a = &attempt{done: make(chan struct{})}
		pub.attempt = a
		number := pub.sessions + 1
		pub.running.Go(func() { pub.connect(a, number) })
	}
	pub.mu.Unlock()
	select {
	case <-a.done:
		return a.session, a.err
	case <-ctx.Done():
		return nil, fmt.Errorf("connect to %s: %w", pub.b.addr.shown, ctx.Err())
	}
}

func (pub *publisher) connect(a *attempt, number int) {
	s, err := newPubSession(pub.b, number)
	pub.mu.Lock()
	defer pub.mu.Unlock()
	defer close(a.done)
	pub.attempt = nil
	if err == nil && pub.closed {
		s.link.abandon()
		err = broker.ErrClosed
	}
	if pub.closed {
		err = errors.Join(broker.ErrClosed, err)
	}
	if a.err = err; err != nil {
		return
	}
	a.session, pub.session, pub.sessions = s, s, number
}

func (pub *publisher) close(ctx context.Context) {
	pub.mu.Lock()
	pub.closed = true
	s := pub.session
	pub.mu.Unlock()
	if s != nil {
		s.close(ctx)
	}
	pub.running.Wait() // an attempt ends with the broker's life
	if s != nil {
		s.running.Wait()
	}
}
