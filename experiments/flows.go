package experiments

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"acklab/internal/ledger"
	"acklab/task"
)

// What the experiments about workflows have in common: the words of one, waiting
// for its end, and what the ledgers and the result store say of it.

// diesWithItsWorker is why the in-process system has no cell in which the work of a
// dead worker is brought to another one.
const diesWithItsWorker = "no such point: the in-process queue ends with its worker, nobody is left to bring anything back"

// flows is what a trial's ledgers say of its workflows.
type flows struct {
	owed             [][]ledger.Line    // the planned lines of each, in the order of its places
	starts, finishes map[string][]int64 // by task: when handlers began and finished
	named            map[string]string  // by task, of all that somebody attempted: the name of its handler
}

// flows reads the ledgers of all members.
func (t *Trial) flows() (flows, error) {
	f := flows{starts: map[string][]int64{}, finishes: map[string][]int64{}, named: map[string]string{}}
	at := map[string]int{}
	for _, name := range t.order {
		lines, err := t.read(name)
		if err != nil {
			return f, err
		}
		for _, l := range lines {
			switch l.Event {
			case ledger.Planned:
				id := l.Detail[ledger.DetailWorkflow]
				if _, known := at[id]; !known {
					at[id] = len(f.owed)
					f.owed = append(f.owed, nil)
				}
				f.owed[at[id]] = append(f.owed[at[id]], l)
			case ledger.Attempted:
				f.named[l.Task] = l.Name
			case ledger.Started:
				f.starts[l.Task] = append(f.starts[l.Task], l.Mono)
			case ledger.Finished:
				f.finishes[l.Task] = append(f.finishes[l.Task], l.Mono)
			}
		}
	}
	for _, times := range f.starts {
		slices.Sort(times)
	}
	for _, times := range f.finishes {
		slices.Sort(times)
	}
	if len(f.owed) == 0 {
		return f, fmt.Errorf("no workflow was planned in this trial")
	}
	return f, nil
}

// unplanned counts the runs to the end of tasks of a name that nobody had planned:
// those of errbacks.
func (f flows) unplanned(name string) (n int) {
	planned := map[string]bool{}
	for _, flow := range f.owed {
		for _, l := range flow {
			planned[l.Task] = true
		}
	}
	for id, called := range f.named {
		if called == name && !planned[id] {
			n += len(f.finishes[id])
		}
	}
	return n
}

// stored is what the result store has of a task.
type stored struct {
	state task.State
	value string // compact JSON
	kind  string // of the error
}

func (t *Trial) stored(ctx context.Context, id string) (stored, error) {
	store, err := t.results(ctx)
	if err != nil {
		return stored{}, err
	}
	r, err := ask(ctx, store, id)
	if err != nil {
		return stored{}, err
	}
	s := stored{state: r.State, value: string(r.Value)}
	if r.Error != nil {
		s.kind = r.Error.Type
	}
	var v any
	if json.Unmarshal(r.Value, &v) == nil {
		compact, err := json.Marshal(v)
		if err != nil {
			return s, err
		}
		s.value = string(compact)
	}
	return s, nil
}

// findPlace gives the hands the task that their CrashPlace means.
func (t *Trial) findPlace(h *Hands) error {
	if h.CrashPlace == "" {
		return nil
	}
	f, err := t.flows()
	if err != nil {
		return err
	}
	for _, l := range f.owed[0] {
		if l.Detail[ledger.DetailPlace] == h.CrashPlace {
			h.crashTask = l.Task
			return nil
		}
	}
	return fmt.Errorf("the workflow has no place %q", h.CrashPlace)
}

// awaitLease sets what a system with a lease needs, of a cell in which nothing is
// timed: what leased takes for a race is none here.
func awaitLease(c *Cell, sys System, suite Suite) {
	c.Pace = Alone
	if leased(c, sys, suite); c.Pace == Alone {
		c.Pace = Beside
	}
}

// AwaitRuns waits until handlers of all members together have run n times, to
// their end or to a failure for good, or until the trial has come to rest with
// fewer: then no more will come, and the counts are to say so. A trial that waits
// for a lease lets others run meanwhile.
func AwaitRuns(n int) Step {
	return Aside(Step{fmt.Sprintf("wait until %d runs are over", n), func(ctx context.Context, t *Trial) error { return t.awaitRuns(ctx, n) }})
}

func (t *Trial) awaitRuns(ctx context.Context, n int) error {
	tick := time.NewTicker(tailEvery)
	defer tick.Stop()
	var rest rest
	for {
		runs := 0
		for name, m := range t.members {
			if err := m.tail.read(); err != nil {
				return fmt.Errorf("wait for the runs of %s: %w", name, err)
			}
			runs += m.tail.counts[ledger.Finished] + m.tail.final
		}
		if runs >= n {
			return nil
		}
		if rest.reached(ctx, t) {
			t.run.log.Debug("a trial came to rest", "trial", t.id, "runs", runs, "awaited", n)
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("wait until %d runs are over: %w after %d", n, ctx.Err(), runs)
		}
	}
}

// Aside is a step that only waits, after which no step does much: where the trial
// waits for a lease it gives its slot to another one, and takes one again when all
// is settled. (To take it again at once could last longer than the steps may.)
func Aside(step Step) Step {
	return Step{step.Name, func(ctx context.Context, t *Trial) error {
		if t.cell.Pace == Waiting {
			t.release()
		}
		return step.Do(ctx, t)
	}}
}

// brief is a workflow of the command line, short.
func brief(words []string) string {
	text := strings.TrimLeft(strings.Join(words, ", "), "-")
	if len(text) > 60 {
		return fmt.Sprintf("%s... (%d words)", text[:60], len(words))
	}
	return text
}
