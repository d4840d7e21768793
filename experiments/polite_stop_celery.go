package experiments

import (
	"time"

	"acklab/internal/celery"
	"acklab/internal/check"
	"acklab/internal/ledger"
)

// A Celery worker that gets SIGTERM has no grace period: it takes nothing more,
// waits for what runs however long that is, gives back the rest and ends. A grace
// period is what others have with it: they kill it when theirs is over.

// celeryPoliteCells are short tasks, long ones that are waited for, and long ones
// that are not.
func celeryPoliteCells(sys System, suite Suite) []Cell {
	var cells []Cell
	for _, ack := range []string{"early", "late"} {
		cells = append(cells, celeryPoliteShort(sys, ack), celeryPoliteKilled(sys, suite, ack))
		if suite != Quick {
			cells = append(cells, celeryPoliteWaited(sys, ack))
		}
	}
	if suite == Quick {
		return oneTrialEach(cells...)
	}
	return cells
}

// celeryPoliteShort is a race on Redis: which step the worker is at when it is
// told to stop.
func celeryPoliteShort(sys System, ack string) Cell {
	c := politeShort(sys, ack)
	c.Setting["pool"], c.Seconds, c.Trials = string(celery.Prefork), 6, 50
	hands := Hands{Ack: ack, Concurrency: 2, Multiplier: 4}
	c.Steps = []Step{
		Declare(), Publish(Job{Count: c.Load, Name: "sleep", Args: []any{0.02}}), StartWorker("victim", hands),
		AtRandom(Stop("victim"), "victim", 10, 40, 20*time.Millisecond), StartWorker("survivor", hands), AwaitConsuming("survivor"),
	}
	c.Because = "it waits for the running tasks and acknowledges them; what has not begun is given back"
	c.wide("redelivered", 1, 8, "the prefetch of 8 less what was taken in the meantime is given back")
	if sys.takesInTwoSteps() {
		c.Because += "; but a message that was popped and not yet written down is nobody's"
		c.mayTake(0, 0, betweenSteps)
	}
	return c
}

// longJob is two tasks for the slots and four to wait, each longer than any grace
// here.
var longJob = Job{Count: 6, Name: "sleep", Args: []any{3.0}}

// celeryPoliteLong has both slots busy with a long task and its prefetch full
// before it goes on.
func celeryPoliteLong(sys System, ack, task string, stop Step) Cell {
	hands := Hands{Ack: ack, Concurrency: 2, Multiplier: 2}
	c := politeCell(sys, ack, task, longJob, hands, 2)
	c.Setting["pool"], c.Seconds, c.Control = string(celery.Prefork), 16, ack+"-long"
	steps := []Step{
		Declare(), Publish(longJob), StartWorker("victim", hands), AwaitCount("victim", ledger.Started, 2),
		AwaitCount("victim", ledger.Received, 4),
	}
	if ack == "early" { // the acknowledgements let in the last two
		steps = append(steps, AwaitCount("victim", ledger.AckSent, 2), AwaitCount("victim", ledger.Received, 6))
	}
	c.Steps = append(steps, stop, StartWorker("survivor", hands), AwaitConsuming("survivor"))
	return c
}

func celeryPoliteWaited(sys System, ack string) Cell {
	c := celeryPoliteLong(sys, ack, "long, and waited for", Stop("victim"))
	c.Predicted = check.Bounds{"redelivered": {4, 4}}
	c.Because = "the running tasks were acknowledged, and it waits for them; the four that had not begun are given back"
	if ack == "late" {
		c.Predicted["redelivered"] = [2]int{2, 2}
		c.Because = "it waits for the running tasks and acknowledges them; the two that had not begun are given back"
	}
	return c
}

// celeryPoliteKilled: the worker has heard SIGTERM and waits for its tasks when it
// is killed. It gives back at its very end, so it has given back nothing.
func celeryPoliteKilled(sys System, suite Suite, ack string) Cell {
	c := celeryPoliteLong(sys, ack, "longer than the grace period", StopOrKill("victim", 200*time.Millisecond))
	c.Expect = ledger.Expect{Victim: "victim", Faults: []string{faultKill}, Running: 2, Prefetched: 2}
	c.Pace = Waiting
	leased(&c, sys, suite)
	if c.Settle == 0 {
		c.Pace = Beside
	}
	back := "redelivered"
	c.Because = "killed while it waits for the running tasks, it has given back nothing: the broker does"
	if c.Stranding {
		back = "stranded"
		c.Because += ", when the lease is over, which is not waited for here"
	}
	c.Predicted = check.Bounds{back: {4, 4}}
	switch {
	case ack == "early":
		c.Expect.Prefetched = 4
		c.Predicted["lost"], c.Predicted["lost_after_ack"] = [2]int{2, 2}, [2]int{2, 2}
		c.Because += "; both running tasks were acknowledged"
	case !c.Stranding:
		c.Predicted["restarted"] = [2]int{2, 2}
	}
	return c
}
