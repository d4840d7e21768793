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
