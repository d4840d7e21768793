package worker_test

import (
	"context"
	"encoding/json"
	"fmt"
	"sync/atomic"
	"testing"

	"acklab/internal/ledger"
	"acklab/result"
	"acklab/task"
)

// counted is a store that counts its calls.
type counted struct {
	inner
	stores, joins, values, gets atomic.Int64
}

func (c *counted) Store(ctx context.Context, r result.Result) error {
	c.stores.Add(1)
	return c.inner.Store(ctx, r)
}

func (c *counted) Join(ctx context.Context, p result.Part) (result.Joined, error) {
	c.joins.Add(1)
	return c.inner.Join(ctx, p)
}

func (c *counted) Values(ctx context.Context, chord string, size int) ([]json.RawMessage, error) {
	c.values.Add(1)
	return c.inner.Values(ctx, chord, size)
}

func (c *counted) Get(ctx context.Context, id string) (result.Result, error) {
	c.gets.Add(1)
	return c.inner.Get(ctx, id)
}

func TestAChordOfTenThousandCallsBackOnceAndCostsEachMemberTwoCallsOfTheStore(t *testing.T) {
	inFlow(t, func(b *bench, s result.Store) {
		const size = 10_000
		c := &counted{inner: s}
		b.cfg.Results, b.cfg.Concurrency, b.cfg.PrefetchMultiplier = c, 4, 16
		members := make([]*task.Signature, size)
		for i := range members {
			members[i] = call(fmt.Sprint(i), "add", i)
		}
		b.flow(task.Chord(members, call("back", "add")), 1)
		b.start()
		if got, want := value(b.t, s, "back"), fmt.Sprint(size*(size-1)/2); got != want {
			b.t.Errorf("called back with a sum of %s, want %s", got, want)
		}
		if n := len(b.lines(ledger.Finished)); n != size+1 {
			b.t.Errorf("%d tasks have finished", n)
		}
		for what, n := range map[string][2]int64{
			"Store": {c.stores.Load(), size + 1}, "Join": {c.joins.Load(), size}, "Values": {c.values.Load(), 1}, "Get": {c.gets.Load(), 1},
		} {
			if n[0] != n[1] {
				b.t.Errorf("%s was called %d times, want %d", what, n[0], n[1])
			}
		}
	})
}
