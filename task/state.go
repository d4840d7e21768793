package task

import "fmt"

// State is where a task is in its life, in Celery's words
// (celery/states.py). The zero value is not a state.
type State string

// The states. A task that nobody has heard of is Pending, as in Celery.
const (
	Pending  State = "PENDING"  // waits, or is unknown
	Received State = "RECEIVED" // is with a worker, not started
	Started  State = "STARTED"  // a handler runs it
	Retry    State = "RETRY"    // failed and will be tried again
	Success  State = "SUCCESS"  // a handler returned without error
	Failure  State = "FAILURE"  // failed for good
	Revoked  State = "REVOKED"  // called off before it could end
)

// States lists all states in the order in which a task may pass through them.
func States() []State {
	return []State{Pending, Received, Started, Retry, Success, Failure, Revoked}
}

// ParseState reads a state as it stands in a result. Anything but one of the
// seven words, in capitals, is an error.
func ParseState(text string) (State, error) {
	if s := State(text); s.Known() {
		return s, nil
	}
	return "", fmt.Errorf("unknown task state %q", text)
}

// Known reports whether s is one of the states.
func (s State) Known() bool {
	switch s {
	case Pending, Received, Started, Retry, Success, Failure, Revoked:
		return true
	}
	return false
}

// Finished reports whether the task has ended and will not change its state
// any more (Celery's READY_STATES).
func (s State) Finished() bool {
	return s == Success || s == Failure || s == Revoked
}

// Failed reports whether asking for the result gives an error instead of a
// value (Celery's PROPAGATE_STATES).
func (s State) Failed() bool {
	return s == Failure || s == Revoked
}
