package task

import (
	"strings"
	"testing"
)

// times is n of the same.
func times(n int, s *Signature) []*Signature {
	all := make([]*Signature, n)
	for i := range all {
		all[i] = s
	}
	return all
}

// Not parallel: it counts what is allocated.
func TestErrbacksThatAreTooManyAreRefusedBeforeTheyAreMade(t *testing.T) {
	const many = 1000
	errback := Group(times(many, sig("e"))...)
	with := func(s *Signature) *Signature {
		s.LinkError = []*Signature{errback}
		return s
	}
	for name, s := range map[string]*Signature{
		"of a chain":                       with(Chain(times(many, sig("a"))...)),
		"of a group":                       with(Group(times(many, sig("a"))...)),
		"of groups in a group":             with(Group(times(10, Group(times(many/10, sig("a"))...))...)),
		"of a group that is not the last":  Chain(with(Group(times(many, sig("a"))...)), sig("b")),
		"of groups of groups in the chain": with(Chain(Group(times(10, Group(times(many/10, sig("a"))...))...), sig("b"))),
	} {
		made := testing.AllocsPerRun(1, func() {
			if _, err := s.Plan(Options{Queue: "q"}); err == nil || !strings.Contains(err.Error(), "more than 100000 tasks") {
				t.Errorf("%s: %v", name, err)
			}
		})
		if made > 4*MaxTasks {
			t.Errorf("%s: refused after %.0f allocations", name, made)
		}
	}
	if _, err := with(Chain(times(50, sig("a"))...)).Plan(Options{Queue: "q"}); err != nil {
		t.Errorf("50 times %d errbacks: %v", many, err)
	}
}

func TestANilMemberOfAGroupWithinAChainIsRefused(t *testing.T) {
	t.Parallel()
	g := Group(nil)
	g.LinkError = []*Signature{sig("e")}
	if _, err := Chain(g, sig("b")).Plan(Options{Queue: "q"}); err == nil || !strings.Contains(err.Error(), "a member of a group is nil") {
		t.Error(err)
	}
}

func TestTheMembersOfAChordShareTheBytesOfItsCallback(t *testing.T) {
	t.Parallel()
	p := plan(t, Chord(times(3, sig("a")), sig("b")), Options{})
	for _, m := range p.First[1:] {
		if &m.Embed[0] != &p.First[0].Embed[0] {
			t.Error("a member has a copy of its own")
		}
	}
}

func TestAChordWhoseCallbackIsTooMuchForItsMembersIsRefused(t *testing.T) {
	t.Parallel()
	long := make([]*Signature, MaxSteps-1)
	for i := range long {
		long[i] = sig("a")
	}
	for name, members := range map[string][]*Signature{
		"a group":             times(2000, sig("m")),
		"a group in a chain":  {Chain(sig("m"), Group(times(2000, sig("m"))...))},
		"a chain of a member": times(2000, Chain(sig("m"), sig("m"))),
	} {
		if _, err := Chord(members, Chain(long...)).Plan(Options{Queue: "q"}); err == nil || !strings.Contains(err.Error(), "of 2000 members") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
