package redisclient

import (
	"fmt"
	"slices"
	"sync/atomic"

	"acklab/broker"
	"acklab/task"
)

// The stages of one message of a publish.
const (
	waiting   int32 = iota
	sending         // it is on its way
	known           // its fate is in err
	abandoned       // given up before it was sent
)

// Fates are what becomes of the messages of one Publish under way. Begin makes
// it useful, and it is not copied after that. Who sends calls Take and Decide, the
// publisher Abandon and Errors; both may do so at the same time.
type Fates struct {
	Msgs []*task.Message

	each []fate
	open atomic.Int64
	done chan struct{}

	// Most publishes are of one message: it has its place here.
	msg [1]*task.Message
	one [1]fate
}

type fate struct {
	stage atomic.Int32
	err   error // to be read once stage is known
}

// Begin begins with messages that all wait to be sent. The slice is copied.
func (f *Fates) Begin(msgs []*task.Message) {
	f.done = make(chan struct{})
	if len(msgs) == 1 {
		f.msg[0] = msgs[0]
		f.Msgs, f.each = f.msg[:], f.one[:]
	} else {
		f.Msgs, f.each = slices.Clone(msgs), make([]fate, len(msgs))
	}
	f.open.Store(int64(len(msgs)))
}

// Open tells whether a message is waiting or on its way.
func (f *Fates) Open() bool { return f.open.Load() > 0 }

// Done is closed when no message is waiting or on its way.
func (f *Fates) Done() <-chan struct{} { return f.done }

// Take begins to send message i; false: it was decided or given up.
func (f *Fates) Take(i int) bool { return f.each[i].stage.CompareAndSwap(waiting, sending) }

// Decide notes the fate of message i, which was taken, or never will be.
func (f *Fates) Decide(i int, err error) {
	f.each[i].err = err
	f.each[i].stage.Store(known)
	f.settle()
}

// Abandon gives up what nobody has taken.
func (f *Fates) Abandon() {
	for i := range f.each {
		if f.each[i].stage.CompareAndSwap(waiting, abandoned) {
			f.settle()
		}
	}
}

func (f *Fates) settle() {
	if f.open.Add(-1) == 0 {
		close(f.done)
	}
}

// Errors tells the fate of each message, as far as it is known now; cause is why
// the rest was left.
func (f *Fates) Errors(cause error) []error {
	errs := make([]error, len(f.each))
	for i := range f.each {
		switch f.each[i].stage.Load() {
		case known:
			errs[i] = f.each[i].err
		case sending:
			errs[i] = fmt.Errorf("publish message %s: no answer yet: %w: %w", f.Msgs[i].ID, broker.ErrUnsure, cause)
		default:
			errs[i] = NotSent(cause)
		}
	}
	return errs
}

// NotSent is the refusal of a message that never left.
func NotSent(cause error) error {
	if cause == broker.ErrClosed {
		return &broker.Refusal{Reason: broker.Closed}
	}
	return &broker.Refusal{Reason: broker.Cancelled, Err: cause}
}
