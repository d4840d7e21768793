package experiments

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"acklab/internal/ledger"
)

// workerNames are those of the workers that share a queue.
func workerNames() []string {
	names := make([]string, sharedWorkers)
	for i := range names {
		names[i] = fmt.Sprintf("worker%d", i+1)
	}
	return names
}

// MeasureShares measures how workers shared the tasks, each of so many
// seconds: tasks_min and tasks_max of a worker, Jain's index of fairness
// times 1000 (1000: all equal; 200: one of five had all), the time from the
// first start to the last end in percent of the ideal, and turns_percent: how
// many deliveries went to the worker whose turn it was.
func MeasureShares(workers []string, seconds float64) Step {
	return Step{"measure how the workers shared the tasks", func(_ context.Context, t *Trial) error {
		s, err := t.shares(workers)
		if err != nil {
			return err
		}
		ideal := seconds * 1000 * float64(s.total()) / float64(len(workers))
		return errors.Join(
			t.Measure("tasks_min", float64(slices.Min(s.finished))), t.Measure("tasks_max", float64(slices.Max(s.finished))),
			t.Measure("jain_x1000", 1000*s.jain()), t.Measure("turns_percent", s.turns()),
			t.Measure("makespan_ms", milliseconds(s.first, s.last)), t.Measure("makespan_percent_of_ideal", 100*milliseconds(s.first, s.last)/ideal),
		)
	}}
}

// shares is what each of several workers had of a load.
type shares struct {
	finished    []int // by worker
	received    []receipt
	first, last int64 // the first start and the last end
}

// receipt is one delivery: when, and to which worker.
type receipt struct {
	at     int64
	worker int
}

func (t *Trial) shares(workers []string) (shares, error) {
	s := shares{finished: make([]int, len(workers))}
	for i, name := range workers {
		lines, err := t.read(name)
		if err != nil {
			return s, err
		}
		for _, l := range lines {
			s.take(i, l)
		}
	}
	if s.total() == 0 {
		return s, errors.New("measure shares: no worker finished a task")
	}
	slices.SortFunc(s.received, func(a, b receipt) int { return cmp.Compare(a.at, b.at) })
	return s, nil
}

func (s *shares) take(worker int, l ledger.Line) {
	switch l.Event {
	case ledger.Received:
		s.received = append(s.received, receipt{l.Mono, worker})
	case ledger.Started:
		if s.first == 0 || l.Mono < s.first {
			s.first = l.Mono
		}
	case ledger.Finished:
		s.finished[worker]++
		s.last = max(s.last, l.Mono)
	}
}

func (s *shares) total() (n int) {
	for _, f := range s.finished {
		n += f
	}
	return n
}

// jain is Jain's index of fairness: the square of the sum over n times the sum
// of the squares. 1: all equal; 1/n: one has all.
func (s *shares) jain() float64 {
	squares := 0
	for _, f := range s.finished {
		squares += f * f
	}
	return float64(s.total()*s.total()) / float64(len(s.finished)*squares)
}

// turns is how many deliveries, in percent, went to the worker that had waited
// longest for one: strict turns make 100, chance 20 of five.
func (s *shares) turns() float64 {
	n, right := len(s.finished), 0
	for i := n; i < len(s.received); i++ {
		recent := map[int]bool{}
		for _, r := range s.received[i-n+1 : i] {
			recent[r.worker] = true
		}
		if len(recent) == n-1 && !recent[s.received[i].worker] {
			right++
		}
	}
	return 100 * float64(right) / float64(max(len(s.received)-n, 1))
}
