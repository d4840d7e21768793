package minder

import (
	"fmt"
	"syscall"
)

// Exit says how a process ended.
type Exit struct {
	// Code is the exit status, or -1 when a signal ended the process.
	Code int
	// Signal is what ended the process, or 0 when it exited by itself.
	Signal syscall.Signal
	// At is the reaping, in nanoseconds of CLOCK_MONOTONIC (see [Now]).
	At int64
	// Err is set, and nothing else is, when the end was not witnessed because the
	// minder itself went away (see [ErrGone]).
	Err error
}

// String is for logs: "exit status 1" or "signal 9 (killed)".
func (e Exit) String() string {
	switch {
	case e.Err != nil:
		return e.Err.Error()
	case e.Signal != 0:
		return fmt.Sprintf("signal %d (%s)", int(e.Signal), e.Signal)
	default:
		return fmt.Sprintf("exit status %d", e.Code)
	}
}
