package experiments

import (
	"time"

	"acklab/internal/check"
	"acklab/internal/ledger"
)

var randomKill = &Experiment{
	Name:     "worker-killed-at-random",
	Question: "200 tasks are queued and the worker is killed at a random moment: what is lost?",
	Claims:   []string{"B6"},
	Varies:   "acknowledgement; 50 seeds each draw the moment",
	Threats: []string{
		"the victim was idle: it is killed after it has begun a number of tasks drawn from the seed, with most of the queue still waiting",
		"small n: 50 trials a cell, and the report prints the bound that they allow",
		"a loss that nobody explains: kombu takes a message from Redis in two steps, and only a task that was the next in the queue, one for each killed worker, is laid to that",
		"an acknowledgement is not a fact: late tasks that had finished may run again, up to the prefetch",
	},
	Suites: []Suite{Quick, Flagship},
	Celery: true,
	Cells: func(sys System, suite Suite) []Cell {
		if !hasRaces(sys, suite) {
			return nil
		}
		if sys.Celery {
			return []Cell{celeryRandomCell(sys, "early"), celeryRandomCell(sys, "late")}
		}
		if sys.Kind == NoServer {
			return []Cell{randomInProcessCell(sys, "early"), randomInProcessCell(sys, "late")}
		}
		return []Cell{randomCell(sys, suite, "early"), randomCell(sys, suite, "late")}
	},
}

const (
	randomLoad     = 200
	randomSlots    = 4
	randomPrefetch = 16
	randomBegun    = 60 // tasks that have begun at the latest possible kill
)

var randomJob = Job{Count: randomLoad, Name: "sleep", Args: []any{0.01}}

func randomHands(ack string) Hands {
	return Hands{Ack: ack, Concurrency: randomSlots, Multiplier: randomPrefetch / randomSlots}
}

func randomCell(sys System, suite Suite, ack string) Cell {
	c := Cell{
		System: sys, Setting: Setting{"ack": ack}, Trials: 50, Load: randomLoad, Control: ack, Seconds: 0.6,
		Expect: ledger.Expect{Victim: "victim", Faults: []string{faultKill}, Waiting: 1},
		Steps: []Step{
			Declare(), Publish(randomJob), StartWorker("victim", randomHands(ack)),
			KillAfterStarts("victim", 5, randomBegun, 5*time.Millisecond),
			StartWorker("survivor", Hands{Ack: ack, Concurrency: 4 * randomSlots, Multiplier: 4}), AwaitConsuming("survivor"),
		},
		Clean: []Step{Declare(), Publish(randomJob), StartWorker("worker", randomHands(ack)), AwaitReceivedOver("worker", randomLoad)},
	}
	c.waits(suite)
	c.Predicted, c.Because, c.Reasons = predictRandom(ack, c.Stranding)
	c.Claims = map[string]check.Bounds{"B6": {"lost": {0, 0}}}
	if sys.Kind == RedisServer && ack == "early" {
		c.Claims = nil // "may be lost" excludes nothing
	}
	return c
}

// predictRandom: each slot may have one task that is acknowledged and not
// finished; late, each delivery that is with the victim may have finished
// without its acknowledgement having been processed.
func predictRandom(ack string, stranding bool) (check.Bounds, string, map[string]string) {
	b := check.Bounds{"prefetched_lost": {0, 0}, "waiting_lost": {0, 0}}
	reasons := map[string]string{}
	wide := func(name string, most int, why string) {
		b[name] = [2]int{0, most}
		reasons[name] = why
	}
	because := "what is not acknowledged stays with the broker"
	held := "the moment decides how many of the at most 16 deliveries, or 20 with those whose acknowledgement is on its way, were in its hands"
	most := randomPrefetch + randomSlots
	if ack == "early" {
		because += "; each of the 4 slots can have acknowledged a task that it had not finished"
		wide("lost", randomSlots, "0 to 4 slots were between the acknowledgement and the end of the handler")
		wide("lost_after_ack", randomSlots, reasons["lost"])
		b["lost_in_broker"] = [2]int{0, 0}
	}
	if stranding {
		wide("stranded", most, held)
		wide("leftover", most, "a task that had finished while its acknowledgement was on its way is still held")
		return b, because + "; what the victim held is stranded until its lease is over", reasons
	}
	wide("redelivered", most, held)
	wide("restarted", most, "tasks that had begun and whose acknowledgement the broker had not processed begin again")
	wide("repeated", most, "tasks that had finished and whose acknowledgement the broker had not processed run again")
	return b, because, reasons
}

func randomInProcessCell(sys System, ack string) Cell {
	return Cell{
		System: sys, Setting: Setting{"ack": ack}, Trials: 5, Pace: Beside, Load: randomLoad, Control: ack, Seconds: 0.4,
		Expect: ledger.Expect{Victim: "victim", Faults: []string{faultKill}, QueueDiesWith: "victim", BrokerFault: true},
		Steps: []Step{
			StartTogether("victim", randomJob, randomHands(ack)), KillAfterStarts("victim", 5, randomBegun, 5*time.Millisecond),
		},
		Clean: []Step{StartTogether("worker", randomJob, randomHands(ack)), AwaitReceivedOver("worker", randomLoad)},
		Predicted: check.Bounds{
			"lost": {randomLoad / 5, randomLoad - 1}, "lost_in_broker": {randomLoad / 5, randomLoad - 1}, "lost_after_ack": {0, randomSlots},
		},
		Because: "the queue was in the process that died: all that had not run is lost",
		Reasons: map[string]string{
			"lost":           "the seed draws when, after 5 to 60 of 200 tasks have begun",
			"lost_in_broker": "the seed draws when, after 5 to 60 of 200 tasks have begun",
			"lost_after_ack": "0 to 4 slots were between the acknowledgement and the end of the handler",
		},
	}
}
