package broker

import (
	"time"

	"acklab/task"
)

// Depth is how much a queue holds, by what the broker can tell. A nil field:
// it cannot.
type Depth struct {
	Ready     *int // waits for a consumer
	Unacked   *int // is with a consumer, not settled
	Delayed   *int // waits for its time
	Dead      *int // parked in the dead letters
	Consumers *int // consumers of the queue
	// Oldest is how long the oldest of the ready ones has waited. Nil also
	// where none is ready.
	Oldest *time.Duration
}

// State is where in the broker a message is.
type State string

// The states of a held message.
const (
	Queued  State = "queued"
	Unacked State = "unacked"
	Delayed State = "delayed"
	Dead    State = "dead"
)

// Held is one message that the broker holds.
type Held struct {
	Message *task.Message // at least ID; TaskID when it could be read
	Queue   string        // the queue it belongs to, also for the dead
	State   State
	Reason  string // why it is dead; empty otherwise
	Count   int    // deliveries so far, where the broker counts; else 0
}
