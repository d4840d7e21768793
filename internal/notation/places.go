package notation

import (
	"fmt"
	"iter"

	"acklab/task"
)

// Places says where each task of a workflow stands in it, in the words of the
// notation ("chain[1].group[0]", "callback", "chain[2].link[0]"), in the order in
// which task.Plan lists what is owed: errbacks are left out. A task that stands
// alone is "task".
func Places(s *task.Signature) []string {
	var all []string
	walk(s, "", false, func(place string, _ *task.Signature) bool {
		all = append(all, place)
		return true
	})
	return all
}

// Tasks yields every task of a workflow with its place, errbacks too.
func Tasks(s *task.Signature) iter.Seq2[string, *task.Signature] {
	return func(yield func(string, *task.Signature) bool) { walk(s, "", true, yield) }
}

// walk reports whether to go on.
func walk(s *task.Signature, at string, errbacks bool, yield func(string, *task.Signature) bool) bool {
	if s.Shape == task.Single {
		here := at
		if here == "" {
			here = "task"
		}
		if !yield(here, s) {
			return false
		}
	}
	list := func(word string, all []*task.Signature) bool {
		for i, member := range all {
			if !walk(member, within(at, fmt.Sprintf("%s[%d]", word, i)), errbacks, yield) {
				return false
			}
		}
		return true
	}
	if !list(string(s.Shape), s.Tasks) {
		return false
	}
	if s.Body != nil && !walk(s.Body, within(at, "callback"), errbacks, yield) {
		return false
	}
	return list("link", s.Link) && (!errbacks || list("link_error", s.LinkError))
}
