package result

import (
	"slices"

	"acklab/task"
)

// Standing is how far in its life a task is, as a number: of two states of a
// task, a store keeps the one that stands higher. Only drivers need it.
//
//	unfinished: 4 · retries + the state's place (PENDING 0, RECEIVED 1, STARTED 2, RETRY 3)
//	FAILURE and REVOKED: Final     SUCCESS: Best
//
// A word that is not one of package task's stands where STARTED does: it is
// what a running Celery task says of itself.
type Standing int64

// The standings of finished states.
const (
	Final Standing = 1 << 40
	Best  Standing = 1 << 41
)

// places are the unfinished states in the order of a life.
var places = []task.State{task.Pending, task.Received, task.Started, task.Retry}

// StandingOf is the standing of a state in a try.
func StandingOf(s task.State, retries int) Standing {
	switch {
	case s == task.Success:
		return Best
	case s.Finished():
		return Final
	}
	place := slices.Index(places, s)
	if place < 0 {
		place = slices.Index(places, task.Started)
	}
	return Standing(len(places)*retries + place)
}

// Standing is the result's.
func (r Result) Standing() Standing { return StandingOf(r.State, r.Retries) }

// Over is nil when a state of this standing replaces one that stands at old, or
// else ErrFinished or ErrOutdated. Unfinished states of one standing replace
// each other, finished ones do not.
func (s Standing) Over(old Standing) error {
	switch {
	case s > old || s == old && old < Final:
		return nil
	case old >= Final:
		return ErrFinished
	}
	return ErrOutdated
}
