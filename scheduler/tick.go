package scheduler

import (
	"slices"
	"time"

	"acklab/task"
)

// Tick is one firing of a schedule.
type Tick struct {
	// Schedule is the schedule's name.
	Schedule string `json:"schedule"`
	// Due is the moment that the timing names, without jitter; of a tick by hand
	// the moment when it was asked for.
	Due time.Time `json:"due"`
	// ByHand: somebody asked for it (run-now). It ignores Enabled, Overlap and
	// MaxRuns, and does not move the schedule's own ticks.
	ByHand bool `json:"by_hand,omitempty"`
}

// ID is the id of the tick's task and of its message: the same from every
// scheduler, however often the tick is sent.
func (t Tick) ID() string {
	if t.ByHand { // a name has no control characters
		return task.TickID(t.Schedule+"\x00by hand", t.Due)
	}
	return task.TickID(t.Schedule, t.Due)
}

// Equal tells whether both are the same tick.
func (t Tick) Equal(o Tick) bool {
	return t.Schedule == o.Schedule && t.ByHand == o.ByHand && t.Due.Equal(o.Due)
}

// State is what is remembered of a schedule.
type State struct {
	// Timing is the timing that LastDue and Since belong to, see
	// Schedule.TimingText; empty: the schedule was not enabled.
	Timing string `json:"timing,omitempty"`
	// Since is when that timing came into force: earlier ticks are not owed.
	Since time.Time `json:"since,omitzero"`
	// LastDue is the youngest tick that was claimed or settled, not by hand.
	LastDue time.Time `json:"last_due,omitzero"`
	// LastSent is when a tick was last sent, by hand or not.
	LastSent time.Time `json:"last_sent,omitzero"`
	// Runs counts the ticks that were sent or are unsure, not by hand.
	Runs int `json:"runs,omitempty"`
	// LastTask is the id of the last tick that was sent or is unsure.
	LastTask string `json:"last_task,omitempty"`
	// Pending are the ticks that were claimed and not settled: whether they were
	// sent nobody knows. Oldest first.
	Pending []Tick `json:"pending,omitempty"`
	// Damaged: the keeper has a state that cannot be read; but for Pending all
	// else is zero. The next write makes it a good one.
	Damaged bool `json:"-"`
}

// Kind is how a tick ended.
type Kind string

// The kinds of outcomes.
const (
	Sent    Kind = "sent"    // the broker has it, or had it already under this id
	Refused Kind = "refused" // given up: certainly not stored
	Unsure  Kind = "unsure"  // given up: it may or may not be stored
	Skipped Kind = "skipped" // not sent, the one before it had not ended
	Missed  Kind = "missed"  // not sent, too late for the catch-up policy
)

// Outcome is how a tick ended; for Missed it may speak of several.
type Outcome struct {
	Tick Tick `json:"tick"`
	Kind Kind `json:"kind"`
	// At is when it was settled.
	At time.Time `json:"at"`
	// N is 1, or for Missed how many ticks of the schedule, of which Tick is the
	// youngest.
	N int `json:"n"`
	// Task is the task's id.
	Task string `json:"task"`
	// Reason says why it was not sent, for people.
	Reason string `json:"reason,omitempty"`
}

// Claim is the state after ticks of its schedule were claimed. A tick that is
// pending already is not added again.
func (s State) Claim(ticks ...Tick) State {
	pending := slices.Clone(s.Pending)
	for _, t := range ticks {
		if indexOf(pending, t) < 0 {
			pending = append(pending, t)
		}
		if !t.ByHand && t.Due.After(s.LastDue) {
			s.LastDue = t.Due
		}
	}
	s.Pending = pending
	return s
}

// Settle is the state after a tick of its schedule ended, and whether that was
// news: a tick that is neither pending nor younger than LastDue was settled
// before, and changes nothing.
func (s State) Settle(o Outcome) (State, bool) {
	i := indexOf(s.Pending, o.Tick)
	younger := !o.Tick.ByHand && o.Tick.Due.After(s.LastDue)
	if i < 0 && !younger {
		return s, false
	}
	if i >= 0 {
		s.Pending = slices.Delete(slices.Clone(s.Pending), i, i+1)
	}
	if len(s.Pending) == 0 {
		s.Pending = nil
	}
	if younger {
		s.LastDue = o.Tick.Due
	}
	if o.Kind != Sent && o.Kind != Unsure {
		return s, true
	}
	s.LastSent, s.LastTask = o.At, o.Task
	if !o.Tick.ByHand {
		s.Runs++
	}
	return s, true
}

func indexOf(ticks []Tick, t Tick) int { return slices.IndexFunc(ticks, t.Equal) }
