package experiments

import (
	"fmt"
	"time"

	"acklab/internal/check"
	"acklab/internal/ledger"
)

var watchedLoad = &Experiment{
	Name:     "load-is-watched",
	Question: "What does a crash under load look like to Prometheus, and where do its counters differ from what happened?",
	Varies:   "a worker killed; the broker killed; every task tried a second time",
	Threats: []string{
		"counters of the thing under test: a killed process takes its counters with it, so counts come from the ledgers, and the report prints where the two differ and why",
		"the harness disturbs: Prometheus asks twice a second; the load is a small part of what the systems can do",
		"the fault happened to nobody: it comes when 1,000 of a steady stream are confirmed, with deliveries in the workers' hands",
	},
	Suites: []Suite{Quick},
	Cells: func(sys System, suite Suite) []Cell {
		if sys.Kind == NoServer || suite == Quick && sys.Name != "rabbitmq" {
			return nil
		}
		cells := []Cell{watchedCell(sys, suite, "worker killed")}
		if suite != Quick {
			cells = append(cells, watchedCell(sys, suite, "broker killed"), watchedCell(sys, suite, "tries fail"))
		}
		return cells
	},
}

const (
	watchedTasks = 2000
	watchedRate  = 100 // a second: twenty seconds
	watchedHalf  = 1000
	watchedSlots = 4
	watchedAhead = 2
	// watchedHeld is what one worker can have in its hands: its prefetch, and
	// as many whose acknowledgement is on its way.
	watchedHeld = watchedSlots*watchedAhead + watchedSlots
)

func watchedCell(sys System, suite Suite, what string) Cell {
	count := watchedTasks
	if suite == selfTest {
		count = watchedHalf + watchedHalf/5
	}
	job := Job{Count: count, Name: "sleep", Args: []any{0.05}, Rate: watchedRate}
	if suite == selfTest {
		job.Rate *= 5
	}
	hands := Hands{Ack: "late", Concurrency: watchedSlots, Multiplier: watchedAhead}
	c := Cell{
		System: sys, Setting: Setting{"ack": "late", "fault": what}, Trials: 1, Pace: Beside, Load: count, Seconds: 32, Observe: suite != selfTest,
		Predicted: check.Bounds{}, Reasons: map[string]string{}, Settle: 30 * time.Second,
	}
	var fault Step
	again := func(most int, why string) {
		names := []string{"redelivered", "restarted", "repeated"}
		if c.Stranding {
			names = []string{"stranded", "leftover"}
		}
		for _, name := range names {
			c.wide(name, 0, most, why)
		}
	}
	switch what {
	case "worker killed":
		leased(&c, sys, suite)
		fault = Kill("worker1")
		c.Expect = ledger.Expect{Victim: "worker1", Faults: []string{faultKill}}
		c.Because = "what the dead worker held comes back, and the other one goes on alone"
		again(watchedHeld, fmt.Sprintf("the moment decides how many of at most %d deliveries were in its hands, and how many of those had finished", watchedHeld))
	case "broker killed":
		c.Server = ServerSpec{Own: true}
		if sys.Kind == RedisServer {
			c.Setting["persistence"], c.Server.Persistence = "aof-always", "aof-always"
			c.Setting["wait"], c.Stranding = "none", true
		}
		fault = KillServer()
		c.Expect = ledger.Expect{Faults: []string{faultRestart}, BrokerFault: true}
		c.Because = "what was confirmed is on the disk, and workers and producer come back by themselves"
		again(2*watchedHeld, "what both workers held comes back, and what of that had finished runs again")
		c.wide("unsure", 0, watchedRate, "what was on its way when the broker died: at most a second of the stream")
		c.wide("refused", 0, watchedHalf/2, "what was sent while it was down: at most five seconds of the stream")
	case "tries fail":
		hands.Retry = Retry{Max: 1, Delay: time.Second}
		job.Name, job.Args = "fail_n_times", []any{1}
		c.Because = "the first try of each task fails, the second one succeeds"
		c.Predicted["attempts_min"], c.Predicted["attempts_max"] = [2]int{2, 2}, [2]int{2, 2}
	}
	workers := []Step{
		Declare(), StartWorker("worker1", hands), StartWorker("worker2", hands), AwaitConsuming("worker1"), AwaitConsuming("worker2"),
	}
	if fault.Do == nil {
		c.Steps = concat(workers, []Step{StartProducer(job), AwaitEnd("producer")})
		return c
	}
	quick := job
	quick.Rate = 10 * watchedRate
	c.Control, c.Expect.InHand = what, 1
	c.Steps = concat(workers, []Step{StartProducer(job), UnderLoad(watchedHalf, fault)})
	c.Clean = concat(workers, []Step{Publish(quick)})
	return c
}
