package broker

import "time"

// ReturnOn says what makes an unfinished task of a dead worker come back.
type ReturnOn string

// The moments at which a broker takes a delivery back.
const (
	OnDisconnect ReturnOn = "disconnect" // the connection ends
	OnLease      ReturnOn = "lease"      // a lease runs out
	OnNothing    ReturnOn = "nothing"    // it does not come back
)

// Ability is how a broker does something that not all do.
type Ability string

// The kinds of an ability.
const (
	Native   Ability = "native"
	Emulated Ability = "emulated"
	ByWorker Ability = "by the worker"
	Absent   Ability = "absent"
)

// Marks says how far Delivery.Seen can be trusted.
type Marks string

// The kinds of redelivery marks.
const (
	MarksAlways Marks = "always" // every redelivery is marked, and nothing else is
	// MarksWhileUp: as always, until the server itself was killed; after that
	// a marked one may be the first.
	MarksWhileUp Marks = "while up"
	MarksSome    Marks = "sometimes" // a marked one is a redelivery; an unmarked one may be
	MarksNone    Marks = "none"
)

// Traits are what a broker does where brokers differ, as data: the suite,
// the README table and the predictions of the experiments read them.
type Traits struct {
	// System is the word for it: memory, asynq, redis, rabbitmq,
	// rabbitmq-quorum. Server and Version name what answers: "rabbitmq" "3.10.8".
	System, Server, Version string

	// Returns says when an unfinished task of a dead worker comes back, and
	// ReturnMin and ReturnMax how long after the death.
	Returns              ReturnOn
	ReturnMin, ReturnMax time.Duration

	// Confirms: nil from Publish means that the server said it has it.
	Confirms bool
	// SurvivesKill: what is confirmed is there after the server was killed
	// and started again, as far as the queue's own settings decide (a Redis
	// without persistence forgets whatever the driver does: then it is false).
	SurvivesKill bool
	// RefusesUnknownQueue: publishing to a queue that nobody declared is
	// refused; else it is stored, and the queue exists from then on.
	RefusesUnknownQueue bool
	// Marks and Counts: what a delivery knows about earlier ones.
	Marks  Marks
	Counts bool
	// FIFO: one consumer with prefetch 1 gets the messages in the order they
	// were confirmed.
	FIFO bool
	// Delay, Priority, DeadLetters: how these are done. Priority is that within
	// one queue, which the client's URL has to ask for (priority=on); absent: it
	// has not, and PriorityLevels is 0.
	Delay, Priority, DeadLetters Ability
	// DelayRounding: a delay is made longer by at most this part of itself,
	// because delays are rounded up to a grid; 0: it is not rounded.
	DelayRounding float64
	// DelayLate is how much later than the rounded delay a message may come
	// on an idle server with a consumer; more than 0 where Delay is native or
	// emulated. No driver delivers before the ETA, lets a long delay hold up a
	// short one, holds what is already due, or accepts a delay of more than
	// task.MaxDelay. None drops what expires while it waits: that is the
	// worker's to say.
	DelayLate time.Duration
	// PriorityLevels is how many of the priorities 0 to 9 are told apart: 10,
	// or 4, which are 0, 1 to 3, 4 to 6, and 7 to 9. Everywhere the larger one
	// is served first, and of one level the older.
	PriorityLevels int
	// MaxPrefetch bounds what one consumer can hold; 0: no bound.
	MaxPrefetch int
	// MaxPayload is the largest body in bytes that a publish accepts; 0: no
	// bound of its own.
	MaxPayload int
	// SeesUnacked: Census and Depth see what is with a consumer.
	SeesUnacked bool
}

// PriorityLevel is the level that a priority has: the larger is served first.
// Without priorities all are one.
func (t Traits) PriorityLevel(priority int) int {
	switch t.PriorityLevels {
	case 0:
		return 0
	case 4:
		return (priority + 2) / 3
	}
	return priority
}
