package result

import (
	"errors"
	"fmt"
)

// The errors that callers decide on. Drivers wrap them; test with errors.Is.
var (
	// ErrUnavailable: the store did not answer, or refused for now (it is down,
	// full, read-only, or does not know the password). A Store that ends so is
	// not known to be stored; to repeat it is safe.
	ErrUnavailable = errors.New("result store unavailable")
	// ErrInvalid: the call can never succeed; nothing was sent.
	ErrInvalid = errors.New("invalid result")
	// ErrFinished: the store holds a finished state of the task that this one
	// does not replace. Nothing was changed.
	ErrFinished = errors.New("the task has finished already")
	// ErrOutdated: the store holds a later unfinished state of the task.
	// Nothing was changed.
	ErrOutdated = errors.New("a later state of the task is stored")
	// ErrMalformed: what the store holds of the task cannot be read.
	ErrMalformed = errors.New("malformed result")
	// ErrClosed: the client was closed.
	ErrClosed = errors.New("result store closed")
)

// Unavailable is err as one that wraps ErrUnavailable, and err with it.
func Unavailable(err error) error { return fmt.Errorf("%w: %w", ErrUnavailable, err) }
