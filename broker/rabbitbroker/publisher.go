package rabbitbroker

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"acklab/broker"
	"acklab/task"
)

// publisher owns the publishing connection. It connects when somebody wants
// to publish and no session stands; one attempt serves all who wait.
type publisher struct {
	b        *Broker
	confirms bool

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

func newPublisher(b *Broker, confirms bool) *publisher { return &publisher{b: b, confirms: confirms} }

// post is one message on its way.
type post struct {
	queue string // where it is published to: with a delay, the delay queue
	out   amqp.Publishing
	to    string // its destination
	step  int    // of the grid; none: it is not delayed
	again bool   // it came back once, because its delay queue was gone

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

// none is the step of a post that is not delayed.
const none = -1

func newPost(to string, step int, out amqp.Publishing) *post {
	p := &post{queue: to, out: out, to: to, step: step, withdrawn: make(chan struct{}), done: make(chan struct{})}
	if step != none {
		p.queue = delayQueue(to, step)
	}
	return p
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
	if p.step != none {
		return fmt.Sprintf("publish %q to queue %q in %s", p.out.MessageId, p.to, grid[p.step].name)
	}
	return fmt.Sprintf("publish %q to queue %q", p.out.MessageId, p.queue)
}

// Publish sends the messages, mandatory and persistent, in their order, and
// waits for the confirm of each, with at most window of them unconfirmed at
// the server over all callers. A returned message is refused as Unroutable. A
// negative confirm is ErrUnsure. Where no session stands it tries once to
// connect. While the server is out of memory or disk (connection.blocked)
// nothing is sent: what waits when ctx ends is refused as Full.
//
// A message whose ETA is ahead goes to a delay queue of its destination,
// <queue>.delay.<step>, for the smallest step of the grid that reaches the ETA
// (100 ms to 30 days; more is refused as Invalid): it comes late by the
// rounding, and never early. The server sees no destination in that publish,
// so the driver asks for it first, and relies on the answer for a second: what
// was confirmed for a queue that is deleted later is lost like what was in
// it (a quorum delay queue keeps it until the queue exists again).
//
// With confirms=false nil means that the message was written to the socket.
// It may be lost on the way, and what the server returns is an event
// (Returned) and no error.
func (b *Broker) Publish(ctx context.Context, msgs ...*task.Message) []error {
	errs := make([]error, len(msgs))
	posts := make([]*post, len(msgs))
	for i, m := range msgs {
		p, err := b.post(m, time.Now())
		if err == nil {
			err = b.publisher.hand(ctx, p)
		}
		if errs[i] = err; err == nil {
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

// post expresses the message in AMQP, as of now. Every error is a
// *broker.Refusal.
func (b *Broker) post(m *task.Message, now time.Time) (*post, error) {
	out, err := publishing(m)
	if err != nil {
		return nil, err
	}
	if err := task.CheckDelay(m, now); err != nil {
		return nil, &broker.Refusal{Reason: broker.Invalid, Err: fmt.Errorf("message %q: %w", m.ID, err)}
	}
	b.deliveryMode(&out)
	if !m.ETA.After(now) {
		return newPost(m.Queue, none, out), nil
	}
	p := newPost(m.Queue, roundUp(m.ETA.Sub(now)), out)
	if len(p.queue) > maxName {
		return nil, invalid("message %q: the name of its delay queue %.40q... is %d bytes long, AMQP carries %d", m.ID, p.queue, len(p.queue), maxName)
	}
	return p, nil
}

func (b *Broker) deliveryMode(out *amqp.Publishing) {
	if !b.addr.persistent {
		out.DeliveryMode = amqp.Transient
	}
}

// send publishes one message that is already in AMQP's terms.
func (pub *publisher) send(ctx context.Context, queue string, out amqp.Publishing) error {
	if err := checkPublishing(queue, out); err != nil {
		return err
	}
	pub.b.deliveryMode(&out)
	p := newPost(queue, none, out)
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
		if p.step != none {
			if err := s.delays.enter(ctx, p); err != nil {
				return err
			}
		}
		select {
		case s.out <- p:
			return nil
		case <-s.gone:
		case <-ctx.Done():
			s.spare(p)
			return s.notSent(p, ctx.Err())
		}
	}
}

// wait waits for the fate of a post that was handed over. One that came back
// because its delay queue was gone is certainly not stored: it is published
// once more, with the queue made anew.
func (pub *publisher) wait(ctx context.Context, p *post) error {
	p, err := pub.await(ctx, p)
	if !p.vanished(err) {
		return err
	}
	p.session.delays.forget(p)
	next := newPost(p.to, p.step, p.out)
	next.again = true
	if err := pub.hand(ctx, next); err != nil {
		return err
	}
	_, err = pub.await(ctx, next)
	return err
}

// vanished: the delay queue of the post is not there, for the first time.
func (p *post) vanished(err error) bool {
	r, ok := errors.AsType[*broker.Refusal](err)
	return p.step != none && !p.again && ok && r.Reason == broker.Unroutable
}

// await waits for the fate of a post that was handed over. A post that its
// session's end has caught unwritten is handed to the next session; the post
// that has met the fate is returned.
func (pub *publisher) await(ctx context.Context, p *post) (*post, error) {
	for {
		select {
		case <-p.done:
			return p, p.err
		case <-ctx.Done():
			if p.withdraw() {
				return p, p.session.notSent(p, ctx.Err())
			}
			select {
			case <-p.done:
				return p, p.err
			default:
				return p, unsure(fmt.Sprintf("%v: no confirm", p), ctx.Err())
			}
		case <-p.session.gone:
			if !p.withdraw() {
				return p, p.settled(ctx)
			}
			again := p.again
			p = newPost(p.to, p.step, p.out)
			p.again = again
			if err := pub.hand(ctx, p); err != nil {
				return p, err
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
	s, err := newPubSession(pub.b, number, pub.confirms)
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
