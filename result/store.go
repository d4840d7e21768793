// Package result is the contract between acklab and a result store, where
// workers write the states and results of tasks and callers fetch them later.
// The drivers are siblings below this folder; resulttest holds the suite that
// proves one, with a test for each sentence of the comments here.
//
//	worker ─Store─▶ Store ─Get, Wait─▶ caller
//
// The peer that is mirrored is Celery's result backend: the same states, the
// same rule that an unknown task is PENDING, the same JSON (see Marshal), so
// that a Python process can read what is stored here and the other way round.
package result

import (
	"context"
	"encoding/json"
	"log/slog"
	"time"

	"acklab/task"
)

// Store is a client of one result store. It is safe for concurrent use. It
// connects when it is first needed, and again after its connections were lost:
// a call that finds the store away fails, a later one works.
type Store interface {
	// Store writes one state of a task. nil: the store holds it, or held
	// exactly the same before, so that a Store can be repeated. Which of two
	// states of a task stays is decided inside the store, as one act:
	//
	//   - a finished state is never replaced by an unfinished one;
	//   - SUCCESS replaces FAILURE and REVOKED, and the first SUCCESS stays;
	//     of FAILURE and REVOKED the first stays (Celery keeps SUCCESS only,
	//     and reads before it writes);
	//   - an unfinished state of an older try (Retries) never replaces one of
	//     a newer, nor, within a try, an earlier one a later: RECEIVED after
	//     STARTED, STARTED after RETRY.
	//
	// A state that loses changes nothing, and the error wraps ErrFinished or
	// ErrOutdated: a duplicate or late run of the task, which the caller may
	// count, and need not report.
	//
	// ErrInvalid: it cannot be stored, and repeating is useless. ErrClosed:
	// Close was called. Any other error wraps ErrUnavailable: it is not known to
	// be stored, whether it was never sent, refused for now, or its reply was
	// lost. There is no further distinction, because the answer to all of them
	// is to Store the same again.
	Store(ctx context.Context, r Result) error

	// Get fetches the state of a task. One that nobody has stored, or that was
	// forgotten or has expired, is PENDING, as in Celery, and no error.
	// ErrMalformed: what the store holds is no result.
	Get(ctx context.Context, id string) (Result, error)

	// Wait fetches the result of a task as soon as its state is a finished one,
	// whoever stores it: before, during or after the call. It relies on the
	// store's notifications to be quick, and looks by itself at growing pauses,
	// so neither a lost notification nor a lost connection nor a store that is
	// away for some time keeps it waiting for good. It ends with ctx (the error
	// wraps ctx's, and says what was the matter if the store was away), with
	// Close (ErrClosed), and with what no waiting can cure (ErrMalformed).
	Wait(ctx context.Context, id string) (Result, error)

	// Forget removes what the store holds of a task: it is PENDING again. That
	// nothing is there is no error.
	Forget(ctx context.Context, id string) error

	// Join notes, as one act, that a member of a chord has ended, and tells how the
	// chord stands with it. A member joins once: its first part stays, whatever a
	// second run of it brings, so that a Join can be repeated and a redelivered
	// member does not make a chord complete that is not. Of all members exactly
	// one is told that it was the last, each time that it joins.
	//
	// What has joined is kept at least for as long as a result, counted from the
	// last join. Errors are those of Store. It costs the store one operation,
	// however many members there are.
	Join(ctx context.Context, p Part) (Joined, error)

	// Values are those of all members of a chord that is complete and has no
	// failed one, in the order of their places. ErrMalformed: a member has none.
	Values(ctx context.Context, chord string, size int) ([]json.RawMessage, error)

	// Traits tell what this store does where stores differ. The server is asked
	// for what it has not told yet, for two seconds at the most.
	Traits(ctx context.Context) Traits

	// Close ends the client and every call under way, with ErrClosed. What was
	// stored stays. Closing twice is allowed.
	Close(ctx context.Context) error
}

// Options are common to all drivers.
type Options struct {
	// Expires is how long a result is kept after it was stored; 0:
	// DefaultExpires, negative: for ever. The URL's expires wins over it.
	Expires time.Duration
	// Log gets what no call returns, such as a lost subscription; nil: nothing.
	Log *slog.Logger
}

// Logger is Log, or one that discards.
func (o Options) Logger() *slog.Logger {
	if o.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return o.Log
}

// Durability says what of the stored results is there after the server has died
// and was started again.
type Durability string

// The kinds of durability, as far as the server's settings tell.
const (
	// Unknown: the server has not told.
	Unknown Durability = "unknown"
	// Volatile: nothing, or what an occasional snapshot holds.
	Volatile Durability = "volatile"
	// Delayed: all but the last second or so, whatever dies.
	Delayed Durability = "delayed"
	// Written: all, when the server's process is killed; not when the machine
	// loses power.
	Written Durability = "written"
	// Synced: all, after a power cut too.
	Synced Durability = "synced"
)

// SurvivesKill reports whether what was stored outlives a SIGKILL of the server.
func (d Durability) SurvivesKill() bool { return d == Written || d == Synced }

// Traits are what a store does where stores differ, as data.
type Traits struct {
	// Name is the word for it: memory, redis, postgres. Server and Version name
	// what answers ("postgresql" "15.18"); empty Version: it has not told.
	Name, Server, Version string
	// Durable is what outlives the server.
	Durable Durability
	// Expires is how long a result is kept; 0: for ever.
	Expires time.Duration
}

// MaxSize is the largest value in bytes that can be stored: what can be the
// argument of a task can be its result.
const MaxSize = task.MaxSize
