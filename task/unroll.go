package task

import (
	"errors"
	"fmt"
	"slices"
)

// This file brings workflows within workflows into the form in which they are
// sent, as Celery does when it makes a chain with | and freezes a group.

// What no workflow can have.
var (
	errGroupLink = errors.New("a group has no one result for a link: use a chord")
	errNoBody    = errors.New("a chord without a body")
	errTooMany   = fmt.Errorf("more than %d tasks", MaxTasks)
)

// unchain is the steps of a chain in the form in which they are sent: chains
// among them spliced, and a group or chord only as the last, for what follows one
// is the body of a chord.
func (p *planner) unchain(s *Signature) ([]*Signature, error) {
	var steps []*Signature
	for _, step := range s.Tasks {
		if step == nil {
			return nil, errors.New("a step of a chain is nil")
		}
		if step.Shape != ChainShape {
			steps = append(steps, step)
			continue
		}
		inner, err := p.unchain(step)
		if err != nil {
			return nil, err
		}
		if !step.Immutable && len(step.Args) > 0 {
			inner[0].Args = slices.Concat(step.Args, inner[0].Args)
		}
		steps = append(steps, inner...)
	}
	switch n := len(steps); {
	case n == 0:
		return nil, errors.New("a chain without steps")
	case n > MaxSteps:
		return nil, fmt.Errorf("a chain of %d steps, at most %d are possible: its first message holds them all", n, MaxSteps)
	}
	last := steps[len(steps)-1]
	last.Link = append(last.Link, cloneAll(s.Link)...)
	if err := p.inherit(steps, s.LinkError); err != nil {
		return nil, err
	}
	for i, step := range steps[:len(steps)-1] {
		switch step.Shape {
		case GroupShape:
			if len(step.Link) > 0 {
				return nil, errGroupLink
			}
			if err := p.inherit(step.Tasks, step.LinkError); err != nil {
				return nil, err
			}
			step.Shape, step.Body, step.LinkError = ChordShape, chainOf(steps[i+1:]), nil
		case ChordShape:
			if step.Body == nil {
				return nil, errNoBody
			}
			step.Body.Link, step.Link = append(step.Body.Link, step.Link...), nil // not of what follows
			step.Body = chainOf(append([]*Signature{step.Body}, steps[i+1:]...))
		default:
			continue
		}
		return steps[:i+1], nil
	}
	return steps, nil
}

func chainOf(steps []*Signature) *Signature {
	if len(steps) == 1 {
		return steps[0]
	}
	return Chain(steps...)
}

// unroll appends the members of a group, those of groups among them in their
// place, and gives each the errbacks of its group.
func (p *planner) unroll(dst, members, errbacks []*Signature) (_ []*Signature, err error) {
	if err := p.inherit(members, errbacks); err != nil {
		return nil, err
	}
	for _, m := range members {
		if m.Shape != GroupShape {
			dst = append(dst, m)
		} else if len(m.Link) > 0 {
			return nil, errGroupLink
		} else if dst, err = p.unroll(dst, m.Tasks, m.LinkError); err != nil {
			return nil, err
		}
	}
	return dst, nil
}

// inherit gives each of the signatures errbacks of its own. Those count as tasks
// before they are made: a text can ask for more than there is memory for.
func (p *planner) inherit(heirs, errbacks []*Signature) error {
	size := count(errbacks)
	for _, s := range heirs {
		if s == nil {
			return errors.New("a member of a group is nil")
		}
		if p.inherited += size; p.inherited > MaxTasks {
			return errTooMany
		}
		s.LinkError = append(s.LinkError, cloneAll(errbacks)...)
	}
	return nil
}

// count is how many signatures there are, those within each other included.
func count(list []*Signature) (n int) {
	for _, s := range list {
		if s != nil {
			n += 1 + count(s.Tasks) + count(s.Link) + count(s.LinkError) + count([]*Signature{s.Body})
		}
	}
	return n
}
