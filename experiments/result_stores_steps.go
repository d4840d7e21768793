package experiments

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"acklab/internal/connect"
	"acklab/result"
	"acklab/task"
)

// CompareStores stores and fetches n results in the trial's store and in a Redis
// without persistence, in turns, by so many callers at a time, and measures
// the rates in percent of the latter's, and how long one Store takes.
func CompareStores(n, rounds, callers int) Step {
	return Step{fmt.Sprintf("store and fetch %d results in turns with a Redis that writes nothing", n), func(ctx context.Context, t *Trial) error {
		ours, err := t.results(ctx)
		if err != nil {
			return err
		}
		plain, err := t.run.servers.get(ctx, RedisServer, ServerSpec{})
		if err != nil {
			return err
		}
		other, err := connect.OpenResult(ctx, "redis://"+plain.Addr()+"/2", result.Options{})
		if err != nil {
			return err
		}
		defer other.Close(context.WithoutCancel(ctx))
		mine, theirs := &race{store: ours}, &race{store: other}
		for _, r := range []*race{mine, theirs} { // the first connections are nobody's time
			if err := (&race{store: r.store}).run(ctx, sideIDs(t.id, rounds, callers), callers); err != nil {
				return err
			}
		}
		for round := range rounds {
			turns := []*race{mine, theirs}
			if round%2 == 1 {
				slices.Reverse(turns)
			}
			for _, r := range turns {
				if err := r.run(ctx, sideIDs(t.id, round, n/rounds), callers); err != nil {
					return err
				}
			}
		}
		slices.Sort(mine.each)
		return errors.Join(
			t.Measure("store_rate_percent", 100*median(theirs.storing)/median(mine.storing)),
			t.Measure("fetch_rate_percent", 100*median(theirs.fetching)/median(mine.fetching)),
			t.Measure("store_p50_ms", mine.each[len(mine.each)/2].Seconds()*1000),
			t.Measure("store_p99_ms", mine.each[len(mine.each)*99/100].Seconds()*1000),
		)
	}}
}

// sideIDs are the tasks of one round.
func sideIDs(trial string, round, n int) []string {
	ids := make([]string, n)
	for i := range ids {
		ids[i] = fmt.Sprintf("%s/%d/%d", trial, round, i)
	}
	return ids
}

// race is how long one store has taken in each round so far.
type race struct {
	store             result.Store
	storing, fetching []time.Duration
	mu                sync.Mutex
	each              []time.Duration // one Store
}

// median is in seconds. A busy machine stretches single rounds.
func median(rounds []time.Duration) float64 {
	sorted := slices.Sorted(slices.Values(rounds))
	return sorted[len(sorted)/2].Seconds()
}

func (r *race) run(ctx context.Context, ids []string, callers int) error {
	begin := time.Now()
	err := sideBySideDo(ctx, ids, callers, func(ctx context.Context, id string) error {
		one := time.Now()
		err := r.store.Store(ctx, result.Result{TaskID: id, State: task.Success, Value: []byte(`{"sum": 8}`), Done: one})
		r.mu.Lock()
		defer r.mu.Unlock()
		r.each = append(r.each, time.Since(one))
		return err
	})
	r.storing = append(r.storing, time.Since(begin))
	if err != nil {
		return err
	}
	begin = time.Now()
	err = sideBySideDo(ctx, ids, callers, func(ctx context.Context, id string) error {
		got, err := r.store.Get(ctx, id)
		if err == nil && got.State != task.Success {
			err = fmt.Errorf("task %s was stored and reads %s", id, got.State)
		}
		return err
	})
	r.fetching = append(r.fetching, time.Since(begin))
	return err
}

// sideBySideDo does something for each id, so many at a time.
func sideBySideDo(ctx context.Context, ids []string, callers int, do func(context.Context, string) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(callers)
	for _, id := range ids {
		group.Go(func() error { return do(ctx, id) })
	}
	return group.Wait()
}

// KillAndCount kills the result store, starts it again, and measures how many
// of the n results that it had taken are gone.
func KillAndCount(n int) Step {
	return Step{stepKillResults + ", and ask for everything", func(ctx context.Context, t *Trial) error {
		if err := KillResults(0).Do(ctx, t); err != nil {
			return err
		}
		store, err := t.results(ctx)
		if err != nil {
			return err
		}
		gone := 0
		for round := range sideRounds {
			for _, id := range sideIDs(t.id, round, n/sideRounds) {
				r, err := ask(ctx, store, id)
				if err != nil {
					return err
				}
				gone += number(r.State != task.Success)
			}
		}
		return t.Measure("gone_after_kill", float64(gone))
	}}
}
