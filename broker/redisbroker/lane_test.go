package redisbroker

import (
	"context"
	"testing"

	"acklab/task"
)

// A publisher of which a part is still to be sent does not come with its next
// message yet: nobody is to wait for it.
func TestARoundFreesNobodyWhoseBatchGoesOn(t *testing.T) {
	t.Parallel()
	r := &round{}
	for i, c := range []struct{ size, want int }{{10, 1}, {maxRound, 1}} {
		p := &batch{ctx: context.Background(), letters: make([]letter, c.size)}
		p.Begin(make([]*task.Message, c.size))
		r.add(p)
		if got := r.frees(); got != c.want {
			t.Errorf("after batch %d, of %d, the round frees %d; want %d", i, c.size, got, c.want)
		}
	}
	if r.rest == nil {
		t.Fatal("all of it went out")
	}
}
