package redisbroker

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"acklab/broker"
	"acklab/task"
)

// The stages of one message of a batch.
const (
	waiting   int32 = iota
	sending         // it is on its way
	known           // its fate is in err
	abandoned       // given up before it was sent
)

// batch is one Publish under way. The lane sends it; the publisher may leave
// before that is finished.
type batch struct {
	ctx     context.Context
	msgs    []*task.Message
	letters []letter
	fates   []fate
	open    atomic.Int64
	done    chan struct{} // closed when no message is waiting or on its way

	sent  int   // letters before it have been looked at; only the lane uses it
	round *lane // that waits for the answer to a part; the outbox's lock guards it
}

type fate struct {
	stage atomic.Int32
	err   error // to be read once stage is known
}

// newBatch writes the messages down. What cannot be sent is known at once.
func (b *Broker) newBatch(ctx context.Context, msgs []*task.Message) *batch {
	p := &batch{ctx: ctx, msgs: slices.Clone(msgs), letters: make([]letter, len(msgs)), fates: make([]fate, len(msgs)), done: make(chan struct{})}
	p.open.Store(int64(len(msgs)))
	if ctx.Err() != nil || b.isClosed() {
		return p
	}
	now := time.Now()
	for i, m := range msgs {
		var err error
		if p.letters[i], err = b.letterOf(m, now); err != nil {
			p.decide(i, err)
		}
	}
	return p
}

// decide notes the fate of a message.
func (p *batch) decide(i int, err error) {
	p.fates[i].err = err
	p.fates[i].stage.Store(known)
	p.settle()
}

// take begins to send message i; false: it was decided or given up.
func (p *batch) take(i int) bool { return p.fates[i].stage.CompareAndSwap(waiting, sending) }

// abandon gives up what has not been sent.
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
