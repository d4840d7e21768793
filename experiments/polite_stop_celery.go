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
//
// Celery 5.2 ends whatever its main process is doing by an exception from the
// handler of the signal (celery/apps/worker.py): an acknowledgement, a message that
// is half taken, a job that is half handed to a child. Then it may wait for ever, or
// go on as if nothing had been said. 5.3 sets a flag instead
// (github.com/celery/celery/pull/7339).

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

// celeryPoliteCell is one cell: the victim gets to work and is told to stop, and a
// survivor does the rest.
func celeryPoliteCell(sys System, ack, task string, job Job, hands Hands, stop ...Step) Cell {
	hands.Ack = ack
	c := politeCell(sys, ack, task, job, hands, 0)
	c.Setting["pool"], c.Measures = string(celery.Prefork), []string{killedAfterGrace}
	c.Steps = concat(
		[]Step{Declare(), Publish(job), StartWorker("victim", hands)}, stop,
		[]Step{StartWorker("survivor", hands), AwaitConsuming("survivor")},
	)
	return c
}

// celeryPoliteShort is told to stop in the middle of its work: a race of what the
// worker's main process is doing.
func celeryPoliteShort(sys System, ack string) Cell {
	c := celeryPoliteCell(sys, ack, "short", Job{Count: 100, Name: "sleep", Args: []any{0.02}}, Hands{Concurrency: 2, Multiplier: 4},
		AtRandom(StopOrKill("victim", stopWithin), "victim", 10, 40, 20*time.Millisecond))
	c.Trials, c.Seconds = 20, 8
	c.unwaited()
	c.Predicted, c.Reasons = check.Bounds{}, map[string]string{}
	c.Because = "it waits for the running tasks, acknowledges them and gives back the rest, unless the signal met its main process at an unlucky moment"
	moment := "SIGTERM ends whatever the main process was doing; how often that matters is the result"
	c.wide(killedAfterGrace, 0, 1, moment)
	c.wide("redelivered", 0, 8, "the prefetch of 8 less what was taken in the meantime comes back; none, when it does not hear and goes on to the end")
	c.wide("restarted", 0, 4, moment+": at most two tasks of each child have begun and are not acknowledged")
	c.wide("repeated", 0, 4, c.Reasons["restarted"])
	if c.Stranding {
		c.wide("stranded", 0, 8, "what it held, if it is killed")
		c.wide("leftover", 0, 4, c.Reasons["restarted"])
	}
	if sys.takesInTwoSteps() {
		c.Because += "; a message that was popped and not yet written down is nobody's"
		c.mayTake(0, 0, betweenSteps)
	}
	return c
}

// celeryPoliteLong has both slots busy with a long task, its prefetch full and
// nothing else to do when it is told to stop. back is how many it holds that have not
// begun.
func celeryPoliteLong(sys System, ack, task string, grace time.Duration) (c Cell, back [2]int) {
	back = [2]int{2, 2}
	steps := []Step{AwaitCount("victim", ledger.Started, 2)}
	if ack == "early" { // two acknowledgements let in the last two
		back = [2]int{4, 4}
		steps = append(steps, AwaitCount("victim", ledger.AckSent, 2))
		if sys.Kind == RedisServer {
			back[0] = 2 // see nextTurn
		}
	}
	steps = append(steps, AwaitCount("victim", ledger.Received, 2+back[0]), Age(500*time.Millisecond), StopOrKill("victim", grace))
	c = celeryPoliteCell(sys, ack, task, Job{Count: 6, Name: "sleep", Args: []any{3.0}}, Hands{Concurrency: 2, Multiplier: 2}, steps...)
	c.Control, c.Seconds = ack+"-long", 16
	c.Predicted, c.Reasons = check.Bounds{}, map[string]string{}
	return c, back
}

// nextTurn is why the last message may not be there yet.
const nextTurn = "on Redis the worker asks for the next message when its loop turns, which may be at the end of a task"

func celeryPoliteWaited(sys System, ack string) Cell {
	c, back := celeryPoliteLong(sys, ack, "long, and waited for", time.Minute)
	c.wide("redelivered", back[0], back[1], nextTurn)
	c.Predicted[killedAfterGrace] = [2]int{0, 0}
	c.Because = "it waits for the running tasks, and what has not begun is given back"
	return c
}

// celeryPoliteKilled: the worker has heard SIGTERM and waits for its tasks when it
// is killed. It gives back at its very end, so it has given back nothing.
func celeryPoliteKilled(sys System, suite Suite, ack string) Cell {
	c, back := celeryPoliteLong(sys, ack, "longer than the grace period", 200*time.Millisecond)
	c.Expect.Victim, c.Expect.Running, c.Expect.Prefetched = "victim", 2, back[0]
	c.waits(suite)
	name := "redelivered"
	c.Because = "killed while it waits for the running tasks, it has given back nothing: the broker does"
	if c.Stranding {
		name = "stranded"
		c.Because += ", when the lease is over, which is not waited for here"
	}
	c.Predicted[killedAfterGrace] = [2]int{1, 1}
	if ack == "early" {
		c.Predicted["lost"], c.Predicted["lost_after_ack"] = [2]int{2, 2}, [2]int{2, 2}
		c.Because += "; both running tasks were acknowledged"
	} else { // the running ones come back, too
		back[0], back[1] = back[0]+2, back[1]+2
		if !c.Stranding {
			c.Predicted["restarted"] = [2]int{2, 2}
		}
	}
	c.wide(name, back[0], back[1], nextTurn)
	return c
}
