// Package schedulertest is the conformance suite of package scheduler's
// contracts: the comments of Source, Keeper and Elector as tests, run against a
// real store. The test of a store is a function that makes an empty one, and a
// call to Keepers, Electors or Sources.
package schedulertest

import (
	"context"
	"testing"
	"time"

	"acklab/scheduler"
)

// patience bounds every wait for something that should come soon. It is a limit,
// never a pause.
const patience = 30 * time.Second

// Store is one store of schedules. What is nil it does not have: what needs it is
// skipped and says so.
type Store struct {
	// Keeper makes a client of the states, as another process would, and has t
	// close it.
	Keeper func(t testing.TB) scheduler.Keeper
	// Elector makes a client of the lease, in the same way.
	Elector func(t testing.TB) scheduler.Elector
	// Source makes a client of the schedules.
	Source func(t testing.TB) scheduler.Source
	// Put adds or changes a schedule.
	Put func(ctx context.Context, s scheduler.Schedule) error
	// Ask asks for a tick by hand, of a schedule that is there.
	Ask func(ctx context.Context, name string) (scheduler.Tick, error)
	// History is what is remembered of a schedule's outcomes, youngest first.
	History func(ctx context.Context, name string) ([]scheduler.Outcome, error)
}

// test is one sentence of a contract.
type test struct {
	name string
	need func(Store) bool // nil: nothing
	run  func(*probe)
}

// probe is one test on a store of its own.
type probe struct {
	*testing.T
	Store
}

func run(t *testing.T, fresh func(testing.TB) Store, tests []test) {
	for _, one := range tests {
		t.Run(one.name, func(t *testing.T) {
			t.Parallel()
			p := &probe{t, fresh(t)}
			if one.need != nil && !one.need(p.Store) {
				t.Skip("skipped: this store does not have what that is about")
			}
			one.run(p)
		})
	}
}

// soon is a context that ends when patience does.
func (p *probe) soon() context.Context {
	ctx, cancel := context.WithTimeout(p.Context(), patience)
	p.Cleanup(cancel)
	return ctx
}

func (p *probe) ok(err error) {
	p.Helper()
	if err != nil {
		p.Fatal(err)
	}
}

// await waits for a channel to give a value or to be closed.
func await[T any](p *probe, what string, c <-chan T) (value T, open bool) {
	p.Helper()
	select {
	case value, open = <-c:
	case <-p.soon().Done():
		p.Fatalf("%s: not within %v", what, patience)
	}
	return value, open
}
