package task_test

import (
	"strings"
	"testing"

	"acklab/task"
)

func named(name string, links ...*task.Signature) *task.Signature {
	return &task.Signature{Name: name, Link: links}
}

func TestALinkOfAChordWithinAChainBelongsToItsBody(t *testing.T) {
	t.Parallel()
	chord := task.Chord([]*task.Signature{named("member")}, named("body"))
	chord.Link = []*task.Signature{named("link")}
	plan, err := task.Chain(chord, named("after")).Plan(task.Options{Queue: "q"})
	if err != nil {
		t.Fatal(err)
	}
	ids, after := map[string]string{}, map[string]string{}
	for _, s := range plan.Owed {
		ids[s.Name], after[s.Name] = s.Task, s.After
	}
	if len(plan.Owed) != 4 || after["link"] != ids["body"] || after["after"] != ids["body"] {
		t.Errorf("owed: %+v; want link and after behind body", plan.Owed)
	}
}

func TestALinkOfAGroupIsRefusedWhereverTheGroupStands(t *testing.T) {
	t.Parallel()
	linked := func() *task.Signature {
		g := task.Group(named("a"), named("b"))
		g.Link = []*task.Signature{named("link")}
		return g
	}
	chain := task.Chain(named("c"), task.Group(named("a")))
	chain.Link = []*task.Signature{named("link")}
	for where, s := range map[string]*task.Signature{
		"alone": linked(), "last": task.Chain(named("c"), linked()), "in the middle": task.Chain(linked(), named("c")),
		"in a group": task.Group(named("c"), linked()), "of a chain that ends in one": task.Chain(chain, named("d")),
	} {
		if _, err := s.Plan(task.Options{Queue: "q"}); err == nil || !strings.Contains(err.Error(), "a group has no one result for a link") {
			t.Errorf("%s: %v", where, err)
		}
	}
	if _, err := task.Chain(&task.Signature{Shape: task.ChordShape, Tasks: []*task.Signature{named("a")}}, named("b")).Plan(task.Options{Queue: "q"}); err == nil || !strings.Contains(err.Error(), "a chord without a body") {
		t.Errorf("a chord without a body in a chain: %v", err)
	}
}
