package asynqbroker

import (
	"context"
	"sync"

	"acklab/broker/redisclient"
	"acklab/task"
)

const (
	// window is how many messages of one Publish are on the way at once.
	window = 32
	// maxSenders bounds how many publishes are on the way at once.
	maxSenders = 32
)

// batch is one Publish under way. A sender works through it; the publisher
// may leave before that is finished.
type batch struct {
	redisclient.Fates
	ctx context.Context
}

func newBatch(ctx context.Context, msgs []*task.Message) *batch {
	p := &batch{ctx: ctx}
	p.Begin(msgs)
	return p
}

// send works through the batch in order, one window at a time.
func (p *batch) send(b *Broker) {
	if len(p.Msgs) == 1 {
		p.sendOne(b, 0, &seat{})
		return
	}
	for start := 0; start < len(p.Msgs); start += window {
		n := min(window, len(p.Msgs)-start)
		r := newRound(p.ctx, b.lower, n)
		var members sync.WaitGroup
		for i := range n {
			members.Go(func() {
				defer r.leave()
				p.sendOne(b, start+i, &seat{round: r, index: i})
			})
		}
		members.Wait()
	}
}

// sendOne publishes one message, unless it was given up.
func (p *batch) sendOne(b *Broker, i int, s *seat) {
	switch {
	case !p.Take(i):
	case p.ctx.Err() != nil:
		p.Decide(i, redisclient.NotSent(context.Cause(p.ctx)))
	default:
		p.Decide(i, b.enqueue(p.ctx, p.Msgs[i], s))
	}
}

// hand gives the batch to a sender: an idle one, or a new one up to the bound.
// It reports false when nobody could take it before its context ended or the
// broker was closed.
func (b *Broker) hand(p *batch) bool {
	select {
	case <-b.closed:
		return false
	case b.batches <- p:
		return true
	default:
	}
	if b.startSender(p) {
		return true
	}
	select {
	case b.batches <- p:
		return true
	case <-p.ctx.Done():
		return false
	case <-b.closed:
		return false
	}
}

func (b *Broker) startSender(first *batch) bool {
	if b.senders.Add(1) > maxSenders {
		b.senders.Add(-1)
		return false
	}
	return b.start(func() {
		for p := first; p != nil; p = b.nextBatch() {
			p.send(b)
		}
	})
}

func (b *Broker) nextBatch() *batch {
	select {
	case p := <-b.batches:
		return p
	case <-b.closed:
		return nil
	}
}
