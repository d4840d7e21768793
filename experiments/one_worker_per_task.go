package experiments

import (
	"fmt"
	"time"

	"acklab/internal/check"
	"acklab/internal/ledger"
)

var oneWorkerPerTask = &Experiment{
	Name:     "one-worker-per-task",
	Question: "5 workers share 10,000 tasks: does exactly one of them take each?",
	Claims:   []string{"C5"},
	Varies:   "no fault; a worker killed; every connection closed by the server",
	Threats: []string{
		"counters of the thing under test: completions are counted from the workers' own ledgers",
		"the fault happened to nobody: the victim is killed after it has begun tasks, with most of the load still waiting",
	},
	Suites: []Suite{Quick},
	Cells: func(sys System, suite Suite) []Cell {
		if sys.Kind == NoServer {
			return []Cell{sharedInProcess(sys)}
		}
		cells := []Cell{sharedCell(sys, suite, "none")}
		if suite == Quick && sys.Name == "rabbitmq-quorum" {
			return cells // half a minute, and rabbitmq shows the same
		}
		cells = append(cells, sharedCell(sys, suite, "worker killed"))
		if sys.Kind == RabbitMQ {
			cells = append(cells, sharedCell(sys, suite, "connections closed"))
		}
		return cells
	},
}

const (
	sharedLoad     = 10_000
	sharedFew      = 2_000 // for the self-test
	sharedWorkers  = 5
	sharedSlots    = 2
	sharedPrefetch = 20
)

func sharedHands() Hands {
	return Hands{Ack: "late", Concurrency: sharedSlots, Multiplier: sharedPrefetch / sharedSlots}
}

func sharedCell(sys System, suite Suite, fault string) Cell {
	job := Job{Count: sharedLoad, Name: "noop"}
	if suite == selfTest {
		job.Count = sharedFew
	}
	if fault != "none" { // two seconds of work, for the fault to come in its middle
		job.Name, job.Args = "sleep", []any{2.0 * sharedWorkers * sharedSlots / float64(job.Count)}
	}
	c := Cell{
		System: sys, Setting: Setting{"ack": "late", "fault": fault}, Trials: 1, Pace: Beside, Load: job.Count, Seconds: 8,
		Predicted: check.Bounds{}, Because: "a delivery is with one consumer at a time, and nobody fails",
		Claims: map[string]check.Bounds{"C5": {"lost": {0, 0}, "repeated": {0, 0}}},
		Steps:  []Step{Declare(), Publish(job)},
	}
	c.Steps = append(c.Steps, workersTogether(sharedHands())...)
	most := sharedPrefetch + sharedSlots
	switch fault {
	case "worker killed":
		leased(&c, sys, suite)
		c.Steps = append(c.Steps, KillAfterStarts("worker1", 20, 200, 5*time.Millisecond))
		c.Expect = ledger.Expect{Victim: "worker1", Faults: []string{faultKill}, Waiting: 1}
		c.Because = "what the dead worker held comes back, and what of that had finished runs again: at least once"
		predictAgain(&c, most)
	case "connections closed":
		most *= sharedWorkers
		c.Server = ServerSpec{Own: true} // closed for whoever is connected
		c.Steps = append(c.Steps, AwaitCount("worker1", ledger.Started, 1), CloseConnections())
		c.Expect = ledger.Expect{Faults: []string{faultCut}, InHand: 1}
		c.Because = "what all workers held comes back, and what of that had finished runs again: at least once"
		predictAgain(&c, most)
	}
	return c
}

// workersTogether starts five workers, lets all of them begin together, and
// goes on when each has subscribed.
func workersTogether(hands Hands) []Step {
	hands.PauseAt = "before-fetch"
	steps := make([]Step, 0, 4*sharedWorkers)
	each := func(step func(name string) Step) {
		for _, name := range workerNames() {
			steps = append(steps, step(name))
		}
	}
	each(func(name string) Step { return StartWorker(name, hands) })
	each(func(name string) Step { return AwaitHolding(name, hands.PauseAt, 0) })
	each(Release)
	each(AwaitConsuming)
	return steps
}

// predictAgain allows each delivery that was in the hands of the fault's
// victims to come again.
func predictAgain(c *Cell, most int) {
	why := fmt.Sprintf("the moment of the fault decides how many of at most %d deliveries were unsettled, and how many of them had finished", most)
	names := []string{"redelivered", "restarted", "repeated"}
	if c.Stranding {
		names = []string{"stranded", "leftover"}
	}
	c.Reasons = map[string]string{}
	for _, name := range names {
		c.Predicted[name] = [2]int{0, most}
		c.Reasons[name] = why
	}
}

func sharedInProcess(sys System) Cell {
	hands := Hands{Ack: "late", Concurrency: sharedWorkers, Multiplier: sharedPrefetch / sharedWorkers}
	return Cell{
		System: sys, Setting: Setting{"ack": "late", "fault": "none"}, Trials: 1, Pace: Beside, Load: sharedLoad, Seconds: 3,
		Predicted: check.Bounds{}, Because: "five slots of one process share one queue",
		Expect: ledger.Expect{QueueDiesWith: "worker"},
		Steps:  []Step{StartTogether("worker", Job{Count: sharedLoad, Name: "noop"}, hands), AwaitReceivedOver("worker", sharedLoad)},
	}
}
