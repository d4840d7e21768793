package experiments

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"acklab/internal/check"
	"acklab/internal/ledger"
)

var taskLeavesTheQueue = &Experiment{
	Name:     "task-leaves-the-queue",
	Question: "What does the broker hold while a task runs?",
	Claims:   []string{"C1"},
	Varies:   "acknowledgement; the moment of looking: before, during and after the run",
	Threats: []string{
		"the numbers are the server's own, not the client's",
		"an acknowledgement is not a fact when the call returns: early, the look during the run waits for the flush",
	},
	Suites: []Suite{Smoke, Quick},
	Cells: func(sys System, _ Suite) []Cell {
		return []Cell{lookCell(sys, "early"), lookCell(sys, "late")}
	},
}

func lookCell(sys System, ack string) Cell {
	c := Cell{System: sys, Setting: Setting{"ack": ack}, Trials: 3, Pace: Beside, Load: 1, Seconds: 0.5}
	if sys.Kind == NoServer {
		c.NotRun = "no such point: the in-process queue cannot be looked at from outside"
		return c
	}
	held := 1
	hands := Hands{Ack: ack, Multiplier: 1, PauseAt: "mid"}
	c.Steps = []Step{
		Declare(), Publish(Job{Count: 1, Name: "sleep", Args: []any{0.02}}), Look("before"),
		StartWorker("worker", hands), AwaitHolding("worker", "mid", 1),
	}
	if ack == "early" {
		held = 0
		c.Steps = append(c.Steps, AwaitCount("worker", ledger.Acked, 1))
	}
	c.Steps = append(c.Steps, Look("during"), Release("worker"), AwaitReceivedOver("worker", 1), AwaitCount("worker", ledger.Acked, 1), Look("after"))
	c.Predicted = check.Bounds{
		"queued_before": {1, 1}, "unacked_before": {0, 0},
		"queued_during": {0, 0}, "unacked_during": {held, held},
		"queued_after": {0, 0}, "unacked_after": {0, 0},
	}
	c.Measures = slices.Collect(maps.Keys(c.Predicted))
	c.Because = "a task that is delivered is no longer queued; it leaves the broker with its acknowledgement, which comes " +
		map[string]string{"early": "before the handler", "late": "after it"}[ack]
	if ack == "late" {
		c.Claims = map[string]check.Bounds{"C1": {"unacked_during": {1, 1}, "unacked_after": {0, 0}, "queued_after": {0, 0}}}
	}
	return c
}

// Look measures what the server says it holds for the trial's queue.
func Look(when string) Step {
	return Step{"look at the broker " + when, func(ctx context.Context, t *Trial) error {
		held, err := t.view(ctx, t.queue)
		if err != nil {
			return fmt.Errorf("look at the broker %s the run: %w", when, err)
		}
		if err := t.Measure("queued_"+when, float64(held.ready)); err != nil {
			return err
		}
		return t.Measure("unacked_"+when, float64(held.unacked))
	}}
}
