package redisbroker

import (
	"context"
	"time"

	"acklab/broker/redisclient"
	"acklab/task"
)

// batch is one Publish under way. A lane sends it; the publisher may leave
// before that is finished.
type batch struct {
	redisclient.Fates
	ctx     context.Context
	letters []letter
	one     [1]letter // those of a publish of one message

	sent  int   // letters before it have been looked at; only its lane uses it
	round *lane // that waits for the answer to a part; the outbox's lock guards it
}

// newBatch writes the messages down. What cannot be sent is known at once.
func (b *Broker) newBatch(ctx context.Context, msgs []*task.Message) *batch {
	p := &batch{ctx: ctx}
	if len(msgs) == 1 {
		p.letters = p.one[:]
	} else {
		p.letters = make([]letter, len(msgs))
	}
	p.Begin(msgs)
	if ctx.Err() != nil || b.isClosed() {
		return p
	}
	now := time.Now()
	for i, m := range msgs {
		var err error
		if p.letters[i], err = b.letterOf(m, now); err != nil {
			p.Decide(i, err)
		}
	}
	return p
}
