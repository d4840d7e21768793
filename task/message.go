package task

import (
	"encoding/json"
	"time"

	"github.com/google/uuid"
)

// Message is one publish of a task. A task is a task id; a retry of it is a
// new Message with the same TaskID, a new ID and Retries raised by one.
//
// A Message is a value: drivers and rooms never change one that they were
// given. It is safe to read from several goroutines.
type Message struct {
	// ID is the message id, unique for every publish. AMQP carries it as
	// message_id, asynq as its task id, the Redis layout as delivery_tag.
	// It is made deterministic only where duplicates shall collapse.
	ID string
	// TaskID is the id of the task, the one that results are stored under.
	TaskID string
	// Name is the registered name of the handler, e.g. "send_email".
	Name string
	// Args are the positional arguments, each one JSON value.
	Args []json.RawMessage
	// Kwargs are the named arguments, each one JSON value.
	Kwargs map[string]json.RawMessage
	Options
}

// Options are what a producer may say about one message beside its arguments.
// On the wire, moments and time limits are cut to microseconds, all that
// Python's datetime holds.
type Options struct {
	// Queue is where the message is published to.
	Queue string
	// Priority is 0 to 9; 0 is the default. A larger number is served sooner,
	// with every broker whose URL asks for priorities (priority=on); else it is
	// ignored. What stands for it on the wire is the driver's matter.
	Priority int
	// PriorityGiven says that the sender has chosen Priority, 0 too: then no route
	// changes it. It is not on the wire of a message.
	PriorityGiven bool
	// ETA is the moment before which the task must not run; zero: at once.
	ETA time.Time
	// Expires is the moment after which the task must not run; zero: never.
	Expires time.Time
	// Retries counts the tries before this one: 0 for the first.
	Retries int
	// SoftLimit and HardLimit bound the run time; zero: no limit. Celery's
	// timelimit header carries them in seconds as [hard, soft].
	SoftLimit, HardLimit time.Duration
	// RootID and ParentID place the task in a workflow; empty: the task is
	// its own root and has no parent.
	RootID, ParentID string
	// GroupID names the group that the task is a member of, if any.
	GroupID string
	// ReplyTo is the queue that Celery's rpc result backend answers to.
	ReplyTo string
	// Origin says which process published the message, for people.
	Origin string
	// IgnoreResult asks the worker to store no result.
	IgnoreResult bool
	// Once asks a worker that has a result store not to run the task when the
	// store says that it has already succeeded. Two runs that overlap are both
	// carried out. The header is acklab_once; Celery ignores it.
	Once bool
	// Embed is Celery's third element of the body (callbacks, errbacks,
	// chain, chord), kept as it came; nil: the empty embed. Links reads it.
	Embed json.RawMessage
	// Extra holds headers that this program does not know, and argsrepr,
	// kwargsrepr, shadow and group_index where the sender chose them. They
	// are written back. Those that were read hold nil, bool, string, int64,
	// float64, []any and map[string]any.
	Extra map[string]any
}

// Ids are as random as before, but not one system call each: a producer makes two
// a message. They are names, not secrets.
func init() { uuid.EnableRandPool() }

// New makes a message for the task name with fresh message and task ids.
// Each argument is encoded as JSON; an argument that cannot be is an error
// that names its position.
func New(name string, opts Options, args ...any) (*Message, error) {
	m := &Message{ID: uuid.NewString(), TaskID: uuid.NewString(), Name: name, Options: opts}
	var err error
	if m.Args, err = encodeArgs(name, args); err != nil {
		return nil, err
	}
	return m, nil
}

// Again is the next try of the same task: same task id and arguments, a fresh
// message id, Retries raised by one. The receiver is not changed.
func (m *Message) Again() *Message {
	next := *m
	next.ID = uuid.NewString()
	next.Retries++
	return &next
}
