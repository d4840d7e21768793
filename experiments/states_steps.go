package experiments

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"acklab/internal/ledger"
	"acklab/result"
	"acklab/task"
)

// stateWords are the states, as parts of names of measures.
var (
	stateWords  = []string{"pending", "started", "retry", "success", "failure"}
	storedWords = stateWords[1:] // nobody stores PENDING: it is what is unknown
)

// word is the state that a part of a name stands for.
func word(part string) string { return strings.ToUpper(part) }

// stateMeasures: polled_* is 1 when the poller saw the state; stored_* is how
// often the worker's ledger says that the store took it; unknown_pending is 1
// when an id that nobody knows reads PENDING; finished_undone is how often the
// poller saw an unfinished state after a finished one.
func stateMeasures() []string {
	names := []string{"unknown_pending", "finished_undone"}
	for _, s := range stateWords {
		names = append(names, "polled_"+s)
	}
	for _, s := range storedWords {
		names = append(names, "stored_"+s)
	}
	return names
}

// pollEvery is how often the poller looks.
const pollEvery = 10 * time.Millisecond

// SeeUnknown looks at a task that nobody has ever sent.
func SeeUnknown() Step {
	return Step{"look at a task that nobody has sent", func(ctx context.Context, t *Trial) error {
		store, err := t.results(ctx)
		if err != nil {
			return err
		}
		r, err := store.Get(ctx, uuid.NewString())
		if err != nil {
			return err
		}
		return t.Measure("unknown_pending", float64(number(r.State == task.Pending)))
	}}
}

// PollStates carries out steps while it polls the state of the first task that
// was published, and measures which it saw.
func PollStates(steps ...Step) Step {
	return Step{"poll the task's state while it is run", func(ctx context.Context, t *Trial) error {
		store, err := t.results(ctx)
		if err != nil {
			return err
		}
		id, err := t.firstTask()
		if err != nil {
			return err
		}
		if _, err := store.Get(ctx, id); err != nil { // the first look is before the worker's start
			return err
		}
		polling, stop := context.WithCancel(ctx)
		seen := make(chan []task.State, 1)
		go func() { seen <- poll(polling, store, id) }()
		for _, step := range steps {
			if err = step.Do(ctx, t); err != nil {
				err = fmt.Errorf("%s: %w", step.Name, err)
				break
			}
		}
		stop()
		states := <-seen
		if err != nil {
			return err
		}
		last, err := store.Get(ctx, id)
		if err != nil {
			return err
		}
		return t.measureStates(append(states, last.State))
	}}
}

// poll is the sequence of states until ctx ends, each once in a row.
func poll(ctx context.Context, store result.Store, id string) (states []task.State) {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		if r, err := store.Get(ctx, id); err == nil && (len(states) == 0 || states[len(states)-1] != r.State) {
			states = append(states, r.State)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return states
		}
	}
}

func (t *Trial) measureStates(states []task.State) error {
	undone := 0
	for i := 1; i < len(states); i++ {
		if states[i-1].Finished() && !states[i].Finished() {
			undone++
		}
	}
	errs := []error{t.Measure("finished_undone", float64(undone))}
	for _, s := range stateWords {
		errs = append(errs, t.Measure("polled_"+s, float64(number(slices.Contains(states, task.State(word(s)))))))
	}
	return errors.Join(errs...)
}

// AwaitResult waits until the caller has the result of the first task.
func AwaitResult() Step {
	return Step{"wait for the result", func(ctx context.Context, t *Trial) error {
		store, err := t.results(ctx)
		if err != nil {
			return err
		}
		id, err := t.firstTask()
		if err == nil {
			_, err = store.Wait(ctx, id)
		}
		return err
	}}
}

// CountStates measures which states the store took, by a worker's ledger.
func CountStates(name string) Step {
	return Step{"count the states that " + name + " stored", func(ctx context.Context, t *Trial) error {
		// The line follows the store's answer, which is what the caller waited for.
		if err := AwaitCountOfFinalStates(name, 1).Do(ctx, t); err != nil {
			return err
		}
		lines, err := t.read(name)
		if err != nil {
			return err
		}
		counts := map[string]int{}
		for _, l := range lines {
			if l.Event == ledger.ResultStored {
				counts[l.State]++
			}
		}
		var errs []error
		for _, s := range storedWords {
			errs = append(errs, t.Measure("stored_"+s, float64(counts[word(s)])))
		}
		return errors.Join(errs...)
	}}
}

// AwaitCountOfFinalStates waits until a worker's ledger says of n finished states
// that they were stored, superseded or lost.
func AwaitCountOfFinalStates(name string, n int) Step {
	return Step{fmt.Sprintf("wait until %s is done with %d results", name, n), func(ctx context.Context, t *Trial) error {
		return t.await(ctx, name, fmt.Sprintf("is done with %d results", n), func(f *tail) bool { return f.results >= n })
	}}
}

// firstTask is the id of the first task that the producer made.
func (t *Trial) firstTask() (string, error) {
	lines, err := t.read("producer")
	if err != nil {
		return "", err
	}
	for _, l := range lines {
		if l.Event == ledger.Attempted {
			return l.Task, nil
		}
	}
	return "", errors.New("the producer has published nothing")
}
