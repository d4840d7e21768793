package task

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"
)

// Links are what a message says about what follows it: Celery's third element of
// the body.
type Links struct {
	// Callbacks are called with the result, Errbacks with the task's id.
	Callbacks, Errbacks []*Signature
	// Chain are the steps that follow, the next one first. (On the wire it is the
	// last, so that Python can pop it.)
	Chain []*Signature
	// Chord is the callback of the chord that the task is a member of; nil: of none.
	Chord *Signature
}

// Links reads the embed. The error wraps ErrMalformed and names the first part that
// cannot be read; the others are in what is returned with it.
func (m *Message) Links() (Links, error) {
	if m.Embed == nil {
		return Links{}, nil
	}
	var l Links
	if err := l.UnmarshalJSON(m.Embed); err != nil {
		return l, fmt.Errorf("%w: embed: %w", ErrMalformed, err)
	}
	return l, nil
}

// maxNesting is how deep the JSON of MaxDepth signatures is, and some more for
// their arguments. Each level is read again by the one above it.
const maxNesting = 6*MaxDepth + 100

// shallow refuses a part that is deeper than is read.
func shallow(part string, text []byte) error {
	if n := nesting(text); n > maxNesting {
		return fmt.Errorf("%s: %d levels within each other, at most %d are read", part, n, maxNesting)
	}
	return nil
}

// nesting is how deep a JSON text is.
func nesting(text []byte) (deepest int) {
	depth, quoted := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{', c == '[':
			depth++
			deepest = max(deepest, depth)
		case c == '}', c == ']':
			depth--
		}
	}
	return deepest
}

// UnmarshalJSON reads the object that Celery writes. A part that cannot be read is
// empty, and the first of them is the error's.
func (l *Links) UnmarshalJSON(data []byte) (first error) {
	var w map[string]json.RawMessage
	if err := json.Unmarshal(data, &w); err != nil {
		return err
	}
	for _, part := range []struct {
		key  string
		into *[]*Signature
	}{{"callbacks", &l.Callbacks}, {"errbacks", &l.Errbacks}, {"chain", &l.Chain}} {
		err := shallow(part.key, w[part.key])
		if err == nil {
			err = readList(part.key, w[part.key], part.into)
		}
		if err != nil {
			*part.into = nil
			first = cmp.Or(first, err)
		}
	}
	slices.Reverse(l.Chain)
	var err error
	l.Chord, err = readChord(w["chord"])
	return cmp.Or(first, err)
}

// readChord reads the callback of a chord; nil: there is none.
func readChord(raw json.RawMessage) (*Signature, error) {
	if raw = bytes.TrimSpace(raw); len(raw) == 0 || string(raw) == "null" {
		return nil, nil
	}
	if err := shallow("chord", raw); err != nil {
		return nil, err
	}
	var s Signature
	if err := json.Unmarshal(raw, &s); err != nil {
		return nil, fmt.Errorf("chord: %w", err)
	}
	return &s, nil
}

// MarshalJSON writes it as Celery does.
func (l Links) MarshalJSON() ([]byte, error) {
	chain := slices.Clone(l.Chain)
	slices.Reverse(chain)
	return json.Marshal(struct {
		Callbacks []*Signature `json:"callbacks"`
		Errbacks  []*Signature `json:"errbacks"`
		Chain     []*Signature `json:"chain"`
		Chord     *Signature   `json:"chord"`
	}{l.Callbacks, l.Errbacks, chain, l.Chord})
}

// Successors plans what is to be published when m has succeeded with the value:
// its callbacks and the next step of its chain. What has no ids yet, which Celery
// leaves to whoever publishes, gets ones derived from the task's id, so that they
// are the same each time.
func (m *Message) Successors(l Links, value json.RawMessage) (*Plan, error) {
	p := m.planner("success")
	after := place{parent: m.TaskID, after: m.TaskID}
	out := &Plan{}
	given := []json.RawMessage{orNull(value)}
	for _, s := range l.Callbacks {
		if err := p.add(out, s, after, given); err != nil {
			return nil, err
		}
	}
	if len(l.Chain) > 0 {
		if err := p.add(out, chainOf(l.Chain), after, given); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Failing plans what is to be published when m has failed for good: its
// errbacks, which are given its id. They are Once: the failure may be told again.
func (m *Message) Failing(l Links) (*Plan, error) {
	id, err := json.Marshal(m.TaskID)
	if err != nil {
		return nil, err
	}
	p := m.planner("failure")
	p.unowed, p.once = true, true
	out := &Plan{}
	for _, s := range l.Errbacks {
		if err := p.add(out, s, place{parent: m.TaskID, after: m.TaskID}, []json.RawMessage{id}); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// CalledOff plans what follows m and will not run because m has not succeeded:
// Owed has every task of it, Ends those that are members of a chord. First is to
// be published by nobody.
func (m *Message) CalledOff(l Links) (*Plan, error) { return m.Successors(l, nil) }

// planner is one for what follows m in some case.
func (m *Message) planner(when string) planner {
	root := m.RootID
	if root == "" {
		root = m.TaskID
	}
	return planner{again: true, queue: m.Queue, once: m.Once, root: root, newID: derived(m.TaskID + " " + when)}
}

// derived makes ids that are the same for the same seed.
func derived(seed string) func() string {
	n := 0
	return func() string {
		n++
		return uuid.NewSHA1(idSpace, fmt.Appendf(nil, "%s %d", seed, n)).String()
	}
}

// idSpace is the namespace of derived ids; any constant does.
var idSpace = uuid.MustParse("6f2b1c1e-5f0a-4b7e-9a53-2d4f6f7a8b9c")

// add plans one more signature.
func (p *planner) add(out *Plan, s *Signature, at place, given []json.RawMessage) error {
	one, err := p.plan(s.clone(), at, given)
	if err != nil {
		return err
	}
	out.First = append(out.First, one.First...)
	out.Owed, out.Root = one.Owed, one.Root
	out.Results = append(out.Results, one.Results...)
	out.Ends = append(out.Ends, one.Ends...)
	return nil
}

// message is the call itself, without links.
func (s *Signature) message(given []json.RawMessage) *Message {
	m := &Message{ID: SuccessorID(s.TaskID), TaskID: s.TaskID, Name: s.Name, Args: s.Args, Kwargs: s.Kwargs, Options: s.Options}
	if !s.Immutable {
		m.Args = slices.Concat(given, s.Args)
	}
	if s.Countdown > 0 {
		m.ETA = time.Now().Add(s.Countdown).UTC().Truncate(time.Microsecond)
	}
	if s.ExpiresIn > 0 {
		m.Expires = time.Now().Add(s.ExpiresIn).UTC().Truncate(time.Microsecond)
	}
	if s.again && !m.Expires.IsZero() && m.Expires.Before(m.ETA) {
		m.ETA = m.Expires // it is sent all the same, and expires
	}
	if m.RootID == m.TaskID {
		m.RootID = ""
	}
	return m
}

// withExtra is the extra headers with one more, in a map of its own.
func withExtra(extra map[string]any, key string, value any) map[string]any {
	out := maps.Clone(extra)
	if out == nil {
		out = make(map[string]any, 2)
	}
	out[key] = value
	return out
}

func orNull(raw json.RawMessage) json.RawMessage {
	if len(raw) == 0 {
		return json.RawMessage("null")
	}
	return raw
}
