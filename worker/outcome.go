package worker

import (
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"

	"acklab/result"
	"acklab/task"
)

// This file is how a try ended, in the worker's own words. What a handler returns is
// the handler's, and the methods of its value and of its error may panic as the
// handler may: all that the worker has to know of them is asked once, where a panic
// is caught, and neither of the two goes any further.

// errInterrupted marks a handler that ended because the worker is stopping.
var errInterrupted = errors.New("stopped by the worker's shutdown")

// errHardLimit marks a handler that was stopped at its hard time limit. As in
// Celery, that is not tried again.
var errHardLimit = errors.New("stopped at its hard time limit")

// outcome is how a try ended.
type outcome struct {
	err        *tryError       // nil: the handler has succeeded
	value      json.RawMessage // what it returned
	unreadable *result.Failure // why that is no JSON; nil: it is
}

// interrupted tells whether the worker's shutdown ended the handler.
func (o outcome) interrupted() bool { return o.err != nil && o.err.stopped == errInterrupted }

// tryError is the error of a try.
type tryError struct {
	text    string             // the first line; from the second on the stack of a panic
	kind    string             // in a word, as Python's classes are named
	retry   task.RetryDecision // what follows
	stopped error              // errInterrupted, errHardLimit, or nil: the handler ended by itself
}

// Error implements error.
func (e *tryError) Error() string {
	if e.stopped != nil {
		return e.stopped.Error() + ": " + e.text
	}
	return e.text
}

// encode is the value of a handler as JSON, or why it is none. One whose own
// method panics is as one whose method returns an error.
func encode(value any) (text json.RawMessage, unreadable *result.Failure) {
	err := guard(func() (err error) {
		if text, err = json.Marshal(value); err != nil {
			return errors.New(err.Error()) // it may hold one of the value's own
		}
		return nil
	})
	if err == nil {
		return text, nil
	}
	return nil, newFailure("EncodeError", err.Error())
}

// understand reads the error of a handler. One that cannot be read, because a method
// of it or the task's policy panics, is that panic.
func (w *Worker) understand(m *task.Message, err error) (e *tryError) {
	read := func(err error) error {
		return guard(func() error {
			e = &tryError{text: err.Error(), kind: errorType(err)}
			e.retry = w.retries[m.Name].Decide(err, m.Retries, w.random)
			return nil
		})
	}
	broken := read(err)
	if broken == nil {
		return e
	}
	if again := read(broken); again != nil { // the policy it is
		return &tryError{text: again.Error(), kind: errorType(again), retry: task.RetryDecision{Reason: "its retry policy panicked"}}
	}
	return e
}

// errorType is a name for the kind of error, as Python's classes are named.
func errorType(err error) string {
	var argument *task.ArgumentError
	if errors.As(err, &argument) {
		return "TypeError"
	}
	if kind := task.KindOf(err); kind != "" {
		return fmt.Sprintf("%s%sError", strings.ToUpper(kind[:1]), kind[1:])
	}
	return "TaskError"
}

// guard runs f, which calls what is a handler's. It turns a panic into an error that
// carries its stack. Its kind lets a policy retry it; none does so by itself.
func guard(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = task.WithKind(fmt.Errorf("panic: %v\n%s", p, debug.Stack()), task.KindPanic)
		}
	}()
	return f()
}
