package scheduler

import (
	"context"
	"errors"
	"time"
)

// ErrDeposed: a later term has begun. Whoever gets it has not led since then, and
// the call changed nothing.
var ErrDeposed = errors.New("deposed: a later term has begun")

// Source is where schedules come from. It is safe for concurrent use.
type Source interface {
	// Load reads all schedules, each of which passes Check, and no name twice. On
	// an error the scheduler goes on with what it had.
	Load(ctx context.Context) ([]Schedule, error)

	// Watch gives a value when something may have changed, a run-now request
	// included where the source has those; values may coalesce, and the channel
	// has room for one. A notification that was lost (a link that broke) costs
	// some seconds at the most, because Watch then looks by itself. It ends, and
	// the channel is closed, when ctx ends.
	Watch(ctx context.Context) <-chan struct{}
}

// Remover is a source that spent schedules are taken out of: a one-off after its
// tick was settled.
type Remover interface {
	// Remove takes a schedule out if it is still exactly as given: one that
	// somebody has changed meanwhile stays.
	Remove(ctx context.Context, s Schedule) error
}

// Term numbers leaderships: each is greater than all before it. 0 leads without
// having asked, and is never deposed (an experiment's --no-lock).
type Term int64

// Keeper keeps the states of schedules. It is safe for concurrent use. Calls are
// atomic: all of it or nothing. An error that is not ErrDeposed means that it may
// or may not have happened; all calls can be repeated.
type Keeper interface {
	// States are the states of all schedules that have one, by name.
	States(ctx context.Context) (map[string]State, error)

	// Begin writes Timing and Since of the schedules, by name, and nothing else
	// of their states.
	Begin(ctx context.Context, term Term, begun map[string]Beginning) error

	// Claim is called before ticks are published, and makes them Pending (see
	// State.Claim). After any error nothing may be published.
	Claim(ctx context.Context, term Term, ticks []Tick) error

	// Settle is called when the fate of ticks is known (see State.Settle), also
	// of ticks that were never claimed (skipped, missed). It removes the
	// requests among them, and appends to the history where there is one. What is
	// no news to State.Settle is left out, so repeating a call counts nothing
	// twice.
	Settle(ctx context.Context, term Term, outcomes []Outcome) error

	// Requests are the ticks that were asked for by hand and not settled.
	Requests(ctx context.Context) ([]Tick, error)
}

// Beginning is when a timing came into force.
type Beginning struct {
	// Timing is Schedule.TimingText, or empty.
	Timing string
	Since  time.Time
}

// Elector decides who leads.
type Elector interface {
	// Campaign blocks until this process leads, or ctx ends. A store that is
	// away is waited for; it is an error only what no waiting cures.
	Campaign(ctx context.Context) (Leadership, error)
}

// Leadership is one term of this process. It renews itself. It is safe for
// concurrent use.
type Leadership interface {
	// Term is its number, which every write to the keeper names.
	Term() Term
	// Deadline is until when the last renewal may be trusted, on the local clock
	// (with its monotonic part), counted from before that renewal was asked for;
	// the zero time: for ever. Whoever is about to publish asks it first.
	Deadline() time.Time
	// Lost is closed when the term has ended, or Deadline has passed.
	Lost() <-chan struct{}
	// Resign ends the term, so that another can lead at once, and ends the
	// renewing. It never ends a later term. Resigning twice is allowed.
	Resign(ctx context.Context) error
}
