package broker

import (
	"errors"
	"fmt"
	"slices"
)

// The errors that callers decide on. Drivers wrap them; test with errors.Is.
var (
	// ErrUnsure: the operation may or may not have taken effect. A reply was
	// lost, a deadline passed, a confirm came back negative for a reason that
	// does not exclude storage.
	ErrUnsure = errors.New("unsure whether it took effect")
	// ErrRefused: a publish was certainly not stored. *Refusal carries why.
	ErrRefused = errors.New("refused")
	// ErrClosed: the broker or the consumer was closed or stopped.
	ErrClosed = errors.New("closed")
	// ErrSettled: the delivery was settled before; this call changed nothing.
	ErrSettled = errors.New("already settled")
	// ErrStale: the delivery belongs to a session that has ended or a lease
	// that has expired; this call changed nothing at the broker.
	ErrStale = errors.New("stale delivery")
	// ErrUnknownQueue: the queue does not exist.
	ErrUnknownQueue = errors.New("unknown queue")
)

// Reason says why a publish was certainly not stored.
type Reason string

// The reasons of a refusal.
const (
	Unreachable Reason = "unreachable"  // no connection could be made, or none stood when it was to be sent
	Unroutable  Reason = "unroutable"   // returned: no such queue
	LengthLimit Reason = "length-limit" // the queue is full and rejects
	Full        Reason = "full"         // the server is out of memory
	ReadOnly    Reason = "read-only"    // the server is a replica or cannot write
	Denied      Reason = "denied"       // authentication or permission
	TooLarge    Reason = "too-large"    // above the size limit
	Invalid     Reason = "invalid"      // the message cannot be expressed on this broker
	Duplicate   Reason = "duplicate"    // a message with this id is already held
	Closed      Reason = "closed"       // the client was closed before it was sent
	Cancelled   Reason = "cancelled"    // the caller's context had ended before it was sent
)

// Refusal is a publish that was certainly not stored. It wraps ErrRefused,
// and ErrClosed when Reason is Closed.
type Refusal struct {
	Reason Reason
	Err    error // what the server or the library said; may be nil
}

// Error says that the publish was refused, why, and what the server said.
func (r *Refusal) Error() string {
	if r.Err == nil {
		return fmt.Sprintf("refused (%s)", r.Reason)
	}
	return fmt.Sprintf("refused (%s): %v", r.Reason, r.Err)
}

// Unwrap gives ErrRefused, the cause, and ErrClosed for a closed client.
func (r *Refusal) Unwrap() []error {
	errs := []error{ErrRefused}
	if r.Reason == Closed {
		errs = append(errs, ErrClosed)
	}
	if r.Err != nil {
		errs = append(errs, r.Err)
	}
	return errs
}

// RefusedAs tells whether a publish was refused for one of the reasons.
func RefusedAs(err error, reasons ...Reason) bool {
	var refusal *Refusal
	return errors.As(err, &refusal) && slices.Contains(reasons, refusal.Reason)
}
