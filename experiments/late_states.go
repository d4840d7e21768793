package experiments

import (
	"context"
	"fmt"

	"acklab/internal/celery"
	"acklab/internal/check"
	"acklab/internal/ledger"
	"acklab/task"
)

var lateStates = &Experiment{
	Name:     "late-retry-state",
	Question: "A task fails, is tried again at once and ends before its RETRY is stored: does it end for its caller as it ended?",
	Varies:   "how the tasks end; whether the next try overtakes RETRY by chance or for certain; whose worker it is, the laboratory's or Celery's",
	Threats: []string{
		"asked too early: every task has ended, and the worker is done with every result, before the caller looks",
		"counters of the thing under test: what the caller reads stands beside the ledgers, where all 300 have ended",
		"overtaken by nobody: the tasks come at a rate at which a slot is free for every retry; and in cells of their own a try holds still on its way to RETRY until the next one has ended",
		"small n: how many of 300 are stuck is a race, which may come to none; that one can be is what the cells show in which it is made certain",
	},
	Celery: true,
	Cells: func(sys System, suite Suite) []Cell {
		if sys.Kind == NoServer || suite == Quick {
			return nil
		}
		return []Cell{
			lateStateCell(sys, endsWell), lateStateCell(sys, endsBadly),
			overtakenCell(sys, endsWell), overtakenCell(sys, endsBadly),
		}
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
		System: sys, Setting: Setting{"results": inRedis, "policy": "1 retry at once", "task": ends, "overtaken": "by chance"}, Trials: 3, Pace: Beside, Load: lateLoad, Seconds: 22,
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
		c.wide("stuck_in_retry", 0, lateLoad/2, "whether the next try ends before RETRY is stored, and after the state was read, is a race; its frequency is the result. A slot is free, so both are on their way at once: that it is the rule, and more than every second, is excluded")
		c.Because = "a Celery worker publishes the retry, reads the state, and writes RETRY unless it has read SUCCESS: what the next try stores in between is overwritten"
	}
	return c
}

// overtakenCell is one task at its worst moment: its first try has published the
// retry and holds still where it is about to write RETRY, in Celery after it has read
// the state, until another worker has ended the task and its state is stored.
func overtakenCell(sys System, ends string) Cell {
	hands := Hands{Ack: "late", Concurrency: 1, Multiplier: 1, Retry: Retry{Max: 1}}
	still := hands
	still.PauseAt = "retry-sent"
	c := Cell{
		System: sys, Setting: Setting{"results": inRedis, "policy": "1 retry at once", "task": ends, "overtaken": "for certain"}, Trials: 3, Pace: Beside, Load: 1, Seconds: 4,
		Results: ResultSpec{Store: inRedis}, Measures: []string{"stuck_in_retry"},
		Predicted: check.Bounds{"finished": {1, 1}, "stuck_in_retry": {0, 0}},
		Because:   "the store itself never lets an unfinished state follow a finished one",
	}
	job := Job{Count: 1, Name: "fail_n_times", Args: []any{1}}
	if ends == endsBadly {
		job.Args = []any{100}
		c.Predicted["finished"], c.Predicted["failed"] = [2]int{0, 0}, [2]int{1, 1}
	}
	if sys.Celery {
		still.PauseAt, c.Seconds = celery.StateRead, 12
		c.Predicted["stuck_in_retry"] = [2]int{1, 1}
		c.Because = "a Celery worker reads the state, and writes RETRY whatever was stored since: nobody writes the state of that task again"
	}
	c.Steps = []Step{
		Declare(), StartWorker("still", still), AwaitConsuming("still"), Publish(job), AwaitHolding("still", still.PauseAt, 1),
		StartWorker("next", hands), AwaitEnded("next", 1), AwaitStates("next", 1), Release("still"), AwaitStates("still", 1), CountStuck(),
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
