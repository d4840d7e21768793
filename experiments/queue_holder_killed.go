package experiments

import (
	"time"

	"acklab/internal/check"
	"acklab/internal/ledger"
)

var queueHolderKilled = &Experiment{
	Name:     "queue-holder-killed",
	Question: "500 tasks are queued and the process that holds the queue is killed: what is left?",
	Claims:   []string{"A4"},
	Varies:   "who is killed: the application or the server; what the server writes to disk; the age of a quorum queue",
	Threats: []string{
		"SIGKILL is not a power cut: what the server had written is in the page cache and survives; what fsync is for is not shown here",
		"a young queue is not an old one: its age is a setting; a young classic queue, too, is forgotten in some restarts (6 of 57 measured " +
			"with RabbitMQ 3.10.8), which is a race without a bound, so it has no cell",
		"a first boot is not a restart: the server comes back on the same folder and port, and is probed before a worker takes what is left",
	},
	Suites: []Suite{Smoke, Quick},
	Cells: func(sys System, suite Suite) []Cell {
		if suite == Quick {
			return oneTrialEach(holderCells(sys, suite)...)
		}
		return holderCells(sys, suite)
	},
}

const holderLoad = 500

var holderJob = Job{Count: holderLoad, Name: "noop"}

func holderHands() Hands { return Hands{Ack: "late", Concurrency: 4, Multiplier: 25} }

func holderCells(sys System, suite Suite) []Cell {
	switch {
	case sys.Kind == NoServer:
		return []Cell{inProcessHolder(sys)}
	case sys.Kind == RedisServer:
		return []Cell{
			applicationKilled(sys), serverKilled(sys, Setting{"persistence": "none"}, holderLoad),
			serverKilled(sys, Setting{"persistence": "aof-everysec"}, 0), serverKilled(sys, Setting{"persistence": "aof-always"}, 0),
		}
	case sys.Name == "rabbitmq-quorum":
		cells := []Cell{applicationKilled(sys), serverKilled(sys, Setting{"queue_age": "3s"}, 0)}
		if suite != Smoke { // half a minute of looking for a leader
			cells = append(cells, serverKilled(sys, Setting{"queue_age": "new"}, holderLoad))
		}
		return cells
	}
	return []Cell{applicationKilled(sys), serverKilled(sys, Setting{"queue_age": "3s"}, 0)}
}

func holderCell(sys System) Cell {
	return Cell{System: sys, Trials: 3, Pace: Beside, Load: holderLoad, Seconds: 1}
}

// inProcessHolder: the application is the queue.
func inProcessHolder(sys System) Cell {
	c := holderCell(sys)
	c.Setting = Setting{"killed": "application"}
	idle := holderHands()
	idle.PauseAt = "before-fetch"
	c.Steps = []Step{StartTogether("victim", holderJob, idle), AwaitHolding("victim", "before-fetch", 0), Kill("victim")}
	c.Expect = ledger.Expect{Victim: "victim", Faults: []string{faultKill}, QueueDiesWith: "victim", Waiting: holderLoad}
	c.Control = "in-process"
	c.Clean = []Step{StartTogether("worker", holderJob, holderHands()), AwaitReceivedOver("worker", holderLoad)}
	c.Predicted = check.Bounds{"lost": {holderLoad, holderLoad}, "lost_in_broker": {holderLoad, holderLoad}}
	c.Because = "the queue was in the memory of the process that died"
	c.Claims = map[string]check.Bounds{"A4": {"lost": {holderLoad, holderLoad}}}
	return c
}

// applicationKilled: the same fault where a broker holds the queue. The worker
// that has not asked for anything yet is the application's only process that
// is still there.
func applicationKilled(sys System) Cell {
	c := holderCell(sys)
	c.Setting = Setting{"killed": "application"}
	idle := holderHands()
	idle.PauseAt = "before-fetch"
	c.Steps = []Step{
		Declare(), Publish(holderJob), StartWorker("victim", idle), AwaitHolding("victim", "before-fetch", 0), Kill("victim"),
		StartWorker("restarted", holderHands()), AwaitReceivedOver("restarted", holderLoad),
	}
	c.Expect = ledger.Expect{Victim: "victim", Faults: []string{faultKill}, Waiting: holderLoad}
	c.Control = "broker"
	c.Clean = holderClean()
	c.Predicted = check.Bounds{}
	c.Because = "the queue is in the broker, which nobody killed"
	c.Claims = map[string]check.Bounds{"A4": {"lost": {0, 0}}}
	return c
}

func holderClean() []Step {
	return []Step{Declare(), Publish(holderJob), StartWorker("worker", holderHands()), AwaitReceivedOver("worker", holderLoad)}
}

// serverKilled: the broker itself is the process that holds the queue.
func serverKilled(sys System, more Setting, lost int) Cell {
	c := holderCell(sys)
	c.Setting = Setting{"killed": "server"}
	for k, v := range more {
		c.Setting[k] = v
	}
	c.Server = ServerSpec{Own: true, Persistence: more["persistence"]}
	c.Seconds = 5
	c.Steps = []Step{Declare()}
	if more["queue_age"] == "3s" {
		c.Steps = append(c.Steps, Age(3*time.Second))
	}
	c.Steps = append(c.Steps, Publish(holderJob))
	if more["persistence"] == "aof-everysec" {
		c.Steps = append(c.Steps, Age(restAfter)) // while a sync is slow, Redis writes nothing for up to two seconds
	}
	c.Steps = append(c.Steps, KillServer())
	c.Predicted = check.Bounds{"lost": {lost, lost}, "lost_in_broker": {lost, lost}}
	if more["queue_age"] == "new" {
		c.Steps = append(c.Steps, MendQueue())
		c.Measures = []string{leaderless}
		c.Predicted[leaderless] = [2]int{1, 1}
	}
	c.Steps = append(c.Steps, StartWorker("worker", holderHands()), AwaitConsuming("worker"))
	c.Expect = ledger.Expect{Faults: []string{faultRestart}, BrokerFault: true}
	c.Control = "broker"
	c.Clean = holderClean()
	c.Because = holderReason(more, lost)
	c.Claims = map[string]check.Bounds{"A4": {"lost": {0, 0}}}
	return c
}

func holderReason(more Setting, lost int) string {
	switch {
	case more["queue_age"] == "new":
		return "a quorum queue whose node is killed within a second of its declaration has no leader afterwards, and no way to get one: " +
			"what it had confirmed is gone with it (RabbitMQ 3.10.8)"
	case more["persistence"] == "none":
		return "nothing is on the server's disk"
	case lost == 0 && more["persistence"] != "":
		return "every command was written to the append-only file, and a SIGKILL leaves the page cache"
	}
	return "queue and messages are on the server's disk before they are confirmed"
}
