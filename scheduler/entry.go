package scheduler

import (
	"fmt"
	"slices"
	"time"

	"acklab/task"
)

// owed is a tick that is due and has not ended.
type owed struct {
	Tick
	// planned: it stands in this process's ledger.
	planned bool
	// claimed: the keeper has it as pending.
	claimed bool
	// unsure: a publish of it may have succeeded, here or in an earlier term.
	unsure bool
	// tries are the publishes of this term, last what the last of them said.
	tries int
	last  error
}

// entry is one schedule in a term: its state, and what is owed of it.
type entry struct {
	version
	source Source
	to     task.Options // queue and priority of its messages
	state  State
	until  time.Time // ticks after this are not collected; zero: all are

	next  Tick      // the next tick; its Due is zero when there is none
	owed  []*owed   // oldest first
	began time.Time // when this term began to look after it
	again time.Time // not before this is what is owed tried (again)
	wake  time.Time // when there is something to do; zero: never
	turn  int       // when something of it was last tried, in turns of the term
	place int       // in the heap; -1: not there
	gone  bool      // no source has it any more
}

// verdict is what is to be done about the ticks that are owed.
type verdict struct {
	send  []*owed
	ended []Outcome
}

// begin sets the entry to a state. Of a timing that is new, the ticks from now on
// are owed; the one tick of a moment is owed however long ago it was.
func (e *entry) begin(state State, now time.Time) (Beginning, bool) {
	e.state, e.began, e.again = state, now, now
	e.state.Damaged = false
	text := e.TimingText()
	fresh := state.Timing != text
	if fresh {
		e.state.Timing, e.state.Since = text, now.UTC().Round(0)
		if text != "" && !e.At.IsZero() {
			e.state.Since = e.At.Add(-time.Nanosecond)
		}
	}
	for _, t := range state.Pending {
		e.owe(&owed{Tick: t, claimed: true, unsure: true})
	}
	e.advance()
	return Beginning{Timing: e.state.Timing, Since: e.state.Since}, fresh
}

// advance finds the tick after the last one.
func (e *entry) advance() {
	e.next = Tick{}
	if !e.Enabled || e.spent() {
		return
	}
	after := e.state.Since
	if e.state.LastDue.After(after) {
		after = e.state.LastDue
	}
	for _, o := range e.owed {
		if !o.ByHand && o.Due.After(after) {
			after = o.Due
		}
	}
	e.nextAfter(after)
}

func (e *entry) nextAfter(after time.Time) {
	e.next = Tick{}
	if due := e.timing.Next(after); !due.IsZero() {
		e.next = Tick{Schedule: e.Name, Due: due}
	}
}

// spent: it has had all its runs.
func (e *entry) spent() bool { return e.MaxRuns > 0 && e.state.Runs >= e.MaxRuns }

// over: nothing will ever be due again, unless somebody changes it.
func (e *entry) over() bool { return e.next.Due.IsZero() && len(e.owed) == 0 }

// owe adds a tick in order of due times. One that is owed already is not added.
func (e *entry) owe(o *owed) {
	at := len(e.owed)
	for i, other := range e.owed {
		if other.Equal(o.Tick) {
			return
		}
		if at == len(e.owed) && other.Due.After(o.Due) {
			at = i
		}
	}
	e.owed = slices.Insert(e.owed, at, o)
}

// collect takes in what has come due. Of a long absence it keeps the youngest
// MaxCaughtUp ticks and returns how many came before them, and the last of those.
// What is due after until is left alone.
func (e *entry) collect(now time.Time) (dropped int, last Tick) {
	if !e.until.IsZero() && e.until.Before(now) {
		now = e.until
	}
	if i, ok := e.timing.(interval); ok && !e.next.Due.IsZero() {
		if n := int64(now.Sub(e.next.Due) / i.every); n > 2*MaxCaughtUp {
			skip := n - MaxCaughtUp
			dropped = int(skip)
			last = Tick{Schedule: e.Name, Due: e.next.Due.Add(time.Duration(skip-1) * i.every)}
			e.next.Due = e.next.Due.Add(time.Duration(skip) * i.every)
		}
	}
	var ticks []Tick
	for !e.next.Due.IsZero() && !e.firing(e.next).After(now) {
		if len(ticks) == MaxCaughtUp {
			dropped, last, ticks = dropped+1, ticks[0], ticks[1:]
		}
		ticks = append(ticks, e.next)
		e.nextAfter(e.next.Due)
	}
	for _, t := range ticks { // new, and younger than the schedule's own that are owed
		e.owed = append(e.owed, &owed{Tick: t})
	}
	slices.SortStableFunc(e.owed, func(a, b *owed) int { return a.Due.Compare(b.Due) }) // ticks by hand lie between
	return dropped, last
}

// surplus takes out the ticks that the schedule does not owe, because it has had
// its runs, and returns their outcomes.
func (e *entry) surplus(now time.Time) []Outcome {
	if !e.spent() {
		return nil
	}
	var ended []Outcome
	e.owed = slices.DeleteFunc(e.owed, func(o *owed) bool {
		if o.ByHand || o.claimed {
			return false
		}
		ended = append(ended, o.givenUp(now, "the schedule has had its runs, max_runs"))
		return true
	})
	return ended
}

// withinRuns holds back of what is to be sent the ticks that are one run too many
// if those before them are sent. They stay owed.
func (e *entry) withinRuns(send []*owed) []*owed {
	if e.MaxRuns == 0 {
		return send
	}
	left := e.MaxRuns - e.state.Runs
	for _, o := range e.owed {
		if o.claimed && !o.ByHand {
			left--
		}
	}
	return slices.DeleteFunc(send, func(o *owed) bool {
		if o.ByHand || o.claimed {
			return false
		}
		left--
		return left < 0
	})
}

// decide says what is to be done at now about everything that is owed.
func (e *entry) decide(now time.Time) verdict {
	var v verdict
	youngest := -1 // of the schedule's own ticks
	for i, o := range e.owed {
		if !o.ByHand {
			youngest = i
		}
	}
	var kept []*owed
	for i, o := range e.owed {
		why := e.tooLate(o, now)
		if why == "" && !o.ByHand && (!o.claimed || o.tries > 0) { // else: asked for, or the intent of an earlier term
			switch {
			case e.CatchUp != CatchUpAll && i < youngest:
				why = "the next one is due"
			case e.CatchUp == CatchUpNone && e.firing(o.Tick).Before(e.began):
				why = "it was due before this scheduler led"
			}
		}
		if why != "" {
			v.ended = append(v.ended, o.givenUp(now, why))
		} else {
			kept = append(kept, o)
		}
	}
	e.owed = kept
	if !now.Before(e.again) {
		v.send = slices.Clone(kept)
	}
	return v
}

// tooLate says why the tick is not sent any more, whatever else is owed; or "".
func (e *entry) tooLate(o *owed, now time.Time) string {
	late := now.Sub(e.firing(o.Tick))
	switch {
	case e.Expires > 0 && !e.expiry(o.Tick).After(now):
		return fmt.Sprintf("it expired %s after it was due", e.Expires)
	case e.Window > 0 && late > e.Window && !o.ByHand && e.CatchUp != CatchUpNone:
		return fmt.Sprintf("%s late, more than its window of %s", late.Round(time.Millisecond), e.Window)
	}
	return ""
}

// givenUp is the outcome of a tick that will not be tried (again).
func (o *owed) givenUp(now time.Time, why string) Outcome {
	kind := Missed
	switch {
	case o.unsure:
		kind = Unsure
	case o.tries > 0:
		kind = Refused
	}
	if o.last != nil {
		why = fmt.Sprintf("%s; the last try: %v", why, o.last)
	}
	return o.outcome(kind, now, why)
}

func (o *owed) outcome(kind Kind, now time.Time, why string) Outcome {
	return Outcome{Tick: o.Tick, Kind: kind, At: now.UTC().Round(0), N: 1, Task: o.ID(), Reason: why}
}

// forget takes a tick out that has ended.
func (e *entry) forget(o *owed) {
	e.owed = slices.DeleteFunc(e.owed, func(other *owed) bool { return other == o })
}

// rouse sets when there is something to do next.
func (e *entry) rouse() {
	e.wake = time.Time{}
	if !e.next.Due.IsZero() && (e.until.IsZero() || !e.firing(e.next).After(e.until)) {
		e.wake = e.firing(e.next)
	}
	if len(e.owed) > 0 && (e.wake.IsZero() || e.again.Before(e.wake)) {
		e.wake = e.again
	}
}
