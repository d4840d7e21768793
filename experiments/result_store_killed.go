package experiments

import (
	"context"
	"fmt"
	"time"

	"acklab/internal/check"
	"acklab/internal/fault"
	"acklab/internal/ledger"
	"acklab/task"
)

var resultStoreKilled = &Experiment{
	Name:     "result-store-killed",
	Question: "The result store is killed while 500 tasks are run: do they go on, and which results are gone?",
	Claims:   []string{"E4"},
	Varies:   "the store and what it writes to disk; back at once or three seconds later (the tasks come over Redis: a broker that stands apart from the store does not matter)",
	Threats: []string{
		"the fault happened to nobody: it comes when 200 results are stored, and 300 tasks are still to be run",
		"lost by whom: what the worker says it could not store (result_lost) stands apart from what the store had taken and has no more (stored_then_gone)",
		"the broker is another server, which nobody touches",
		"SIGKILL is not a power cut: what the store had written is in the page cache and survives",
	},
	Suites: []Suite{Quick},
	Cells: func(sys System, suite Suite) []Cell {
		if sys.Name != "redis" { // the broker does not matter here
			return nil
		}
		var cells []Cell
		for _, store := range []ResultSpec{{Store: inRedis}, {Store: inRedis, Persistence: "aof-always"}, {Store: inPostgres}} {
			cells = append(cells, storeKilledCell(sys, store, 0), storeKilledCell(sys, store, 3*time.Second))
		}
		if suite == Quick {
			return oneTrialEach(cells[0], cells[2], cells[5])
		}
		return cells
	},
}

const (
	storedLoad   = 500
	storedBefore = 200
)

func storeKilledCell(sys System, store ResultSpec, down time.Duration) Cell {
	store.Own = true
	c := Cell{
		System: sys, Setting: Setting{"results": store.Store, "down": down.String()}, Trials: 3, Pace: Beside, Load: storedLoad, Seconds: 6 + down.Seconds(),
		Results: store, Measures: []string{"stored_then_gone"}, Control: store.Store + store.Persistence,
		Expect:    ledger.Expect{Faults: []string{faultRestart}},
		Predicted: check.Bounds{"finished": {storedLoad, storedLoad}, "result_lost": {0, storedLoad - storedBefore}, "stored_then_gone": {0, 0}},
		Because:   "a worker that cannot store a result says so and goes on with its tasks",
		Reasons:   map[string]string{"result_lost": "the results of what ran while the store was away, after the worker had tried a few times; none if it was back by then"},
	}
	if store.Persistence != "" {
		c.Setting["persistence"] = store.Persistence
	}
	if store.Store == inRedis && store.Persistence == "" {
		c.Setting["persistence"] = "none"
		c.Predicted["stored_then_gone"] = [2]int{storedBefore, storedLoad}
		c.Reasons["stored_then_gone"] = "all that was stored before the kill: 200, and those of the milliseconds until it comes"
		c.Because += "; a Redis without persistence comes back empty"
	} else {
		c.Because += "; what the store had taken is on its disk"
	}
	if down > 0 {
		c.Predicted["result_lost"] = [2]int{1, storedLoad - storedBefore}
		c.Reasons["result_lost"] = "300 tasks of 5 ms are over in half a second with four slots, or in some on a busy machine: the store is away for three"
	}
	c.Claims = map[string]check.Bounds{"E4": {"finished": {storedLoad, storedLoad}, "lost": {0, 0}, "stored_then_gone": c.Predicted["stored_then_gone"]}}
	hands := Hands{Ack: "late", Concurrency: 4, Multiplier: 4}
	load := []Step{Declare(), Publish(Job{Count: storedLoad, Name: "sleep", Args: []any{0.005}}), StartWorker(cleanWorker, hands)}
	end := []Step{AwaitEnded(cleanWorker, storedLoad), AwaitCountOfFinalStates(cleanWorker, storedLoad)}
	c.Steps = concat(load, []Step{AwaitCountOfFinalStates(cleanWorker, storedBefore), KillResults(down)}, end, []Step{CountGone(cleanWorker)})
	c.Clean = concat(load, end)
	return c
}

const stepKillResults = "kill the result store and start it again"

// KillResults kills the result store with SIGKILL and starts it again on what it
// had written, after it was down for a while.
func KillResults(down time.Duration) Step {
	return Step{fmt.Sprintf("%s %s later", stepKillResults, down), func(ctx context.Context, t *Trial) error {
		s, err := t.theResults()
		if err != nil {
			return err
		}
		return t.restart(ctx, s, fault.Restart{Down: down})
	}}
}

// CountGone measures how many of the results that the store took, by the
// worker's ledger, it does not have.
func CountGone(name string) Step {
	return Step{"ask for every result that " + name + " has stored", func(ctx context.Context, t *Trial) error {
		store, err := t.results(ctx)
		if err != nil {
			return err
		}
		lines, err := t.read(name)
		if err != nil {
			return err
		}
		gone := 0
		for _, l := range lines {
			if l.Event != ledger.ResultStored || task.State(l.State) != task.Success {
				continue
			}
			r, err := ask(ctx, store, l.Task)
			if err != nil {
				return err
			}
			gone += number(r.State != task.Success)
		}
		return t.Measure("stored_then_gone", float64(gone))
	}}
}
