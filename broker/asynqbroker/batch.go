package asynqbroker

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"acklab/broker"
	"acklab/task"
)

const (
	// window is how many messages of one Publish are on the way at once.
	window = 32
	// maxSenders bounds how many publishes are on the way at once.
	maxSenders = 32
)

// The stages of one message of a batch.
const (
	waiting   int32 = iota
	sending         // a sender has it
	known           // its fate is in err
	abandoned       // given up before a sender had it
)

// batch is one Publish under way. A sender works through it; the publisher
// may leave before that is finished.
type batch struct {
	ctx   context.Context
	msgs  []*task.Message
	fates []fate
	open  atomic.Int64
	done  chan struct{} // closed when no message is waiting or with the sender
}

type fate struct {
	stage atomic.Int32
	err   error // to be read once stage is known
}

func newBatch(ctx context.Context, msgs []*task.Message) *batch {
	p := &batch{ctx: ctx, msgs: slices.Clone(msgs), fates: make([]fate, len(msgs)), done: make(chan struct{})}
	p.open.Store(int64(len(msgs)))
	return p
}

// send works through the batch in order, one window at a time.
func (p *batch) send(b *Broker) {
	if len(p.msgs) == 1 {
		p.sendOne(b, 0, &seat{})
		return
	}
	for start := 0; start < len(p.msgs); start += window {
		n := min(window, len(p.msgs)-start)
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
	f := &p.fates[i]
	if !f.stage.CompareAndSwap(waiting, sending) {
		return
	}
	if p.ctx.Err() != nil {
		f.err = notSent(context.Cause(p.ctx))
	} else {
		f.err = b.enqueue(p.ctx, p.msgs[i], s)
	}
	f.stage.Store(known)
	p.settle()
}

// abandon gives up what no sender has yet.
func (p *batch) abandon() {
	for i := range p.fates {
		if p.fates[i].stage.CompareAndSwap(waiting, abandoned) {
			p.settle()
		}
	}
}

func (p *batch) settle() {
	if p.open.Add(-1) == 0 {
		close(p.done)
	}
}

// errors tells the fate of each message, as far as it is known now; cause is
// why the rest was left.
func (p *batch) errors(cause error) []error {
	errs := make([]error, len(p.fates))
	for i := range p.fates {
		switch p.fates[i].stage.Load() {
		case known:
			errs[i] = p.fates[i].err
		case sending:
			errs[i] = fmt.Errorf("publish message %s: no answer yet: %w: %w", p.msgs[i].ID, broker.ErrUnsure, cause)
		default:
			errs[i] = notSent(cause)
		}
	}
	return errs
}

// notSent is the refusal of a message that never left.
func notSent(cause error) error {
	if cause == broker.ErrClosed {
		return &broker.Refusal{Reason: broker.Closed}
	}
	return &broker.Refusal{Reason: broker.Cancelled, Err: cause}
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
