package disk

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
)

// effects are what calls do that have returned without an error, or that were under way
// at the end (call.over false). A sync is not among them: see reach.
var effects = map[string]func(r *replay, t *task, c call, at int64) error{
	"open":      func(r *replay, t *task, c call, at int64) error { return r.open(t, c, nil, 0, at) },
	"openat":    func(r *replay, t *task, c call, at int64) error { return r.open(t, c, arg(c, 0), 1, at) },
	"openat2":   func(r *replay, t *task, c call, at int64) error { return r.open(t, c, arg(c, 0), 1, at) },
	"creat":     (*replay).creat,
	"close":     (*replay).close,
	"dup":       (*replay).dup,
	"dup2":      (*replay).dup,
	"dup3":      (*replay).dup,
	"fcntl":     (*replay).fcntl,
	"write":     (*replay).write,
	"pwrite64":  (*replay).write,
	"writev":    (*replay).write,
	"pwritev":   (*replay).write,
	"pwritev2":  (*replay).write,
	"lseek":     (*replay).seek,
	"ftruncate": (*replay).ftruncate,
	"truncate":  (*replay).truncate,
	"fallocate": (*replay).fallocate,
	"rename":    func(r *replay, t *task, c call, _ int64) error { return r.move(t, c, nil, 0, nil, 1) },
	"renameat":  func(r *replay, t *task, c call, _ int64) error { return r.move(t, c, arg(c, 0), 1, arg(c, 2), 3) },
	"renameat2": func(r *replay, t *task, c call, _ int64) error { return r.move(t, c, arg(c, 0), 1, arg(c, 2), 3) },
	"unlink":    func(r *replay, t *task, c call, _ int64) error { return r.remove(t, c, nil, 0) },
	"rmdir":     func(r *replay, t *task, c call, _ int64) error { return r.remove(t, c, nil, 0) },
	"unlinkat":  func(r *replay, t *task, c call, _ int64) error { return r.remove(t, c, arg(c, 0), 1) },
	"mkdir":     func(r *replay, t *task, c call, _ int64) error { return r.mkdir(t, c, nil, 0) },
	"mkdirat":   func(r *replay, t *task, c call, _ int64) error { return r.mkdir(t, c, arg(c, 0), 1) },
	"link":      func(r *replay, t *task, c call, _ int64) error { return r.link(t, c, nil, 0, nil, 1) },
	"linkat":    func(r *replay, t *task, c call, _ int64) error { return r.link(t, c, arg(c, 0), 1, arg(c, 2), 3) },
	"symlink":   func(r *replay, t *task, c call, _ int64) error { return r.symlink(t, c, nil, 1) },
	"symlinkat": func(r *replay, t *task, c call, _ int64) error { return r.symlink(t, c, arg(c, 1), 2) },
	"chdir":     (*replay).chdir,
	"fchdir":    (*replay).chdir,
	"execve":    (*replay).exec,
	"execveat":  (*replay).exec,

	"close_range":     (*replay).closeRange,
	"mmap":            (*replay).mmap,
	"sendfile":        func(r *replay, t *task, c call, _ int64) error { return r.copied(t, c, 0) },
	"splice":          func(r *replay, t *task, c call, _ int64) error { return r.copied(t, c, 2) },
	"copy_file_range": func(r *replay, t *task, c call, _ int64) error { return r.copied(t, c, 2) },
	"io_uring_setup":  (*replay).asynchronous,
	"io_submit":       (*replay).asynchronous,
}

// arg is an argument, or nothing.
func arg(c call, i int) []byte {
	if i < len(c.args) {
		return c.args[i]
	}
	return nil
}

func has(flags []byte, flag string) bool {
	for word := range strings.FieldsFuncSeq(string(flags), func(c rune) bool { return strings.ContainsRune("|{}=, ", c) }) {
		if word == flag {
			return true
		}
	}
	return false
}

func (r *replay) open(t *task, c call, dir []byte, i int, at int64) error {
	if !c.over && len(c.args) <= i+1 {
		return nil // killed before its arguments were printed
	}
	file, err := r.path(t, dir, arg(c, i))
	if err != nil {
		return err
	}
	return r.opened(t, c, file, arg(c, i+1), at)
}

func (r *replay) creat(t *task, c call, at int64) error {
	file, err := r.path(t, nil, arg(c, 0))
	if err != nil {
		return err
	}
	return r.opened(t, c, file, []byte("O_WRONLY|O_CREAT|O_TRUNC"), at)
}

func (r *replay) opened(t *task, c call, file string, flags []byte, at int64) error {
	h := &handle{
		path: file, appends: has(flags, "O_APPEND"), syncing: has(flags, "O_SYNC") || has(flags, "O_DSYNC"), fully: has(flags, "O_SYNC"),
		writable: has(flags, "O_WRONLY") || has(flags, "O_RDWR"),
	}
	if name := r.below(file); name != "" {
		if has(flags, "O_TMPFILE") || has(flags, "__O_TMPFILE") {
			r.State.trouble = "a file without a name (O_TMPFILE) was opened in " + name
			return nil
		}
		h.node = r.names[name]
		if !c.over {
			r.opening(name, h.node, flags, at)
			return nil
		}
		switch {
		case h.node == nil && has(flags, "O_CREAT"):
			h.node = &node{}
			r.rename(renaming{what: "create", from: name, node: h.node})
		case h.node == nil && !r.ignores(name):
			h.node = &node{trouble: "it was opened, and the trace does not show how it came to be"}
			r.names[name] = h.node
		case h.node != nil && has(flags, "O_TRUNC") && h.node.size > 0:
			h.node.change(change{at: at})
		}
	}
	if c.over {
		t.files.set(c.ret, descriptor{handle: h, closes: has(flags, "O_CLOEXEC")})
	}
	return nil
}

// opening is an open that was under way at the end.
func (r *replay) opening(name string, n *node, flags []byte, at int64) {
	switch {
	case n == nil && has(flags, "O_CREAT"):
		r.flying = append(r.flying, renaming{what: "create", from: name})
	case n != nil && has(flags, "O_TRUNC"):
		n.flies(change{at: at})
	}
}

func (r *replay) close(t *task, c call, _ int64) error {
	fd, err := number(arg(c, 0))
	delete(t.files.open, fd)
	return err
}

func (r *replay) closeRange(t *task, c call, _ int64) error {
	first, err := number(arg(c, 0))
	if err != nil {
		return err
	}
	last, err := number(arg(c, 1))
	if err != nil {
		last = 1 << 31 // ~0U
	}
	for fd, d := range t.files.open {
		switch {
		case fd < first || fd > last:
		case has(arg(c, 2), "CLOSE_RANGE_CLOEXEC"):
			d.closes = true
			t.files.set(fd, d)
		default:
			delete(t.files.open, fd)
		}
	}
	return nil
}

func (r *replay) dup(t *task, c call, _ int64) error {
	if !c.over {
		return nil
	}
	h, err := r.handle(t, arg(c, 0))
	if err != nil {
		return err
	}
	if from, _ := number(arg(c, 0)); from == c.ret {
		return nil
	}
	delete(t.files.open, c.ret)
	if h != nil {
		t.files.set(c.ret, descriptor{handle: h, closes: has(arg(c, 2), "O_CLOEXEC")})
	}
	return nil
}

func (r *replay) fcntl(t *task, c call, _ int64) error {
	if !c.over {
		return nil
	}
	fd, err := number(arg(c, 0))
	if err != nil {
		return err
	}
	d, ok := t.files.open[fd]
	switch how := string(arg(c, 1)); {
	case strings.HasPrefix(how, "F_DUPFD"):
		delete(t.files.open, c.ret)
		if ok {
			t.files.set(c.ret, descriptor{handle: d.handle, closes: how == "F_DUPFD_CLOEXEC"})
		}
	case how == "F_SETFD" && ok:
		d.closes = has(arg(c, 2), "FD_CLOEXEC")
		t.files.set(fd, d)
	case how == "F_SETFL" && ok:
		d.appends = has(arg(c, 2), "O_APPEND")
	}
	return nil
}

// write is every call that writes what stands in the trace.
func (r *replay) write(t *task, c call, at int64) error {
	h, err := r.handle(t, arg(c, 0))
	if err != nil || h == nil || h.node == nil {
		return err
	}
	read := text
	if strings.HasSuffix(strings.TrimSuffix(c.name, "2"), "v") {
		read = vector
	}
	data, err := read(arg(c, 1))
	if errors.Is(err, errShortened) {
		h.node.trouble = "the trace has only the beginning of a long write"
		return nil
	}
	if err != nil {
		return err
	}
	if c.over {
		if c.ret > int64(len(data)) {
			return fmt.Errorf("%d bytes were written, the trace has %d", c.ret, len(data))
		}
		data = data[:c.ret]
	}
	offset, positioned, err := position(c)
	if err != nil {
		return err
	}
	if !positioned {
		offset = h.offset
	}
	flags := arg(c, 4)
	if h.appends || has(flags, "RWF_APPEND") { // on Linux also with an offset
		offset = h.node.size
	}
	if len(data) == 0 {
		return nil
	}
	if !c.over {
		h.node.flies(change{offset: offset, data: data, at: at})
		return nil
	}
	h.node.change(change{offset: offset, data: data, at: at})
	if !positioned {
		h.offset = offset + c.ret
	}
	if h.syncing || has(flags, "RWF_DSYNC") || has(flags, "RWF_SYNC") {
		r.synced(r.syncs(h.node, !h.fully && !has(flags, "RWF_SYNC")))
	}
	return nil
}

// position is the offset that a call names, if it does.
func position(c call) (offset int64, named bool, err error) {
	if !strings.HasPrefix(c.name, "p") {
		return 0, false, nil
	}
	offset, err = number(arg(c, 3))
	return offset, offset >= 0, err
}

func (r *replay) seek(t *task, c call, _ int64) error {
	h, err := r.handle(t, arg(c, 0))
	if err == nil && h != nil && c.over {
		h.offset = c.ret
	}
	return err
}

func (r *replay) ftruncate(t *task, c call, at int64) error {
	h, err := r.handle(t, arg(c, 0))
	if err != nil || h == nil || h.node == nil {
		return err
	}
	return cutTo(h.node, c, at)
}

func (r *replay) truncate(t *task, c call, at int64) error {
	file, err := r.path(t, nil, arg(c, 0))
	if err != nil {
		return err
	}
	if n := r.names[r.below(file)]; n != nil {
		return cutTo(n, c, at)
	}
	return nil
}

func cutTo(n *node, c call, at int64) error {
	length, err := number(arg(c, 1))
	if err != nil {
		return err
	}
	if !c.over {
		n.flies(change{offset: length, at: at})
		return nil
	}
	n.change(change{offset: length, at: at})
	return nil
}

func (r *replay) fallocate(t *task, c call, at int64) error {
	h, err := r.handle(t, arg(c, 0))
	if err != nil || h == nil || h.node == nil {
		return err
	}
	from, err1 := number(arg(c, 2))
	length, err2 := number(arg(c, 3))
	switch how := arg(c, 1); {
	case err1 != nil || err2 != nil:
		return errors.Join(err1, err2)
	case has(how, "FALLOC_FL_KEEP_SIZE") && !bytes.Contains(how, []byte("|")):
	case string(how) != "0":
		h.node.trouble = "fallocate with " + string(how) + " is not replayed"
	case from+length > h.node.size:
		return cutTo(h.node, call{args: [][]byte{nil, fmt.Append(nil, from+length)}, over: c.over}, at)
	}
	return nil
}

func (r *replay) chdir(t *task, c call, _ int64) error {
	if !c.over {
		return nil
	}
	if c.name == "chdir" {
		file, err := r.path(t, nil, arg(c, 0))
		t.cwd.path = file
		return err
	}
	h, err := r.handle(t, arg(c, 0))
	if err == nil && h == nil {
		err = fmt.Errorf("%w: into a folder that the trace did not see opened", ErrUnknown)
	}
	if err == nil {
		t.cwd.path = h.path
	}
	return err
}

// exec gives the process descriptors of its own and closes those that ask for it.
func (r *replay) exec(t *task, c call, _ int64) error {
	if !c.over {
		return nil
	}
	t.files = t.files.copy()
	for fd, d := range t.files.open {
		if d.closes {
			delete(t.files.open, fd)
		}
	}
	return nil
}
