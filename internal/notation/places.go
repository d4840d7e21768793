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
//
// An error says that the plan, which must be of this workflow, owes other tasks.
func Places(s *task.Signature, plan *task.Plan) ([]string, error) {
	all := make([]string, 0, len(plan.Owed))
	var err error
	walk(s, "", false, func(place string, s *task.Signature) bool {
		i := len(all)
		switch {
		case i >= len(plan.Owed):
			err = fmt.Errorf("the place %s is in no plan of %d tasks", place, i)
		case plan.Owed[i].Name != s.Name:
			err = fmt.Errorf("%s is %s, and the plan has %s there", place, s.Name, plan.Owed[i].Name)
		}
		all = append(all, place)
		return err == nil
	})
	if err == nil && len(all) < len(plan.Owed) {
		err = fmt.Errorf("the plan owes %d tasks, and the workflow has places for %d", len(plan.Owed), len(all))
	}
	return all, err
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
