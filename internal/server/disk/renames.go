package disk

import "errors"

// What calls do to names: rename, unlink, mkdir, link.

func (r *replay) move(t *task, c call, fromDir []byte, from int, toDir []byte, to int) error {
	source, err1 := r.path(t, fromDir, arg(c, from))
	target, err2 := r.path(t, toDir, arg(c, to))
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	a, b := r.below(source), r.below(target)
	switch {
	case a == "" && b == "":
		return nil
	case has(arg(c, to+1), "RENAME_EXCHANGE"):
		r.State.trouble = "two files were exchanged (RENAME_EXCHANGE), which is not replayed"
	case b == "":
		r.did(c, renaming{what: "remove", from: a})
	case a == "":
		r.did(c, renaming{what: "create", from: b, node: &node{trouble: "it was moved in from outside of the folder"}})
	case a != b && (r.names[a] == nil || r.names[a] != r.names[b]): // two names of one file: nothing happens
		r.did(c, renaming{what: "rename", from: a, to: b})
	}
	return nil
}

// did enters a change of names, or that it was under way at the end.
func (r *replay) did(c call, entry renaming) {
	if c.over {
		r.rename(entry)
		return
	}
	r.flying = append(r.flying, entry)
}

func (r *replay) remove(t *task, c call, dir []byte, i int) error {
	file, err := r.path(t, dir, arg(c, i))
	if name := r.below(file); err == nil && name != "" {
		r.did(c, renaming{what: "remove", from: name})
	}
	return err
}

func (r *replay) mkdir(t *task, c call, dir []byte, i int) error {
	file, err := r.path(t, dir, arg(c, i))
	if name := r.below(file); err == nil && name != "" {
		r.did(c, renaming{what: "create", from: name, node: &node{dir: true}})
	}
	return err
}

func (r *replay) link(t *task, c call, fromDir []byte, from int, toDir []byte, to int) error {
	source, err1 := r.path(t, fromDir, arg(c, from))
	target, err2 := r.path(t, toDir, arg(c, to))
	name := r.below(target)
	if err := errors.Join(err1, err2); err != nil || name == "" {
		return err
	}
	n := r.names[r.below(source)]
	if n == nil {
		n = &node{trouble: "it is a link to something outside of the folder"}
	}
	r.did(c, renaming{what: "create", from: name, node: n})
	return nil
}

func (r *replay) symlink(t *task, c call, dir []byte, i int) error {
	file, err := r.path(t, dir, arg(c, i))
	if name := r.below(file); err == nil && name != "" {
		r.State.trouble = "the symbolic link " + name + " was made, which is not replayed"
	}
	return err
}
