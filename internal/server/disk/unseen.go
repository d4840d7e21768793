package disk

// What a trace does not show makes the file, or the whole replay, refused.

func (r *replay) mmap(t *task, c call, _ int64) error {
	flags := arg(c, 3)
	shared := has(flags, "MAP_SHARED") || has(flags, "MAP_SHARED_VALIDATE")
	if !shared || !has(arg(c, 2), "PROT_WRITE") || has(flags, "MAP_ANONYMOUS") {
		return nil
	}
	h, err := r.handle(t, arg(c, 4))
	if err == nil && h != nil && h.node != nil {
		h.node.trouble = "it was written through shared memory (mmap), which a trace does not show"
	}
	return err
}

// copied is a call that writes what no trace has.
func (r *replay) copied(t *task, c call, to int) error {
	h, err := r.handle(t, arg(c, to))
	if err == nil && h != nil && h.node != nil {
		h.node.trouble = "it was written by " + c.name + ", whose bytes a trace does not show"
	}
	return err
}

func (r *replay) asynchronous(_ *task, c call, _ int64) error {
	r.State.trouble = "the process uses " + c.name + ", whose writes a trace does not show"
	return nil
}
