package task

import (
	"encoding/json"
	"fmt"
	"time"
)

// Shape says what a signature is.
type Shape string

// The shapes, Celery's subtask_type.
const (
	Single     Shape = ""      // one task
	ChainShape Shape = "chain" // one after the other, each given the result of the one before
	GroupShape Shape = "group" // all at once
	ChordShape Shape = "chord" // a group, and a callback once all its members are done
)

// Signature is a call that is made later, or a workflow of such calls: Celery's
// signature (celery/canvas.py), and written as it writes them. Make one with
// NewSignature, Chain, Group and Chord, or read one with json.Unmarshal; give it
// to Plan, which changes nothing in it. A signature that is being changed must
// not be used by others.
type Signature struct {
	Shape Shape
	// Name is the task's, where the shape is Single.
	Name string
	// Args and Kwargs are the task's own; what a predecessor returns comes before
	// Args. Those of a chain, group or chord go to the tasks that it starts with.
	Args   []json.RawMessage
	Kwargs map[string]json.RawMessage
	// Immutable: what a predecessor returns is not passed on to it.
	Immutable bool
	// Tasks are the steps of a chain, the members of a group or of the header of a
	// chord.
	Tasks []*Signature
	// Body is the callback of a chord. It is given the list of what the members
	// have returned.
	Body *Signature
	// Link are called with the result when the task has succeeded, LinkError with
	// its id when it has failed for good. Of a chain, Link belongs to the last
	// step and LinkError to each; of a chord both belong to its body; of a group
	// LinkError belongs to each member, and Link is refused.
	Link, LinkError []*Signature

	// TaskID is the task's, or the group's where the shape is a group or a chord;
	// empty: Plan chooses it.
	TaskID string
	// Options are the task's. Embed must be nil. Without a queue the task goes to
	// that of the plan, or of its predecessor.
	Options Options
	// Countdown, when it is not zero, is the ETA, counted from the publish, and
	// ExpiresIn the same for Expires.
	Countdown, ExpiresIn time.Duration

	// chord is the callback of the chord that the task is a member of, and
	// chordSize how many members that has, on the callback; 0: it was not
	// planned here, or it is no callback.
	chord     *Signature
	chordSize int
	// again: it was planned before, and by now it may be too late for it.
	again bool
	// ends are the tasks that the members of a planned chord end with.
	ends []*Signature
	// more are options of Celery's that are kept as they came.
	more map[string]json.RawMessage
	// kind is Celery's subtask_type of a single task that has one (xmap).
	kind string
}

// NewSignature is one call of the task name. Each argument is encoded as JSON;
// one that cannot be is an error that names its position.
func NewSignature(name string, opts Options, args ...any) (*Signature, error) {
	raw, err := encodeArgs(name, args)
	if err != nil {
		return nil, err
	}
	return &Signature{Name: name, Args: raw, Options: opts}, nil
}

// encodeArgs encodes arguments as JSON.
func encodeArgs(name string, args []any) (raws []json.RawMessage, err error) {
	for i, a := range args {
		raw, err := json.Marshal(a)
		if err != nil {
			return nil, fmt.Errorf("encode argument %d of task %q: %w", i, name, err)
		}
		raws = append(raws, raw)
	}
	return raws, nil
}

// Chain is the steps one after the other. A group that another step follows is
// the header of a chord whose body is all that follows it, as in Celery.
func Chain(steps ...*Signature) *Signature { return &Signature{Shape: ChainShape, Tasks: steps} }

// Group is the members side by side. Groups among them are unrolled.
func Group(members ...*Signature) *Signature { return &Signature{Shape: GroupShape, Tasks: members} }

// Chord is the members side by side, and then the body with the list of their
// results. The body runs at once when there are no members.
func Chord(header []*Signature, body *Signature) *Signature {
	return &Signature{Shape: ChordShape, Tasks: header, Body: body}
}

// clone copies the tree of signatures: what Plan changes, not the arguments.
func (s *Signature) clone() *Signature {
	if s == nil {
		return nil
	}
	c := *s
	c.Tasks, c.Link, c.LinkError = cloneAll(s.Tasks), cloneAll(s.Link), cloneAll(s.LinkError)
	c.Body = s.Body.clone()
	return &c
}

func cloneAll(list []*Signature) []*Signature {
	if list == nil {
		return nil
	}
	out := make([]*Signature, len(list))
	for i, s := range list {
		out[i] = s.clone()
	}
	return out
}
