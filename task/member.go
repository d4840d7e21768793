package task

import (
	"encoding/json"
	"errors"
	"fmt"
)

// Member is a task as a member of a chord.
type Member struct {
	// Task is its id, Group the chord's.
	Task, Group string
	// Index is its place, from 0, and Size how many members there are. Size 0: the
	// chord does not say. It was begun by Celery, which counts the members in its
	// own result backend.
	Index, Size int

	callback    *Signature
	root, queue string
}

// groupIndex is the header that holds a task's place in its group, as in Celery.
const groupIndex = "group_index"

// Member is m as a member of the chord that its links name; nil: it is of none.
// The error wraps ErrMalformed: it has no place there. The member that is returned
// with it has Size 0: the chord can be called off, and not counted.
func (m *Message) Member(l Links) (*Member, error) {
	if l.Chord == nil {
		return nil, nil
	}
	return member(m.TaskID, l.Chord, m.Options)
}

func member(id string, callback *Signature, o Options) (*Member, error) {
	c := &Member{Task: id, Group: o.GroupID, Size: callback.chordSize, callback: callback, root: o.RootID, queue: o.Queue}
	if c.root == "" {
		c.root = id
	}
	if c.Size == 0 {
		return c, nil
	}
	index, ok := o.Extra[groupIndex].(int64)
	if !ok || index < 0 || index >= int64(c.Size) || c.Group == "" {
		err := fmt.Errorf("%w: task %s is a member of a chord of %d, but its group is %q and its place there %v", ErrMalformed, id, c.Size, c.Group, o.Extra[groupIndex])
		c.Size = 0
		return c, err
	}
	c.Index = int(index)
	return c, nil
}

// Callback plans the callback of the chord, given the values of all members in
// their order.
func (c *Member) Callback(values []json.RawMessage) (*Plan, error) {
	list, err := json.Marshal(values)
	if err != nil {
		return nil, fmt.Errorf("the results of the chord %s: %w", c.Group, err)
	}
	return c.plan(list)
}

// plan is that of the callback. Its ids do not depend on the member that it is
// asked of.
func (c *Member) plan(given json.RawMessage) (*Plan, error) {
	if c.callback == nil {
		return nil, errors.New("no callback")
	}
	p := planner{again: true, queue: c.queue, once: true, root: c.root, newID: derived(c.Group + " callback")}
	out := &Plan{}
	return out, p.add(out, c.callback, place{after: c.Group}, []json.RawMessage{given})
}

// CalledOff plans the callback of a chord that will not run because a member has
// failed. As in Message.CalledOff, First is to be published by nobody; what its
// errbacks are, Message.Failing tells of each.
func (c *Member) CalledOff() (*Plan, error) { return c.plan(json.RawMessage("[]")) }
