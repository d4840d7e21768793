package experiments

import (
	"math"
	"time"

	"acklab/broker"
	"acklab/internal/check"
	"acklab/internal/ledger"
)

var timeToReturn = &Experiment{
	Name:     "task-comes-back",
	Question: "The worker that runs a task is killed: how long until another one has it?",
	Varies:   "the system and the settings of its lease",
	Threats: []string{
		"the fault happened to nobody: the checkpoint is the victim's last line, in the middle of the task",
		"order and clocks: from the victim's last line to the other worker's receipt, on the host's monotonic clock",
		"drained too early: the trial waits for the lease of the system, a sweep and half a minute",
		"the harness disturbs: what takes a minute waits beside the others; what takes milliseconds runs alone",
	},
	Celery: true,
	Cells: func(sys System, _ Suite) []Cell {
		switch {
		case sys.Kind == NoServer:
			return nil
		case sys.Celery:
			return []Cell{celeryReturnCell(sys)}
		}
		if sys.Name != "redis" {
			return []Cell{returnCell(sys, "as it comes", sys.Traits())}
		}
		var cells []Cell
		for _, lease := range redisLeases {
			traits := sys.Traits()
			traits.ReturnMin, traits.ReturnMax = lease.visibility, lease.visibility+lease.sweep
			if lease.renew {
				traits.ReturnMin = lease.visibility / 2
			}
			c := returnCell(sys, lease.name, traits)
			c.Server.Own = true // a sweep is everybody's on a server
			c.Options = lease.options()
			cells = append(cells, c)
		}
		return cells
	},
}

// redisLease is one way to set up the lease of the system redis.
type redisLease struct {
	name              string
	visibility, sweep time.Duration
	renew             bool
}

var redisLeases = []redisLease{
	{name: "visibility 20s, sweep 100s as in Celery", visibility: 20 * time.Second, sweep: 100 * time.Second},
	{name: "visibility 20s, sweep 1s", visibility: 20 * time.Second, sweep: time.Second},
	{name: "visibility 6s renewed, sweep 250ms", visibility: 6 * time.Second, sweep: 250 * time.Millisecond, renew: true},
}

func (l redisLease) options() []string {
	lease := "lease=fixed"
	if l.renew {
		lease = "lease=renew"
	}
	return []string{"visibility=" + l.visibility.String(), "restore=" + l.sweep.String(), lease}
}

func returnCell(sys System, lease string, traits broker.Traits) Cell {
	victim := Hands{Ack: "late", Concurrency: 1, Multiplier: 1, CrashAt: "mid"}
	other := Hands{Ack: "late", Concurrency: 1, Multiplier: 1, PauseAt: "before-fetch"}
	c := Cell{
		System: sys, Setting: Setting{"lease": lease}, Trials: 3, Pace: Alone, Load: 1, Seconds: 1, Control: "unharmed",
		Steps: []Step{
			Declare(), StartWorker("survivor", other), AwaitHolding("survivor", "before-fetch", 0),
			Publish(Job{Count: 1, Name: "sleep", Args: []any{0.02}}),
			StartWorker("victim", victim), AwaitCrash("victim"), Release("survivor"),
		},
		Clean: []Step{
			Declare(), Publish(Job{Count: 1, Name: "sleep", Args: []any{0.02}}),
			StartWorker(cleanWorker, Hands{Ack: "late", Concurrency: 1, Multiplier: 1}), AwaitReceivedOver(cleanWorker, 1),
		},
		Expect:    ledger.Expect{Victim: "victim", Checkpoint: "mid", Running: 1},
		Predicted: check.Bounds{"redelivered": {1, 1}, "restarted": {1, 1}},
		Because:   "the broker gives the task to another worker when it takes the first one for dead",
		Reasons:   map[string]string{"back_after_seconds": "from what the system's traits and its settings say, and ten seconds for a busy machine"},
	}
	least := int(math.Max(0, math.Floor(traits.ReturnMin.Seconds())-1))
	c.Predicted["back_after_seconds"] = [2]int{least, ceilSeconds(traits.ReturnMax + 10*time.Second)}
	if traits.Returns == broker.OnLease {
		c.Pace, c.Settle, c.Seconds = Waiting, traits.ReturnMax+30*time.Second, 3
	}
	return c
}

// celeryReturnCell: Celery's worker cannot hold still before it asks for tasks,
// so the survivor has one in its hands, and room for no other, when the victim
// dies.
func celeryReturnCell(sys System) Cell {
	lease := "as it comes"
	if sys.Kind == RedisServer {
		lease = "visibility " + celeryLease.String() + ", sweep as it comes"
	}
	c := returnCell(sys, lease, sys.Traits())
	one := Job{Count: 1, Name: "sleep", Args: []any{0.02}}
	victim := Hands{Ack: "late", Concurrency: 1, Multiplier: 1, CrashAt: "mid"}
	other := Hands{Ack: "late", Concurrency: 1, Multiplier: 1, PauseAt: "started"}
	c.Load, c.Seconds = 2, c.Seconds+4
	c.Server.Own = sys.Kind == RedisServer // a sweep is everybody's on a server
	c.Steps = []Step{
		Declare(), PublishAs("first", one), StartWorker("survivor", other), AwaitHolding("survivor", "started", 1),
		PublishAs("producer", one), StartWorker("victim", victim), AwaitCrash("victim"), Release("survivor"),
	}
	return c
}
