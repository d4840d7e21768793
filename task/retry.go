package task

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/google/uuid"
)

// RetryPolicy says which failures of a task are tried again, how often and
// when, in the words of Celery's task options. The zero value retries nothing.
// It is a value: whoever holds one may change it for himself.
type RetryPolicy struct {
	// Max is how many tries may follow the first (max_retries). There is no
	// "for ever" here, Celery's None: name a number.
	Max int
	// Delay is the pause before each retry (countdown, default_retry_delay),
	// where there is no backoff and the error brings no delay of its own.
	Delay time.Duration
	// Backoff, when it is not 0, replaces Delay: the pause before retry n,
	// counted from 1, is Backoff x 2^(n-1) (retry_backoff).
	Backoff time.Duration
	// BackoffMax bounds that (retry_backoff_max); 0: MaxDelay does.
	BackoffMax time.Duration
	// Jitter draws the pause evenly from 0 to the backoff (retry_jitter). A
	// fixed Delay and an error's own delay are never changed.
	Jitter bool
	// For chooses the errors that are tried again without being asked for
	// (autoretry_for); nil: none.
	For ErrorMatch
	// DontFor takes some of those out again (dont_autoretry_for); nil: none.
	DontFor ErrorMatch
}

// DefaultRetry is the policy of a task that has none of its own, with Celery's
// numbers: nothing is tried again by itself, but a handler that asks for it
// (TryAgain) has three retries, three minutes apart.
func DefaultRetry() RetryPolicy {
	return RetryPolicy{Max: 3, Delay: 180 * time.Second, BackoffMax: 600 * time.Second, Jitter: true}
}

// Check says in one line why the policy cannot be kept, or returns nil.
func (p RetryPolicy) Check() error {
	switch {
	case p.Max < 0:
		return fmt.Errorf("max retries %d: use 0 (none) or more; there is no retrying for ever, a large number does", p.Max)
	case p.Max > math.MaxInt32:
		return fmt.Errorf("max retries %d is above %d", p.Max, math.MaxInt32)
	}
	for _, d := range [...]struct {
		what  string
		value time.Duration
	}{{"delay", p.Delay}, {"backoff", p.Backoff}, {"backoff max", p.BackoffMax}} {
		if d.value < 0 {
			return fmt.Errorf("retry %s %s is negative", d.what, d.value)
		}
		if d.value > MaxDelay {
			return fmt.Errorf("retry %s %s is above the longest delay %s", d.what, d.value, MaxDelay)
		}
	}
	if p.Backoff == 0 || p.Max == 0 || p.BackoffMax > 0 {
		return nil
	}
	for n := range p.Max {
		if double(p.Backoff, n) > MaxDelay {
			return fmt.Errorf("retry backoff %s doubles beyond the longest delay %s at retry %d of %d: set a backoff max", p.Backoff, MaxDelay, n+1, p.Max)
		}
	}
	return nil
}

// double is d x 2^n, or more than MaxDelay when that overflows.
func double(d time.Duration, n int) time.Duration {
	for range n {
		if d > MaxDelay {
			break
		}
		d *= 2
	}
	return d
}

// RetryDecision is what follows a failure.
type RetryDecision struct {
	// Again: the task is tried again, after Delay.
	Again bool
	Delay time.Duration
	// Why not, for people, where Again is false.
	Reason string
}

// Decide says what follows a try that failed with err and was the retry of
// that number (Options.Retries; 0: the first try). random gives numbers from 0
// up to 1, 1 excluded, and is asked only for jitter.
//
// What no retry helps is never tried again, also when the handler asks:
// *ArgumentError, *UnknownTaskError. Beyond that a handler that asks
// (TryAgain, RetryIn) is believed, and For and DontFor choose among the rest.
// A delay of the error's own that is negative or above MaxDelay cannot be
// kept: then the task is not tried again.
func (p RetryPolicy) Decide(err error, retries int, random func() float64) RetryDecision {
	own := ownRetry(err)
	switch {
	case hopeless(err):
		return RetryDecision{Reason: "trying again does not help"}
	case !own.asks && !p.chooses(err):
		return RetryDecision{Reason: "the policy does not retry this error"}
	case retries >= p.Max:
		return RetryDecision{Reason: fmt.Sprintf("no retries left of %d", p.Max)}
	case own.delayed && (own.delay < 0 || own.delay > MaxDelay):
		return RetryDecision{Reason: fmt.Sprintf("the error asks for a delay of %s, outside 0 to %s", own.delay, MaxDelay)}
	case own.delayed:
		return RetryDecision{Again: true, Delay: own.delay}
	}
	return RetryDecision{Again: true, Delay: p.pause(retries, random)}
}

func (p RetryPolicy) chooses(err error) bool {
	return p.For != nil && p.For(err) && (p.DontFor == nil || !p.DontFor(err))
}

// pause is the time between the failure of try number retries and the next.
func (p RetryPolicy) pause(retries int, random func() float64) time.Duration {
	if p.Backoff == 0 {
		return p.Delay
	}
	limit := MaxDelay
	if p.BackoffMax > 0 {
		limit = min(limit, p.BackoffMax)
	}
	d := min(double(p.Backoff, retries), limit)
	if p.Jitter {
		d = time.Duration(random() * float64(d+1))
	}
	return d
}

// hopeless tells whether the same message can never do better.
func hopeless(err error) bool {
	var argument *ArgumentError
	var unknown *UnknownTaskError
	return errors.As(err, &argument) || errors.As(err, &unknown)
}

// retryError is an error that says something about its retry.
type retryError struct {
	err     error
	asks    bool
	delayed bool
	delay   time.Duration
}

func (e *retryError) Error() string { return e.err.Error() }
func (e *retryError) Unwrap() error { return e.err }

// ownRetry is what the outermost of such errors says.
func ownRetry(err error) retryError {
	var own *retryError
	if errors.As(err, &own) {
		return *own
	}
	return retryError{}
}

// TryAgain is err with the request to try the task again when its policy says
// so, whatever errors that policy retries by itself: Celery's self.retry().
func TryAgain(err error) error { return &retryError{err: err, asks: true} }

// RetryIn is err with the request to try the task again after d: Celery's
// self.retry(countdown=d).
func RetryIn(err error, d time.Duration) error {
	return &retryError{err: err, asks: true, delayed: true, delay: d}
}

// WithDelay is err with a delay of its own, d, in case it is tried again; it
// asks for nothing. A server that says when to come back is the source of it.
func WithDelay(err error, d time.Duration) error {
	return &retryError{err: err, delayed: true, delay: d}
}

// ErrorMatch chooses errors.
type ErrorMatch func(error) bool

// AnyError chooses every error.
func AnyError(error) bool { return true }

// ErrorIs chooses errors that are one of the targets, as errors.Is tells.
func ErrorIs(targets ...error) ErrorMatch {
	return func(err error) bool {
		return slices.ContainsFunc(targets, func(t error) bool { return errors.Is(err, t) })
	}
}

// Kinds of errors that every worker knows. Handlers may give their errors any
// others with WithKind.
const (
	KindAny       = "any"       // every error
	KindTransient = "transient" // trying again may help
	KindPanic     = "panic"     // the handler panicked
)

// kindError is an error of a kind.
type kindError struct {
	kind string
	err  error
}

func (e *kindError) Error() string { return e.err.Error() }
func (e *kindError) Unwrap() error { return e.err }

// WithKind is err as one of the kinds too, by which a policy can choose it.
// Its text does not change.
func WithKind(err error, kinds ...string) error {
	for _, k := range kinds {
		err = &kindError{k, err}
	}
	return err
}

// KindOf is the first kind that err was given, "" if it has none.
func KindOf(err error) (kind string) {
	for {
		var k *kindError
		if !errors.As(err, &k) {
			return kind
		}
		kind, err = k.kind, k.err
	}
}

// ErrorOfKind chooses errors that have one of the kinds, anywhere in what they
// wrap. KindAny chooses every error.
func ErrorOfKind(kinds ...string) ErrorMatch {
	return func(err error) bool { return slices.Contains(kinds, KindAny) || ofKind(err, kinds) }
}

func ofKind(err error, kinds []string) bool {
	if e, ok := err.(*kindError); ok && slices.Contains(kinds, e.kind) {
		return true
	}
	switch e := err.(type) {
	case interface{ Unwrap() error }:
		inner := e.Unwrap()
		return inner != nil && ofKind(inner, kinds)
	case interface{ Unwrap() []error }:
		return slices.ContainsFunc(e.Unwrap(), func(inner error) bool { return inner != nil && ofKind(inner, kinds) })
	}
	return false
}

// Copy is another publish of the same try: a fresh message id, everything else
// as it was. The receiver is not changed.
func (m *Message) Copy() *Message {
	next := *m
	next.ID = uuid.NewString()
	return &next
}
