package scheduler_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"acklab/scheduler"
	"acklab/scheduler/schedulertest"
)

// What leads alone keeps the same contracts as a store that several share.

func TestMemoryKeepsStates(t *testing.T) {
	schedulertest.Keepers(t, func(testing.TB) schedulertest.Store {
		m := scheduler.NewMemory()
		return schedulertest.Store{Keeper: func(testing.TB) scheduler.Keeper { return m }}
	})
}

// Each client opens the file again, as after a restart.
func TestAStateFileKeepsStates(t *testing.T) {
	schedulertest.Keepers(t, func(t testing.TB) schedulertest.Store {
		path := filepath.Join(t.TempDir(), "state")
		var opened *scheduler.StateFile
		closeIt := func() {
			if opened != nil {
				if err := opened.Close(); err != nil {
					t.Error(err)
				}
			}
		}
		t.Cleanup(closeIt)
		return schedulertest.Store{Keeper: func(t testing.TB) scheduler.Keeper {
			t.Helper()
			closeIt()
			k, err := scheduler.OpenStateFile(path)
			if err != nil {
				t.Fatal(err)
			}
			opened = k
			return reopened{&opened}
		}}
	})
}

// reopened is the file as it was opened last.
type reopened struct{ file **scheduler.StateFile }

func (r reopened) States(ctx context.Context) (map[string]scheduler.State, error) {
	return (*r.file).States(ctx)
}
func (r reopened) Requests(ctx context.Context) ([]scheduler.Tick, error) {
	return (*r.file).Requests(ctx)
}
func (r reopened) Begin(ctx context.Context, term scheduler.Term, begun map[string]scheduler.Beginning) error {
	return (*r.file).Begin(ctx, term, begun)
}
func (r reopened) Claim(ctx context.Context, term scheduler.Term, ticks []scheduler.Tick) error {
	return (*r.file).Claim(ctx, term, ticks)
}
func (r reopened) Settle(ctx context.Context, term scheduler.Term, outcomes []scheduler.Outcome) error {
	return (*r.file).Settle(ctx, term, outcomes)
}

// A file is edited by whoever can write; JSON is YAML too.
func TestAFileIsASource(t *testing.T) {
	schedulertest.Sources(t, func(t testing.TB) schedulertest.Store {
		path := filepath.Join(t.TempDir(), "beat.yaml")
		var mu sync.Mutex
		var all []scheduler.Schedule
		written := time.Now().Add(-time.Hour)
		write := func() error {
			if all == nil {
				all = []scheduler.Schedule{}
			}
			text, err := json.Marshal(map[string]any{"schedules": all})
			if err == nil {
				err = os.WriteFile(path+".new", text, 0o644)
			}
			if err == nil { // one that was written just now is not read yet
				written = written.Add(time.Second)
				err = os.Chtimes(path+".new", written, written)
			}
			if err == nil {
				err = os.Rename(path+".new", path)
			}
			return err
		}
		if err := write(); err != nil {
			t.Fatal(err)
		}
		return schedulertest.Store{
			Source: func(testing.TB) scheduler.Source { return &scheduler.File{Path: path} },
			Put: func(_ context.Context, s scheduler.Schedule) error {
				mu.Lock()
				defer mu.Unlock()
				if i := slices.IndexFunc(all, func(one scheduler.Schedule) bool { return one.Name == s.Name }); i >= 0 {
					all[i] = s
				} else {
					all = append(all, s)
				}
				return write()
			},
		}
	})
}
