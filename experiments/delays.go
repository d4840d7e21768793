package experiments

import (
	"context"
	"fmt"
	"time"

	"acklab/internal/check"
	"acklab/internal/ledger"
)

var exactDelays = &Experiment{
	Name:     "delayed-task-comes-in-time",
	Question: "200 tasks are to run in ten seconds: do they, and does a crash of the broker matter?",
	Claims:   []string{"R1"},
	Varies:   "the delay; who holds the task back; the broker killed while all of them wait",
	Threats: []string{
		"order and clocks: a task's error is its first receipt minus its ETA (its first start, where the worker holds it), both on the host's monotonic clock",
		"the harness disturbs: where nothing is killed one trial runs at a time, and a second is allowed for a busy machine",
		"the fault met nobody waiting: the broker is asked how many it holds back just before it is killed",
		"a young queue is not an old one: queue and delay queue are 3 s old when the broker is killed",
	},
	Suites: []Suite{Quick},
	Cells: func(sys System, suite Suite) []Cell {
		cells := []Cell{delayCell(sys, 500*time.Millisecond)}
		if sys.Name == "redis" {
			cells = append(cells, workerHeldCell(sys, 500*time.Millisecond))
		}
		if suite == Quick {
			return oneTrialEach(cells...)
		}
		cells = append(cells, delayCell(sys, 10*time.Second), betweenStepsCell(sys))
		if sys.Kind != NoServer {
			cells = append(cells, delayKilledCell(sys))
		}
		return cells
	},
}

const (
	delayLoad = 200
	// delaySlack is for a machine that is busy.
	delaySlack = time.Second
	// delayRestart is for a broker that is killed 3 s after the publish, and
	// the worker that is started once it is back.
	delayRestart = 15 * time.Second
)

// delayCell: the broker holds the tasks back. The system redis does so when it is
// told to.
func delayCell(sys System, delay time.Duration) Cell {
	c := unheldCell(sys, delay)
	c.Because = "the broker holds each task back until it is due, and never gives it out before"
	if sys.Name == "redis" {
		c.Setting["held_by"], c.Options = "broker", []string{"delay=broker"}
	}
	c.comesWithin(c.traits().DelayLate+delaySlack, "both delays are steps of every broker's grid, so only its own "+c.traits().DelayLate.String()+" and a second for a busy machine remain")
	if sys.Kind == RabbitMQ {
		c.Claims = map[string]check.Bounds{"R1": {"lost": {0, 0}, "delay_early": {0, 0}, "delay_error_max_seconds": c.Predicted["delay_error_max_seconds"]}}
	}
	return c
}

// workerHeldCell: the worker has the tasks in its hands, and begins them in time.
func workerHeldCell(sys System, delay time.Duration) Cell {
	c := unheldCell(sys, delay)
	c.Setting["held_by"] = "worker"
	c.Because = "the worker takes each task at once, beyond its prefetch, and begins it when it is due and a slot is free, never before"
	c.comesWithin(2*delaySlack, "200 tasks are due within a moment, and eight slots begin them: a second for that, and one for a busy machine")
	return c
}

// unheldCell does not say yet who holds the tasks back.
func unheldCell(sys System, delay time.Duration) Cell {
	c := Cell{
		System: sys, Setting: Setting{"delay": delay.String(), "fault": "none"}, Trials: 3, Pace: Alone, Load: delayLoad, Seconds: 1 + delay.Seconds(),
	}
	if delay >= 10*time.Second {
		c.Trials = 1
	}
	job := Job{Count: delayLoad, Name: "noop", Countdown: delay}
	hands := Hands{Ack: "late", Concurrency: 8, Multiplier: 4}
	c.Steps = []Step{Declare(), StartWorker("worker", hands), AwaitConsuming("worker"), Publish(job), AwaitReceivedOver("worker", delayLoad)}
	if sys.Kind == NoServer {
		c.Steps = []Step{StartTogether("worker", job, hands), AwaitReceivedOver("worker", delayLoad)}
		c.Expect = ledger.Expect{QueueDiesWith: "worker"}
	}
	return c
}

// comesWithin predicts that no task is early, and none later than that.
func (c *Cell) comesWithin(late time.Duration, why string) {
	c.Predicted = check.Bounds{"delay_early": {0, 0}, "delay_error_max_seconds": {0, ceilSeconds(late)}}
	c.Reasons = map[string]string{"delay_error_max_seconds": why}
}

// betweenStepsCell has a delay that is no step of RabbitMQ's grid: the next one is
// 15 s.
func betweenStepsCell(sys System) Cell {
	const delay, next = 11 * time.Second, 15 * time.Second
	c := delayCell(sys, delay)
	if traits := c.traits(); traits.DelayRounding > 0 {
		late := ceilSeconds(next - delay + traits.DelayLate + delaySlack)
		c.Predicted["delay_error_max_seconds"] = [2]int{0, late}
		c.Predicted["delay_error_min_seconds"] = [2]int{int((next - delay).Seconds()) - 1, late}
		c.Because = "the broker has no delays of its own: each task waits in the queue of the next longer step, 15 s"
		c.Reasons["delay_error_max_seconds"] = "four seconds to the next step, the broker's own lateness and a second for a busy machine"
		c.Reasons["delay_error_min_seconds"] = "less than a second goes between the making of a task and its arrival in the delay queue"
		c.Claims = nil // it speaks of ten seconds
	}
	return c
}

// delayKilledCell kills the broker while all tasks wait in it.
func delayKilledCell(sys System) Cell {
	const delay = 10 * time.Second
	c := delayCell(sys, delay)
	c.Setting["fault"] = "server killed"
	c.Server = ServerSpec{Own: true}
	if sys.Kind == RedisServer {
		c.Setting["persistence"] = "aof-always"
		c.Server.Persistence = "aof-always"
	}
	c.Trials, c.Pace, c.Seconds = 3, Beside, 20
	c.Control, c.Clean = "unharmed", c.Steps
	c.Steps = []Step{
		Declare(), Publish(Job{Count: delayLoad, Name: "noop", Countdown: delay}), Age(3 * time.Second), AllDelayed(delayLoad), KillServer(),
		StartWorker("worker", Hands{Ack: "late", Concurrency: 8, Multiplier: 4}), AwaitReceivedOver("worker", delayLoad),
	}
	c.Expect = ledger.Expect{Faults: []string{faultRestart}, BrokerFault: true}
	c.Predicted["delay_error_max_seconds"] = [2]int{0, ceilSeconds(c.traits().DelayLate + delayRestart)}
	c.Reasons["delay_error_max_seconds"] = "nothing comes before the broker is back and the worker is there: seconds here, 15 on a busy machine"
	c.Because = "what waits is on the server's disk with the moment at which it is due"
	if c.Claims != nil {
		c.Claims = map[string]check.Bounds{"R1": {"lost": {0, 0}, "delay_early": {0, 0}}}
	}
	return c
}

// AllDelayed makes sure that the broker holds back n tasks for later: else
// what follows would meet nobody who waits, and the trial does not count.
func AllDelayed(n int) Step {
	return Step{fmt.Sprintf("make sure that all %d tasks wait for their time", n), func(ctx context.Context, t *Trial) error {
		held, err := t.view(ctx, t.queue)
		if err == nil && held.delayed != n {
			err = fmt.Errorf("the broker has %s, not %d delayed", held, n)
		}
		return err
	}}
}
