package redisstore_test

import (
	"context"
	"errors"
	"testing"

	"acklab/scheduler"
	"acklab/scheduler/redisstore"
	"acklab/scheduler/schedulertest"
)

// fresh is an empty store, each of whose clients is one process.
func fresh(t testing.TB) schedulertest.Store {
	url := database(t)
	client := func(t testing.TB) *redisstore.Store { return open(t, url, redisstore.Options{}) }
	editor := client(t)
	return schedulertest.Store{
		Keeper:  func(t testing.TB) scheduler.Keeper { return client(t) },
		Elector: func(t testing.TB) scheduler.Elector { return client(t) },
		Source:  func(t testing.TB) scheduler.Source { return client(t) },
		Put: func(ctx context.Context, s scheduler.Schedule) error {
			_, err := editor.Add(ctx, s)
			if errors.Is(err, redisstore.ErrExists) {
				_, err = editor.Edit(ctx, s.Name, func(e *redisstore.Entry) error { e.Schedule = s; return nil })
			}
			return err
		},
		Ask: editor.RunNow,
		History: func(ctx context.Context, name string) ([]scheduler.Outcome, error) {
			past, unreadable, err := editor.History(ctx, name)
			return past, errors.Join(err, unreadable)
		},
	}
}

func TestKeeperConformance(t *testing.T)  { schedulertest.Keepers(t, fresh) }
func TestElectorConformance(t *testing.T) { schedulertest.Electors(t, fresh) }
func TestSourceConformance(t *testing.T)  { schedulertest.Sources(t, fresh) }
