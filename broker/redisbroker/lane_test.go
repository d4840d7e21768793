package redisbroker

import (
	"context"
	"testing"

	"acklab/task"
)

// One that has left before its turn is not waited for: else the connection of a round
// that nobody waits for would not be cut.
func TestARoundIsNotWaitedForByWhoHasLeft(t *testing.T) {
	t.Parallel()
	b := &Broker{}
	l := &lane{b: b}
	left, gone := context.WithCancel(context.Background())
	gone()
	var all []*batch
	for _, ctx := range []context.Context{left, context.Background(), context.Background()} {
		p := &batch{ctx: ctx, letters: make([]letter, 1)}
		p.Begin(make([]*task.Message, 1))
		all = append(all, p)
	}
	all[1].Abandon()
	b.outbox.waiting = append(b.outbox.waiting, all...)
	r := l.nextRound(nil)
	if r == nil || len(r.batches) != 1 || r.batches[0] != all[2] || l.here != 1 {
		t.Fatalf("the round is %+v, and %d wait for it; want the last batch alone", r, l.here)
	}
	if all[0].round != nil || all[1].round != nil {
		t.Error("who has left would leave a round again that it is not in")
	}
}

// Redis may answer in the moment in which the last publisher leaves: the round is
// as good as any, and its connection is closed under the next one.
func TestALaneThatWasCutWhileRedisAnsweredConnectsAgain(t *testing.T) {
	t.Parallel()
	l := &lane{b: &Broker{life: t.Context()}}
	l.open()
	defer func() { l.close() }()
	p := &batch{ctx: t.Context(), round: l}
	l.here = 1
	l.b.leave(p)
	if l.life.Err() == nil {
		t.Fatal("the last publisher has left and the connection is not cut")
	}
	l.mend(nil)
	if l.life.Err() != nil {
		t.Error("the next round would go over a connection that is cut")
	}
}
