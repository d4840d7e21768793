package experiments

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"acklab/internal/check"
	"acklab/task"
)

var keptResults = &Experiment{
	Name:     "result-is-fetched-later",
	Question: "add(4, 4): what does the caller get, how long does it wait for what never comes, and when is the result gone?",
	Claims:   []string{"E3"},
	Varies:   "the result store (the task comes over Redis: the broker does not matter)",
	Threats: []string{
		"expired or never stored: the result is read before it expires, and the same id afterwards",
		"order and clocks: an expiry is bounded below by its setting and above by ten seconds for a slow machine",
	},
	Suites: []Suite{Quick},
	Cells: func(sys System, _ Suite) []Cell {
		if sys.Name != "redis" { // the broker does not matter here
			return nil
		}
		return oneTrialEach(keptCell(sys, inRedis), keptCell(sys, inPostgres))
	},
}

const (
	keptFor = 3 * time.Second
	// keptSlack is for a store that cleans up late and a machine that is busy.
	keptSlack = 10 * time.Second
)

func keptCell(sys System, store string) Cell {
	c := Cell{
		System: sys, Setting: Setting{"results": store}, Pace: Beside, Load: 1, Seconds: 5,
		Results:  ResultSpec{Store: store, Own: true, Expires: keptFor.String()},
		Measures: []string{"value", "unknown_timed_out", "gone_after_seconds"},
		Predicted: check.Bounds{
			"value": {8, 8}, "unknown_timed_out": {1, 1}, "gone_after_seconds": {int(keptFor.Seconds()) - 1, int((keptFor + keptSlack).Seconds())},
		},
		Because: "4 + 4; nobody answers for a task that was never sent, and the caller's timeout ends the wait; the store keeps a result for three seconds here",
		Reasons: map[string]string{"gone_after_seconds": "counted from the moment the caller has it, which is after the store took it; and a busy machine looks late"},
		Claims:  map[string]check.Bounds{"E3": {"value": {8, 8}, "gone_after_seconds": {int(keptFor.Seconds()) - 1, int((keptFor + keptSlack).Seconds())}}},
	}
	c.Steps = []Step{
		Declare(), Publish(Job{Count: 1, Name: "add", Args: []any{4, 4}}),
		StartWorker(cleanWorker, Hands{Ack: "late", Concurrency: 1, Multiplier: 1}), FetchResult(), WaitInVain(), AwaitExpiry(),
	}
	return c
}

// FetchResult waits for the result of the first task and measures its value.
func FetchResult() Step {
	return Step{"wait for the result and fetch it", func(ctx context.Context, t *Trial) error {
		store, err := t.results(ctx)
		if err != nil {
			return err
		}
		id, err := t.firstTask()
		if err != nil {
			return err
		}
		r, err := store.Wait(ctx, id)
		if err != nil {
			return err
		}
		var value float64
		if err := json.Unmarshal(r.Value, &value); err != nil {
			return fmt.Errorf("the result of task %s is %s: %w", id, r.Value, err)
		}
		return t.Measure("value", value)
	}}
}

// WaitInVain waits for the result of a task that was never sent, with a timeout.
func WaitInVain() Step {
	return Step{"wait a moment for a task that nobody has sent", func(ctx context.Context, t *Trial) error {
		store, err := t.results(ctx)
		if err != nil {
			return err
		}
		within, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
		defer cancel()
		_, err = store.Wait(within, uuid.NewString())
		return t.Measure("unknown_timed_out", float64(number(errors.Is(err, context.DeadlineExceeded))))
	}}
}

// AwaitExpiry polls the first task until it reads PENDING again.
func AwaitExpiry() Step {
	return Step{"wait until the result has expired", func(ctx context.Context, t *Trial) error {
		store, err := t.results(ctx)
		if err != nil {
			return err
		}
		id, err := t.firstTask()
		if err != nil {
			return err
		}
		begin := time.Now()
		for {
			r, err := ask(ctx, store, id)
			switch {
			case err != nil:
				return err
			case r.State == task.Pending:
				return t.Measure("gone_after_seconds", time.Since(begin).Seconds())
			}
			if err := pause(ctx, pollEvery); err != nil {
				return err
			}
		}
	}}
}
