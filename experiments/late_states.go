package experiments

import (
	"context"
	"fmt"

	"acklab/internal/check"
	"acklab/internal/ledger"
	"acklab/task"
)

var lateStates = &Experiment{
	Name:     "late-retry-state",
	Question: "300 tasks fail and are tried again at once, four at a time: does each end for its caller as it ended?",
	Varies:   "how the tasks end; whose worker it is, the laboratory's or Celery's",
	Threats: []string{
		"asked too early: every task has ended, and the worker is done with every result, before the caller looks",
		"counters of the thing under test: what the caller reads stands beside the ledgers, where all 300 have ended",
		"overtaken by nobody: the tasks come at a rate at which a slot is free for every retry",
		"small n: how many are stuck is a race, and a range; that any is stuck is the result",
	},
	Celery: true,
	Cells: func(sys System, suite Suite) []Cell {
		if sys.Kind == NoServer || suite == Quick {
			return nil
		}
		return []Cell{lateStateCell(sys, endsWell), lateStateCell(sys, endsBadly)}
	},
}

// lateLoad is how many tasks there are, lateSlots how many run at a time: a
// retry that is published overtakes the state of the try that published it.
//
// They come so slowly that a retry finds an idle slot: behind a full queue it
// would be overtaken by nobody.
const (
	lateLoad  = 300
	lateSlots = 4
	lateRate  = 15 // a second
)

func lateStateCell(sys System, ends string) Cell {
	hands := Hands{Ack: "late", Concurrency: lateSlots, Multiplier: 4, Retry: Retry{Max: 1}}
	c := Cell{
		System: sys, Setting: Setting{"results": inRedis, "policy": "1 retry at once", "task": ends}, Trials: 3, Pace: Beside, Load: lateLoad, Seconds: 22,
		Results: ResultSpec{Store: inRedis}, Measures: []string{"stuck_in_retry"},
		Predicted: check.Bounds{"finished": {lateLoad, lateLoad}, "stuck_in_retry": {0, 0}},
		Because:   "the store itself never lets an unfinished state follow a finished one",
		Reasons:   map[string]string{},
	}
	job := Job{Count: lateLoad, Name: "fail_n_times", Args: []any{1}, Rate: lateRate}
	if ends == endsBadly {
		job.Args = []any{100}
		c.Predicted["finished"], c.Predicted["failed"] = [2]int{0, 0}, [2]int{lateLoad, lateLoad}
	}
	c.Steps = []Step{
		Declare(), StartWorker(cleanWorker, hands), AwaitConsuming(cleanWorker), Publish(job), AwaitEnded(cleanWorker, lateLoad), AwaitStates(cleanWorker, 2*lateLoad), CountStuck(),
	}
	if sys.Celery {
		c.wide("stuck_in_retry", 0, lateLoad/2, "whether the next try ends before RETRY is stored, and after the state was read, is a race; its frequency is the result")
		c.Because = "a Celery worker publishes the retry, reads the state, and writes RETRY unless it has read SUCCESS: what the next try stores in between is overwritten"
	}
	return c
}

// AwaitStates waits until a worker's ledger has n words of the store on states,
// the finished ones and the others.
func AwaitStates(name string, n int) Step {
	return Step{fmt.Sprintf("wait until %s has stored %d states", name, n), func(ctx context.Context, t *Trial) error {
		return t.await(ctx, name, fmt.Sprintf("has stored %d states", n), func(f *tail) bool {
			return f.counts[ledger.ResultStored]+f.counts[ledger.ResultKept]+f.counts[ledger.ResultLost] >= n
		})
	}}
}

// CountStuck measures how many of the tasks read RETRY.
func CountStuck() Step {
	return Step{"ask for the state of every task", func(ctx context.Context, t *Trial) error {
		store, err := t.results(ctx)
		if err != nil {
			return err
		}
		lines, err := t.read("producer")
		if err != nil {
			return err
		}
		stuck := 0
		for _, l := range lines {
			if l.Event != ledger.Attempted {
				continue
			}
			r, err := ask(ctx, store, l.Task)
			if err != nil {
				return err
			}
			switch r.State {
			case task.Retry:
				stuck++
			case task.Success, task.Failure:
			default:
				return fmt.Errorf("task %s has ended and reads %s", l.Task, r.State)
			}
		}
		return t.Measure("stuck_in_retry", float64(stuck))
	}}
}
