package rabbitbroker

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"acklab/broker"
	"acklab/task"
)

// post is one message on its way.
type post struct {
	queue string // where it is published to: with a delay, the delay queue
	out   amqp.Publishing
	to    string // its destination
	step  int    // of the grid; none: it is not delayed
	again bool   // it came back once, because its delay queue was gone

	apart     *apart // the lane that it uses; nil: the publisher itself
	session   *pubSession
	left      chan struct{} // closed when its letter is free, or its caller has given up; session.mu guards both
	given     bool          // its caller has given up after it was written
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

// vanished: the delay queue of the post is not there, for the first time.
func (p *post) vanished(err error) bool {
	r, ok := errors.AsType[*broker.Refusal](err)
	return p.step != none && !p.again && ok && r.Reason == broker.Unroutable
}

func cancelled(p *post, cause error) error {
	return &broker.Refusal{Reason: broker.Cancelled, Err: fmt.Errorf("%v: not sent: %w", p, cause)}
}
