package experiments

import (
	"time"

	"acklab/internal/celery"
	"acklab/internal/check"
	"acklab/internal/ledger"
)

// celeryRandomCell is the random kill of a Celery worker, with its default pool.
// The whole worker dies, children and all.
func celeryRandomCell(sys System, ack string) Cell {
	hands := randomHands(ack)
	c := Cell{
		System: sys, Setting: Setting{"ack": ack, "pool": string(celery.Prefork)}, Trials: 50, Pace: Beside, Load: randomLoad, Control: ack, Seconds: 6,
		Expect: ledger.Expect{Victim: "victim", Faults: []string{faultKill}, Waiting: 1},
		Steps: []Step{
			Declare(), Publish(randomJob), StartWorker("victim", hands), KillAfterStarts("victim", 5, randomBegun, 5*time.Millisecond),
			StartWorker("survivor", hands), AwaitConsuming("survivor"),
		},
		Clean:  []Step{Declare(), Publish(randomJob), StartWorker(cleanWorker, hands), AwaitReceivedOver(cleanWorker, randomLoad)},
		Claims: map[string]check.Bounds{"B6": {"lost": {0, 0}}},
	}
	c.unwaited()
	if sys.Kind == RedisServer && ack == "early" {
		c.Claims = nil // "may be lost" excludes nothing
	}
	c.predictCeleryRandom(ack)
	return c
}

// unwaited leaves stranded what waits for a lease, for a cell with many trials of
// Celery's workers: too many of them would stand there at once. What the broker has
// after the lease is what it has before.
func (c *Cell) unwaited() {
	if c.System.Kind != RedisServer {
		return
	}
	c.Setting["wait"], c.Stranding = "none", true
	c.Server.Own = true // a sweep is everybody's on a server
	c.Options = []string{"visibility=10m"}
}

// randomUnheard is how many tasks may have begun without the broker's having been
// told: the one of each child, and of each child the one before, whose
// acknowledgement waits for the parent's loop (kombu's call_soon) when the child has
// been given the next one already.
const randomUnheard = 2 * randomSlots

// predictCeleryRandom: early, the parent acknowledges when it hears of the start;
// late, when it hears of the end.
func (c *Cell) predictCeleryRandom(ack string) {
	c.Predicted, c.Reasons = check.Bounds{"prefetched_lost": {0, 0}, "waiting_lost": {0, 0}}, map[string]string{}
	c.Because = "what is not acknowledged stays with the broker"
	lost, why := 0, betweenSteps
	if ack == "early" {
		slots := "0 to 4 children were between the acknowledgement and the end of the task"
		lost, why = randomSlots, slots+"; "+betweenSteps
		c.Because += "; each of the 4 children can have a task that is acknowledged and not finished"
		c.wide("lost", 0, lost, slots)
		c.wide("lost_after_ack", 0, lost, slots)
		c.Predicted["lost_in_broker"] = [2]int{0, 0}
	}
	if c.System.takesInTwoSteps() {
		c.Because += "; but for a message that the worker has popped and not yet written down"
		c.mayTake(0, lost, why)
		c.wide("waiting_lost", 0, 1, betweenSteps)
	}
	held := "the moment decides how many of the at most 16 deliveries were in its hands"
	if c.Stranding {
		c.wide("stranded", 0, randomPrefetch, held)
		c.wide("leftover", 0, randomUnheard, "a child can have finished a task of which the parent has not heard, and the one before, whose acknowledgement waits for the parent's loop")
		return
	}
	c.wide("redelivered", 0, randomPrefetch, held)
	c.wide("restarted", 0, randomPrefetch, "tasks that had begun and whose acknowledgement the broker had not processed begin again")
	c.wide("repeated", 0, randomPrefetch, "tasks that had finished and whose acknowledgement the broker had not processed run again")
}
