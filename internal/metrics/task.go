package metrics

import (
	"math"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// State is a state of a task, in Celery's words.
type State string

// The states that a worker sees a task enter.
const (
	Received State = "RECEIVED"
	Started  State = "STARTED"
	Retry    State = "RETRY"
	Success  State = "SUCCESS"
	Failure  State = "FAILURE"
	Revoked  State = "REVOKED"
)

// states gives each state its place in taskSeries.states.
var states = []State{Received, Started, Retry, Success, Failure, Revoked}

// unknown stands for every task name that no handler is registered for: names
// come from whoever publishes, and must not decide how many series there are.
const unknown = "unknown"

type taskSeries struct {
	states    [6]prometheus.Counter
	retries   prometheus.Counter
	wait, run prometheus.Observer
}

func (m *Metrics) resolveTask(name string) *taskSeries {
	s := &taskSeries{
		retries: m.retries.WithLabelValues(name),
		wait:    m.wait.WithLabelValues(name),
		run:     m.run.WithLabelValues(name),
	}
	for i, state := range states {
		s.states[i] = m.tasks.WithLabelValues(name, string(state))
	}
	return s
}

// KnowTasks names the tasks that have a handler here, and begins their series
// at 0. Every other name is counted as "unknown".
func (m *Metrics) KnowTasks(names ...string) {
	if m == nil {
		return
	}
	for _, name := range names {
		m.running.get(name, math.MaxInt, unknown)
	}
}

func (m *Metrics) task(name string) *taskSeries {
	if s := m.running.find(name); s != nil {
		return s
	}
	return m.running.get(unknown, math.MaxInt, unknown)
}

// TaskEntered counts a task that entered the state. A state that is none of
// the constants is not counted.
func (m *Metrics) TaskEntered(name string, state State) {
	if m == nil {
		return
	}
	for i, s := range states {
		if s == state {
			m.task(name).states[i].Inc()
			return
		}
	}
}

// Retried counts a message that was published to try the task again.
func (m *Metrics) Retried(name string) {
	if m != nil {
		m.task(name).retries.Inc()
	}
}

// Waited observes the time from the publish of a message to the start of its
// handler. Clocks of two machines may disagree: less than nothing counts as 0.
func (m *Metrics) Waited(name string, d time.Duration) {
	if m != nil {
		m.task(name).wait.Observe(seconds(d))
	}
}

// Ran observes how long a handler ran, whatever it returned.
func (m *Metrics) Ran(name string, d time.Duration) {
	if m != nil {
		m.task(name).run.Observe(seconds(d))
	}
}
