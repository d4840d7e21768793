package rabbitbroker

import (
	"context"
	"fmt"

	"acklab/broker"
)

// apart publishes to one queue on a connection of its own, because a publish to
// it was not confirmed while its caller waited. The others must not share a
// channel with it. What a quorum queue without a working leader does to them
// (measured with 3.10.8): its first publish on a channel hangs that channel,
// with what was published to others, for more than a minute; on a channel that
// knows it from better days, the server reads 400 more messages when 32 are on
// their way to it, and then nothing of that connection.
//
// It ends when the queue has confirmed again and no post uses it.
type apart struct {
	publisher
	queue string
	users int  // posts; guarded by mu of the publisher that it belongs to
	well  bool // the server has answered for one; guarded like users
}

// lane is the publisher of posts to the queue: this one, or one apart. Each
// call is followed by one of leave.
func (pub *publisher) lane(p *post) *publisher {
	pub.mu.Lock()
	defer pub.mu.Unlock()
	p.apart = pub.aparts[p.queue]
	if p.apart == nil || pub.closed {
		p.apart = nil
		return pub
	}
	p.apart.users++
	return &p.apart.publisher
}

// leave: the post has no more to do with its lane.
func (pub *publisher) leave(p *post, answered bool) {
	a := p.apart
	if a == nil {
		return
	}
	p.apart = nil
	pub.mu.Lock()
	defer pub.mu.Unlock()
	a.users--
	a.well = a.well || answered
	if a.users > 0 || !a.well || pub.closed {
		return
	}
	delete(pub.aparts, a.queue)
	pub.running.Go(func() {
		ctx, cancel := context.WithTimeout(pub.b.life, closeLimit)
		defer cancel()
		a.close(ctx)
	})
	pub.b.log.Info("a queue confirms again", "broker", pub.b.addr.shown, "queue", a.queue)
}

// answered: the server has said what became of the post.
func answered(err error) bool { return err == nil || broker.RefusedAs(err, broker.Unroutable) }

// givenUp is what the caller of a written post learns who waits no more. The
// queue is published to apart from then on, and what this connection has
// written to other queues is all that is still waited for there.
func (pub *publisher) givenUp(p *post, cause error) error {
	given := p.session.giveUp(p)
	switch a := p.apart; {
	case a == nil:
		pub.setApart(p.queue)
		pub.retire(p.session, fmt.Errorf("queue %q did not confirm in time, and gets one of its own", p.queue))
	case given >= tooManyGiven:
		a.retire(p.session, fmt.Errorf("queue %q did not confirm %d publishes in time", p.queue, given))
	}
	return unsure(fmt.Sprintf("%v: no confirm", p), cause)
}

func (pub *publisher) setApart(queue string) {
	pub.mu.Lock()
	defer pub.mu.Unlock()
	if pub.closed || pub.aparts[queue] != nil {
		return
	}
	pub.aparts[queue] = &apart{publisher: publisher{b: pub.b, confirms: pub.confirms}, queue: queue}
}
