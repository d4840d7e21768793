package experiments

import (
	"context"
	"errors"
	"fmt"
	"math"

	"acklab/internal/check"
	"acklab/internal/ledger"
)

var delayedQueueName = &Experiment{
	Name:     "queue-named-delayed",
	Question: "Does a task wait because its queue is called \"delayed\"?",
	Claims:   []string{"R3"},
	Varies:   "the name of the queue: delayed, or any other",
	Threats: []string{
		"leftovers: the queue has exactly that name, on a server of the trial's own",
		"a task that waits for a busy worker is not delayed: the worker has subscribed before the first task comes, and has nothing else to do",
	},
	Suites: []Suite{Quick},
	Cells: func(sys System, suite Suite) []Cell {
		if suite == Quick {
			if sys.Name != "rabbitmq" {
				return nil
			}
			return []Cell{namedCell(sys, "delayed")}
		}
		return []Cell{namedCell(sys, "delayed"), namedCell(sys, "prompt")}
	},
}

const (
	namedLoad = 50
	// namedAtMost is the wait, in milliseconds, that is no delay: the shortest
	// countdown that anybody would ask for is above it.
	namedAtMost = 500
)

func namedCell(sys System, queue string) Cell {
	job := Job{Count: namedLoad, Name: "noop", Rate: 50}
	hands := Hands{Ack: "early", Concurrency: 1, Multiplier: 1}
	c := Cell{
		System: sys, Setting: Setting{"queue": queue}, Trials: 1, Pace: Alone, Load: namedLoad, Seconds: 2,
		Measures: []string{"wait_median_ms"}, Predicted: check.Bounds{"wait_median_ms": {0, namedAtMost}},
		Reasons: map[string]string{"wait_median_ms": "an idle worker gets a task in milliseconds, or when it asks the next time (every 50 ms); the rest is for a busy machine"},
		Because: "a queue's name is an address: no broker reads a meaning in it",
		Server:  ServerSpec{Own: true},
		Steps:   []Step{NameQueue(queue), Declare(), StartWorker("worker", hands), AwaitConsuming("worker"), Publish(job), AwaitReceivedOver("worker", namedLoad)},
		Final:   []Step{MeasureWaits("producer", "worker")},
	}
	if queue == "delayed" {
		c.Claims = map[string]check.Bounds{"R3": {"wait_median_ms": {namedAtMost + 1, math.MaxInt32}}}
	}
	if sys.Kind == NoServer {
		c.Server = ServerSpec{}
		c.Steps = []Step{NameQueue(queue), StartTogether("worker", Job{Count: namedLoad, Name: "noop"}, hands), AwaitReceivedOver("worker", namedLoad)}
		c.Final = []Step{MeasureWaits("worker", "worker")}
		c.Expect = ledger.Expect{QueueDiesWith: "worker"}
	}
	return c
}

// NameQueue gives the trial's queue a name of its own, before anything has
// been done with it. It is for trials that have their server for themselves.
func NameQueue(name string) Step {
	return Step{"call the queue " + name, func(_ context.Context, t *Trial) error {
		t.queue, t.manifest.Queues = name, []string{name}
		return nil
	}}
}

// MeasureWaits measures how long tasks waited: from the producer's attempt to
// the worker's first start.
func MeasureWaits(producer, worker string) Step {
	return Step{"measure how long the tasks waited", func(_ context.Context, t *Trial) error {
		sent, err := t.moments(producer, ledger.Attempted)
		if err != nil {
			return err
		}
		begun, err := t.moments(worker, ledger.Started)
		if err != nil {
			return err
		}
		var waits []float64
		for task, at := range sent {
			if start, ok := begun[task]; ok {
				waits = append(waits, milliseconds(at, start))
			}
		}
		if len(waits) == 0 {
			return fmt.Errorf("measure waits: %s began no task of %s", worker, producer)
		}
		return errors.Join(
			t.Measure("wait_min_ms", quantile(waits, 0)), t.Measure("wait_median_ms", quantile(waits, 0.5)), t.Measure("wait_max_ms", quantile(waits, 1)),
		)
	}}
}
