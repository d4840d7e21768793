package task

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/google/uuid"
)

// Bounds of a workflow. What is larger is refused by Plan: a chain's message
// holds all the steps that follow it, so that a chain of n steps sends n²/2 of
// them.
const (
	MaxTasks = 100_000 // in one workflow
	MaxSteps = 1_000   // of one chain
	MaxDepth = 50      // signatures within signatures

	maxCallbacks = 2 * MaxSize // bytes of a chord's callback in all its members
)

// Plan is a workflow whose ids are all chosen, before anything is published.
type Plan struct {
	// First are the messages to publish now. Whoever runs a task publishes what
	// follows it; see Message.Links.
	First []*Message
	// Owed are all tasks that run when nothing fails, First's included, each after
	// what it waits for. LinkError are not owed.
	Owed []Step
	// Results are the ids of the tasks whose results are the workflow's: one, or
	// those of a group, in the order of its members.
	Results []string
	// Ends are the members of a chord that the workflow itself is a part of, among
	// the tasks that it ends with; most often none.
	Ends []*Member
	// Root is the id of the first task, the root of all.
	Root string
}

// Step is one task that a workflow owes.
type Step struct {
	Task, Name, Queue string
	// After is the id of the task, or of the group, that is done before; empty:
	// the task is one of the first.
	After string
	// Group is the group that the task is a member of, if any.
	Group string
	// IgnoreResult: nobody waits for its result.
	IgnoreResult bool
}

// Plan chooses every id of the workflow: task, group, root, parent, and the
// message ids, which are derived from the task ids (SuccessorID), so that a
// message that is published twice is the same message. The tasks take their queue
// and Once from opts where they have none; the rest of opts is not used.
//
// The callback of a chord, and what follows it, is always Once: whoever finds
// the chord complete publishes it, and that may happen again.
//
// The error says which task of the workflow cannot be sent, and why; nothing that
// Plan returns is refused later for its form.
func (s *Signature) Plan(opts Options) (*Plan, error) {
	p := planner{newID: uuid.NewString, queue: opts.Queue, once: opts.Once}
	return p.plan(s.clone(), place{}, nil)
}

// SuccessorID is the message id of a task that a workflow publishes: the one
// that Celery's messages, which have none, get when they are read (see Decode).
func SuccessorID(taskID string) string { return taskID + ":0" }

// planner gives the tasks of one workflow their ids.
type planner struct {
	newID  func() string
	queue  string
	once   bool
	again  bool // it was planned before, and the clock has gone on
	root   string
	unowed bool // what is being planned runs only when something fails
	owed   []Step
	tasks  int
	// inherited are the errbacks that came from a chain or group to its tasks.
	inherited int
	depth     int
}

// place is where in the workflow a signature stands.
type place struct {
	parent, after string
	group         *membership // of what the signature ends with; nil: of none
}

// membership is a group while its members are counted.
type membership struct {
	id   string
	size int
	last string // the member that was counted last
}

// plan settles s and makes the first messages, which are given the arguments.
func (p *planner) plan(s *Signature, at place, given []json.RawMessage) (*Plan, error) {
	ends, err := p.settle(s, at)
	if err != nil {
		return nil, fmt.Errorf("plan a workflow: %w", err)
	}
	first, err := (&beginning{}).messages(s, given, nil)
	if err != nil {
		return nil, fmt.Errorf("plan a workflow: %w", err)
	}
	out := &Plan{First: first, Owed: p.owed, Root: p.root}
	for _, end := range ends {
		out.Results = append(out.Results, end.TaskID)
		if end.chord == nil {
			continue
		}
		c, err := member(end.TaskID, end.chord, end.Options)
		if err != nil {
			return nil, fmt.Errorf("plan a workflow: %w", err)
		}
		out.Ends = append(out.Ends, c)
	}
	return out, nil
}

// settle gives s, and all that is within it, what is missing, and returns the
// tasks that it ends with.
func (p *planner) settle(s *Signature, at place) (ends []*Signature, err error) {
	switch p.depth++; {
	case s == nil:
		return nil, errors.New("a task is nil")
	case p.depth > MaxDepth:
		return nil, fmt.Errorf("more than %d signatures within each other", MaxDepth)
	}
	defer func() { p.depth-- }()
	switch s.Shape {
	case Single:
		return p.single(s, at)
	case ChainShape:
		return p.chain(s, at)
	case GroupShape:
		return p.group(s, at)
	case ChordShape:
		return p.chord(s, at)
	}
	return nil, fmt.Errorf("unknown shape %q", string(s.Shape))
}

func (p *planner) single(s *Signature, at place) ([]*Signature, error) {
	if p.tasks++; p.tasks > MaxTasks {
		return nil, errTooMany
	}
	o := &s.Options
	p.fill(&s.TaskID)
	if p.root == "" {
		p.root = s.TaskID
	}
	keep(&o.RootID, p.root)
	keep(&o.ParentID, at.parent)
	keep(&o.Queue, p.queue)
	o.Once = o.Once || p.once
	s.again = p.again
	if g := at.group; g != nil {
		// Its callback is put in when the chord begins (messages): a chord that is
		// still to come would hold it once for each member.
		o.GroupID, s.chord = g.id, nil
		o.Extra = withExtra(o.Extra, groupIndex, int64(g.size))
		g.size++
		g.last = s.TaskID
	}
	if o.Embed != nil {
		return nil, fmt.Errorf("task %q has an embed of its own: use Link, LinkError, Chain and Chord", s.Name)
	}
	if err := Validate(s.message(nil)); err != nil {
		return nil, err
	}
	if !p.unowed {
		p.owed = append(p.owed, Step{Task: s.TaskID, Name: s.Name, Queue: o.Queue, After: at.after, Group: o.GroupID, IgnoreResult: o.IgnoreResult})
	}
	return []*Signature{s}, p.links(s)
}

// links settles what is called with the result, and with the failure, of s.
func (p *planner) links(s *Signature) error {
	at := place{parent: s.TaskID, after: s.TaskID}
	for _, link := range s.Link {
		if _, err := p.settle(link, at); err != nil {
			return err
		}
	}
	defer func(before bool) { p.unowed = before }(p.unowed)
	p.unowed = true
	for _, link := range s.LinkError {
		if _, err := p.settle(link, at); err != nil {
			return err
		}
	}
	return nil
}

func (p *planner) chain(s *Signature, at place) (ends []*Signature, err error) {
	if s.Tasks, err = p.unchain(s); err != nil {
		return nil, err
	}
	s.Link, s.LinkError = nil, nil
	group := at.group
	for i, step := range s.Tasks {
		if at.group = nil; i == len(s.Tasks)-1 {
			at.group = group
		}
		if ends, err = p.settle(step, at); err != nil {
			return nil, err
		}
		at.parent, at.after = step.TaskID, step.TaskID
	}
	return ends, nil
}

func (p *planner) group(s *Signature, at place) (ends []*Signature, err error) {
	switch {
	case len(s.Tasks) == 0:
		return nil, errors.New("a group without members")
	case len(s.Link) > 0:
		return nil, errGroupLink
	}
	// One that was planned as the end of a member of another group is that
	// group's: its tasks have their places already.
	g := at.group
	if g == nil && s.Options.GroupID == "" {
		p.fill(&s.TaskID)
		g = &membership{id: s.TaskID}
	} else if g != nil {
		s.TaskID, s.Options.GroupID = g.id, g.id
	}
	ends, err = p.members(s, at, g)
	s.LinkError = nil
	return ends, err
}

// members settles those of s as members of g.
func (p *planner) members(s *Signature, at place, g *membership) (ends []*Signature, err error) {
	if s.Tasks, err = p.unroll(nil, s.Tasks, s.LinkError); err != nil {
		return nil, err
	}
	at.group = g
	for _, member := range s.Tasks {
		some, err := p.settle(member, at)
		if err != nil {
			return nil, err
		}
		ends = append(ends, some...)
	}
	return ends, nil
}

func (p *planner) chord(s *Signature, at place) ([]*Signature, error) {
	if s.Body == nil {
		return nil, errNoBody
	}
	s.Body.Link = append(s.Body.Link, s.Link...)
	s.Body.LinkError = append(s.Body.LinkError, s.LinkError...)
	s.Link, s.LinkError = nil, nil
	p.fill(&s.TaskID)
	g := &membership{id: s.TaskID, last: at.parent}
	var err error
	if s.ends, err = p.members(s, place{parent: at.parent, after: at.after}, g); err != nil {
		return nil, err
	}
	if s.Body.chordSize = g.size; g.size > MaxTasks {
		return nil, errTooMany
	}
	defer func(before bool) { p.once = before }(p.once)
	p.once = true
	at.parent, at.after = g.last, g.id
	return p.settle(s.Body, at)
}

// fill chooses an id where there is none.
func (p *planner) fill(id *string) {
	if *id == "" {
		*id = p.newID()
	}
}

func keep(value *string, otherwise string) {
	if *value == "" {
		*value = otherwise
	}
}
