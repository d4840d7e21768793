package rabbitbroker

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"acklab/broker"
)

// seenFor is how long a destination that was seen to exist is believed to.
const seenFor = time.Second

// delayIdle is how long a client goes on holding the delay lock of a queue for
// which it publishes no delays, and how long after the last of them was due it
// tidies up.
const delayIdle = 30 * time.Second

// delays is what one publishing session knows of the delay queues that it
// uses.
//
// A delay queue has one time to live for all its messages, so a long delay
// never stands before a short one, and the destination as dead letter target:
// one hop. It is made when it is first needed. The session holds the delay lock
// of each destination that it publishes delays for: see lock.go for why.
//
// It is of the destination's type, because of what a kill does in the moment
// of the hop (measured with 3.10.8, 2000 messages due at once): from a classic
// to a classic queue nothing was lost; from a classic to a quorum queue up to
// all, because nobody waits for the quorum queue's confirms; from a quorum
// queue that dead-letters at least once to a quorum queue nothing, and up to 32
// messages came twice.
type delays struct {
	s *pubSession

	mu   sync.Mutex
	uses map[string]*use // by destination
}

// use is what a session knows of the delay queues of one destination.
type use struct {
	to   string
	turn rpc // one conversation with the server at a time

	// Guarded by delays.mu.
	lock     *lock        // nil: not held
	declared map[int]bool // steps whose queue was declared under this lock
	seen     time.Time    // when the destination was last seen to exist
	pending  int          // posts that are on their way
	last     time.Time    // the last publish
	due      time.Time    // when the last of what was published is due
}

func newDelays(s *pubSession) *delays { return &delays{s: s, uses: map[string]*use{}} }

// enter makes sure that the delay queue of the post exists and stays until
// leave, and that its destination exists.
func (d *delays) enter(ctx context.Context, p *post) error {
	u := d.use(p.to)
	for {
		if d.admitted(u, p) {
			return nil
		}
		err := u.turn.do(ctx, func() error { return d.prepare(ctx, u, p.step) })
		if err != nil {
			return d.refusal(ctx, p, err)
		}
	}
}

func (d *delays) use(to string) *use {
	d.mu.Lock()
	defer d.mu.Unlock()
	u := d.uses[to]
	if u == nil {
		u = &use{to: to, turn: newRPC()}
		d.uses[to] = u
	}
	return u
}

// admitted counts the post as on its way if all is prepared for it.
func (d *delays) admitted(u *use, p *post) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := time.Now()
	if !u.lock.stands() || !u.declared[p.step] || now.Sub(u.seen) > seenFor {
		return false
	}
	u.pending++
	u.last = now
	if due := now.Add(grid[p.step].wait); due.After(u.due) {
		u.due = due
	}
	return true
}

// leave: the fate of the post is known, or it will not be written.
func (d *delays) leave(p *post) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.uses[p.to].pending--
}

// forget: the delay queue of the post is not there, whatever was remembered.
func (d *delays) forget(p *post) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.uses[p.to].declared, p.step)
}

// prepare takes the lock, looks for the destination and declares the queue, as
// far as each is needed. It has the turn.
func (d *delays) prepare(ctx context.Context, u *use, step int) error {
	d.mu.Lock()
	locked, declared, seen := u.lock.stands(), u.declared[step], time.Since(u.seen) <= seenFor
	d.mu.Unlock()
	if !seen {
		if err := d.look(ctx, u); err != nil {
			return err
		}
	}
	if !locked {
		l, err := d.s.acquire(ctx, u.to, false)
		if err != nil {
			return err
		}
		d.mu.Lock()
		u.lock, u.declared = l, map[int]bool{} // without the lock they may have been deleted
		d.mu.Unlock()
		declared = false
	}
	if !declared {
		return d.declare(ctx, u, step)
	}
	return nil
}

// look asks whether the destination exists.
func (d *delays) look(ctx context.Context, u *use) error {
	err := d.s.link.ask(ctx, func(ch *amqp.Channel) error {
		_, err := ch.QueueDeclarePassive(u.to, true, false, false, false, nil)
		return err
	})
	if err != nil {
		return unknownQueue(err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	u.seen = time.Now()
	return nil
}

func (d *delays) declare(ctx context.Context, u *use, step int) error {
	name := delayQueue(u.to, step)
	err := d.s.link.ask(ctx, func(ch *amqp.Channel) error {
		_, err := ch.QueueDeclare(name, d.s.b.addr.durable, false, false, false, d.s.b.delayArguments(u.to, step))
		return err
	})
	if err != nil {
		return otherwise(fmt.Sprintf("declare delay queue %q", name), err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	u.declared[step] = true
	return nil
}

// delayArguments are those of the delay queue. A quorum queue dead-letters at
// least once: it keeps a message until the destination has confirmed it. A
// classic one keeps what waits on disk: 10,000 small messages make a node use
// 14 MB more instead of 50 (measured).
func (b *Broker) delayArguments(to string, step int) amqp.Table {
	args := amqp.Table{
		"x-message-ttl":             grid[step].wait.Milliseconds(),
		"x-dead-letter-exchange":    "",
		"x-dead-letter-routing-key": to,
	}
	if b.addr.quorum {
		args["x-queue-type"] = "quorum"
		args["x-dead-letter-strategy"] = "at-least-once"
		args["x-overflow"] = "reject-publish" // what at-least-once demands
	} else {
		args["x-queue-mode"] = "lazy"
	}
	return args
}

// refusal says why a delayed post was not sent.
func (d *delays) refusal(ctx context.Context, p *post, err error) error {
	var reason broker.Reason
	switch {
	case errors.Is(err, broker.ErrUnknownQueue):
		reason = broker.Unroutable
	case code(err) == amqp.AccessRefused:
		reason = broker.Denied
	case code(err) == amqp.PreconditionFailed:
		reason = broker.Invalid
	case d.s.stands() && ctx.Err() != nil:
		return d.s.notSent(p, err)
	case d.s.b.life.Err() != nil:
		reason = broker.Closed
	default:
		reason = broker.Unreachable
	}
	return &broker.Refusal{Reason: reason, Err: fmt.Errorf("%v: not sent: %w", p, err)}
}
