package result

import (
	"encoding/json"
	"fmt"
	"unicode/utf8"

	"acklab/task"
)

// Part is what one member adds to a chord when it has ended.
type Part struct {
	// Chord is the id of the group, Member the place in it, from 0, and Size how
	// many members there are: the same in every part of a chord.
	Chord        string
	Member, Size int
	// Value is what the member has returned, JSON; nil: null. One that has failed
	// has none.
	Value  json.RawMessage
	Failed bool
}

// Joined is how a chord stands, as a member that has joined it sees it.
type Joined struct {
	// Members have joined, Failed of them without success. Those of a chord that has
	// expired do not count: it begins anew.
	Members, Failed int
	// Last: it was this member's join that made the chord complete. FirstFailed:
	// this member was the first that failed. Both are the same each time that the
	// member joins again.
	Last, FirstFailed bool
}

// Validate says why the part cannot be joined, with an error that wraps
// ErrInvalid, or nothing.
func (p Part) Validate() error {
	if err := CheckID(p.Chord); err != nil {
		return err
	}
	invalid := func(format string, args ...any) error {
		return fmt.Errorf("%w of member %d of chord %s: %s", ErrInvalid, p.Member, p.Chord, fmt.Sprintf(format, args...))
	}
	switch {
	case p.Size < 1 || p.Size > task.MaxTasks:
		return invalid("a chord of %d is outside 1 to %d", p.Size, task.MaxTasks)
	case p.Member < 0 || p.Member >= p.Size:
		return invalid("the chord has %d members", p.Size)
	case p.Failed && p.Value != nil:
		return invalid("both failed and a value")
	case len(p.Value) > MaxSize:
		return invalid("more than %d bytes", MaxSize)
	case p.Value != nil && (!json.Valid(p.Value) || !utf8.Valid(p.Value)):
		return invalid("the value is not JSON in UTF-8")
	}
	return nil
}

// CheckChord says why no store holds the values of a chord like this, with an
// error that wraps ErrInvalid, or nothing. Only drivers need it.
func CheckChord(chord string, size int) error {
	return Part{Chord: chord, Size: size}.Validate()
}

// NoValue is the error of Values when a member has none. Only drivers need it.
func NoValue(member int) error {
	return fmt.Errorf("%w: member %d has no value", ErrMalformed, member)
}
