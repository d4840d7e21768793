package experiments

import (
	"time"

	"acklab/internal/check"
	"acklab/internal/ledger"
)

var leaseOutlived = &Experiment{
	Name:     "lease-is-outlived",
	Question: "A task runs longer than the visibility timeout, or its worker stands still for as long: what happens to it?",
	Claims:   []string{"B8"},
	Varies:   "who outlives the lease x a lease that is renewed x settlement by the message (Celery's) or by the claim",
	Threats: []string{
		"the fault happened to nobody: the first worker holds the task before it is frozen, and the second one before it is thawed",
		"the harness disturbs: the task takes one and a half times the lease, so that two seconds of a busy machine change nothing",
		"leftovers: the layout has one hash of claims for all queues, and a sweep is everybody's, so each trial has a server of its own",
		"small n: nothing here is a race; three trials each",
	},
	Suites: []Suite{Quick},
	Celery: true,
	Cells: func(sys System, suite Suite) []Cell {
		switch {
		case sys.Celery && sys.Kind == RedisServer && suite == Full:
			return []Cell{celeryFrozenCell(sys)}
		case sys.Name != "redis": // elsewhere this is not built yet
			return nil
		}
		of := shortLease
		if suite == selfTest {
			of = shortest
		}
		cells := []Cell{
			of.longTaskCell(sys, "fixed", "celery"), of.longTaskCell(sys, "fixed", "claim"), of.longTaskCell(sys, "renew", "claim"),
			of.frozenCell(sys, "fixed", "celery"), of.frozenCell(sys, "fixed", "claim"), of.frozenCell(sys, "renew", "claim"),
			of.thawedCell(sys, "celery"), of.thawedCell(sys, "claim"),
		}
		if suite == Quick {
			return oneTrialEach(cells...)
		}
		return cells
	},
}

// span is a lease, a task that takes one and a half times as long, and how often
// claims that have outlived the lease are looked for.
type span struct{ lease, task, sweep time.Duration }

var (
	shortLease = span{6 * time.Second, 9 * time.Second, 250 * time.Millisecond}
	shortest   = span{2 * time.Second, 3 * time.Second, 100 * time.Millisecond} // for the self-test
)

func (of span) cell(sys System, lease, settle string) Cell {
	return Cell{
		System: sys, Setting: Setting{"lease": lease, "settle": settle}, Trials: 3, Pace: Beside, Load: 1, Control: settle,
		Server:  ServerSpec{Own: true},
		Options: []string{"visibility=" + of.lease.String(), "restore=" + of.sweep.String(), "lease=" + lease, "settle=" + settle},
		Reasons: map[string]string{}, Seconds: 12,
	}
}

// longTaskCell: nobody dies, nobody stands still, so it says nothing of B8.
func (of span) longTaskCell(sys System, lease, settle string) Cell {
	c := of.cell(sys, lease, settle)
	c.Setting["task"] = "longer than the lease"
	one := Hands{Ack: "late", Concurrency: 1, Multiplier: 1, Grace: time.Second}
	load := []Step{Declare(), Publish(Job{Count: 1, Name: "sleep", Args: []any{of.task.Seconds()}}), StartWorker("worker1", one), AwaitCount("worker1", ledger.Started, 1), StartWorker("worker2", one)}
	twice := []Step{AwaitCount("worker1", ledger.Finished, 1), AwaitCount("worker2", ledger.Finished, 1)}
	switch {
	case lease == "renew":
		c.Steps = concat(load, []Step{AwaitCount("worker1", ledger.Finished, 1)})
		c.Predicted = check.Bounds{}
		c.Because = "the worker that has the task renews its claim three times a lease: nobody takes it away"
	case settle == "celery":
		c.Steps = concat(load, twice)
		c.Predicted = check.Bounds{"repeated": {1, 1}, "restarted": {1, 1}, "redelivered": {1, 1}}
		c.Because = "when the lease is over the sweep gives the task to the second worker; half a lease later the first has finished, and its acknowledgement, " +
			"by the message, ends the second's claim: the task runs twice, and no more"
	default:
		c.Steps = concat(load, twice, []Step{Stop("worker1"), Stop("worker2")})
		c.Expect = ledger.Expect{Faults: []string{faultTerminate}}
		c.Predicted = check.Bounds{"repeated": {1, 1}, "restarted": {1, 1}, "redelivered": {1, 1}, "leftover": {1, 1}}
		c.Because = "each acknowledgement comes when the claim is another worker's, and is refused: a task that is longer than a lease that " +
			"nobody renews never ends; the workers are stopped when both have finished it"
		c.Seconds = 20
	}
	c.Clean = []Step{Declare(), Publish(Job{Count: 1, Name: "sleep", Args: []any{0.01}}), StartWorker(cleanWorker, one), AwaitReceivedOver(cleanWorker, 1)}
	return c
}

// frozenCell: the first worker stands still in the middle of the task for longer
// than its lease, and goes on when the second has run it. What stands still renews
// nothing.
func (of span) frozenCell(sys System, lease, settle string) Cell {
	c := of.cell(sys, lease, settle)
	c.Setting["task"] = "of a worker that stands still"
	still := Hands{Ack: "late", Concurrency: 1, Multiplier: 1, PauseAt: "mid"}
	hands := Hands{Ack: "late", Concurrency: 1, Multiplier: 1}
	load := []Step{Declare(), Publish(Job{Count: 1, Name: "sleep", Args: []any{0.01}})}
	c.Steps = concat(load, []Step{
		StartWorker("frozen", still), AwaitHolding("frozen", "mid", 1), Freeze("frozen"),
		StartWorker("second", hands), Aside(AwaitCount("second", ledger.Finished, 1)), Thaw("frozen"), Release("frozen"), AwaitCount("frozen", ledger.Finished, 1),
	})
	c.Clean = concat(load, []Step{StartWorker(cleanWorker, hands), AwaitReceivedOver(cleanWorker, 1)})
	c.Expect = ledger.Expect{Faults: []string{faultFreeze}}
	c.Predicted = check.Bounds{"repeated": {1, 1}, "restarted": {1, 1}, "redelivered": {1, 1}}
	c.Because = "whoever does not renew its claim is taken for dead, and does not know it: when it goes on, it ends a task that another has ended"
	if lease == "renew" {
		c.Because = "a worker that stands still does not renew its claim, and does not know it: when it goes on, it ends a task that another has ended"
	}
	c.Claims = map[string]check.Bounds{"B8": {"repeated": {1, 1}}}
	return c
}

// celeryFrozenCell is frozenCell with Celery's workers: parent and children stand
// still, and the second one's sweep comes ten seconds after its start, when the
// lease is not over yet, and then a hundred later.
func celeryFrozenCell(sys System) Cell {
	of := span{lease: celeryLease}
	c := of.frozenCell(sys, "fixed", "celery")
	c.Options = nil // the lease is the system's
	c.Trials, c.Pace, c.Settle, c.Seconds = 1, Waiting, sys.Traits().ReturnMax+30*time.Second, 10
	c.Because = "Celery's worker does not renew its claim, and does not know it: when it goes on, it ends a task that another has ended"
	return c
}

// thawedCell: the first worker stands still before its early acknowledgement, the
// second one gets the task, the first goes on and acknowledges, and then both
// die.
func (of span) thawedCell(sys System, settle string) Cell {
	c := of.frozenCell(sys, "fixed", settle)
	c.Setting["task"] = "acknowledged by a worker that stood still"
	c.Seconds, c.Settle, c.Control, c.Claims = 25, of.lease+of.task, settle+" early", nil
	still := Hands{Ack: "early", Concurrency: 1, Multiplier: 1, PauseAt: "fetched"}
	hands := Hands{Ack: "early", Concurrency: 1, Multiplier: 1}
	load := []Step{Declare(), Publish(Job{Count: 1, Name: "sleep", Args: []any{of.task.Seconds()}})}
	c.Steps = concat(load, []Step{
		StartWorker("frozen", still), AwaitHolding("frozen", "fetched", 1), Freeze("frozen"),
		StartWorker("second", still), AwaitHolding("second", "fetched", 1), Thaw("frozen"), Release("frozen"),
		AwaitAnswer("frozen"), Kill("frozen"), Kill("second"), StartWorker("third", hands), AwaitConsuming("third"),
	})
	c.Clean = concat([]Step{Declare(), Publish(Job{Count: 1, Name: "sleep", Args: []any{0.01}})}, []Step{StartWorker(cleanWorker, hands), AwaitReceivedOver(cleanWorker, 1)})
	c.Expect = ledger.Expect{Faults: []string{faultFreeze, faultKill}}
	c.Predicted = check.Bounds{"redelivered": {1, 1}}
	c.Because = "the late acknowledgement names a claim that is no more, and changes nothing: the second worker's claim runs out after its death, and the third has the task"
	if settle == "celery" {
		c.Predicted["lost"], c.Predicted["lost_after_ack"] = [2]int{1, 1}, [2]int{1, 1}
		c.Because = "the late acknowledgement names the message, and so ends the second worker's claim: when both are dead nobody has the task"
	}
	return c
}
