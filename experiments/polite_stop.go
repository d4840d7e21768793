package experiments

import (
	"time"

	"acklab/internal/check"
	"acklab/internal/ledger"
)

var politeStop = &Experiment{
	Name:     "worker-stopped-politely",
	Question: "A worker gets SIGTERM under load: is anything lost or run twice?",
	Claims:   []string{"B7"},
	Varies:   "acknowledgement; tasks shorter and longer than the grace period",
	Threats: []string{
		"the victim was idle: it is stopped after it has begun 20 tasks (or all its slots, when tasks are long), with more waiting",
		"SIGTERM is not the end of it: Celery's worker has no grace period and waits for what runs; that it is killed when somebody else's grace is over is a cell of its own, with SIGTERM heard before",
		"polite give-backs count as deliveries on some brokers: marks are not judged where a delivery was given back",
	},
	Suites: []Suite{Quick, Flagship},
	Celery: true,
	Cells: func(sys System, suite Suite) []Cell {
		if sys.Kind == NoServer {
			return []Cell{{
				System: sys, Setting: Setting{"ack": "both"},
				NotRun: "no such point: the in-process queue ends with its worker, there is nobody to give back to",
			}}
		}
		if sys.Celery {
			return celeryPoliteCells(sys, suite)
		}
		var cells []Cell
		for _, ack := range []string{"early", "late"} {
			cells = append(cells, politeShort(sys, ack), politeLong(sys, ack))
		}
		if suite == Quick {
			return oneTrialEach(cells...)
		}
		return cells
	},
}

// politeCell stops the victim once it has begun enough, and lets a survivor do
// the rest.
func politeCell(sys System, ack, length string, job Job, hands Hands, begun int, more ...Step) Cell {
	victim := hands
	victim.Ack = ack
	survivor := victim
	survivor.Grace = 0
	c := Cell{
		System: sys, Setting: Setting{"ack": ack, "task": length}, Trials: 3, Pace: Beside, Load: job.Count, Control: ack + "-" + length, Seconds: 3,
		Expect: ledger.Expect{Faults: []string{faultTerminate}},
		Steps: []Step{
			Declare(), Publish(job), StartWorker("victim", victim), AwaitCount("victim", ledger.Started, begun),
		},
		Clean:  []Step{Declare(), Publish(job), StartWorker("worker", survivor), AwaitReceivedOver("worker", job.Count)},
		Claims: map[string]check.Bounds{"B7": {"lost": {0, 0}, "repeated": {0, 0}}},
	}
	c.Steps = append(append(c.Steps, more...), Stop("victim"), StartWorker("survivor", survivor), AwaitConsuming("survivor"))
	return c
}

func politeShort(sys System, ack string) Cell {
	c := politeCell(sys, ack, "short", Job{Count: 100, Name: "sleep", Args: []any{0.02}},
		Hands{Concurrency: 2, Multiplier: 4, Grace: 10 * time.Second}, 20)
	c.Predicted = check.Bounds{"redelivered": {1, 10}}
	c.Because = "running tasks end within the grace period and are acknowledged; what has not begun is given back"
	c.Reasons = map[string]string{"redelivered": "the prefetch of 8 less what was taken in the meantime is given back, and a delivery or two may arrive while it stops"}
	return c
}

// politeLong: the grace period is shorter than the task.
func politeLong(sys System, ack string) Cell {
	c := politeCell(sys, ack, "longer than the grace period", Job{Count: 6, Name: "sleep", Args: []any{1.5}},
		Hands{Concurrency: 2, Multiplier: 2, Grace: 200 * time.Millisecond}, 2, AwaitCount("victim", ledger.Received, 4))
	if ack == "early" {
		c.Predicted = check.Bounds{"lost": {2, 2}, "lost_after_ack": {2, 2}, "redelivered": {2, 4}}
		c.Because = "both running tasks were acknowledged before they ran: interrupted, nobody has them"
		c.Reasons = map[string]string{"redelivered": "an acknowledgement opens the prefetch window: 2 to 4 tasks had been prefetched and are given back"}
		return c
	}
	c.Predicted = check.Bounds{"restarted": {2, 2}, "redelivered": {4, 4}}
	c.Because = "both running tasks are interrupted and given back with the two that had not begun: they begin again elsewhere"
	return c
}
