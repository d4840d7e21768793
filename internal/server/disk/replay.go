package disk

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// Replay takes in the trace of one process and all that it started: the file that
// strace wrote with -f -ttt -xx -e signal=KILL -e trace=Calls. The process began in the
// folder cwd and has ended. A trace that does not tell of the end of every process in
// it is cut off, which is ErrUnknown. Of each moment in aged, in ascending order and in
// microseconds of the wall clock, all that had been done by then is durable, as if the
// kernel had written it back since.
func (s *State) Replay(trace, cwd string, aged ...int64) error {
	born, err := births(trace)
	if err != nil {
		return fmt.Errorf("read the trace: %w", err)
	}
	r := &replay{State: s, born: born, tasks: map[string]*task{}, aged: aged}
	first := ""
	err = eachLine(trace, func(l line) error {
		if first == "" {
			first = l.pid
			r.tasks[l.pid] = &task{files: &files{}, cwd: &place{cwd}}
		}
		return r.take(l)
	})
	if err != nil {
		return fmt.Errorf("replay the trace: %w", err)
	}
	if len(r.tasks) > 0 || first == "" {
		return fmt.Errorf("replay the trace: %w: it ends before its processes do", ErrUnknown)
	}
	for range r.aged {
		s.cover(s.all())
	}
	return nil
}

// eachLine reads a trace line by line.
func eachLine(trace string, visit func(line) error) error {
	f, err := os.Open(trace)
	if err != nil {
		return err
	}
	defer f.Close()
	lines := bufio.NewReaderSize(f, 1<<16)
	for number := 1; ; number++ {
		raw, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) && len(raw) == 0 {
			return nil
		}
		if err != nil {
			return fmt.Errorf("line %d: %w", number, err)
		}
		l, err := parseLine(raw)
		if err == nil {
			err = visit(l)
		}
		if err != nil {
			return fmt.Errorf("line %d: %w", number, err)
		}
	}
}

// births finds who started whom: the first lines of a child may stand before the end of
// the call that made it.
func births(trace string) (map[string][]string, error) {
	parents := map[string][]string{}
	err := eachLine(trace, func(l line) error {
		if (l.kind == whole || l.kind == resumed) && forks(l.name) {
			if _, over, fail := outcome(l.ret); over && !fail {
				parents[l.ret] = append(parents[l.ret], l.pid)
			}
		}
		return nil
	})
	return parents, err
}

func forks(name string) bool {
	return name == "clone" || name == "clone3" || name == "fork" || name == "vfork"
}

// replay is the state of the processes, beside that of the folder.
type replay struct {
	*State
	born  map[string][]string // child: its parents, one for each time that its id was used
	tasks map[string]*task
	aged  []int64
}

// task is a thread.
type task struct {
	files *files
	cwd   *place
	under string // name of the call that it is in
	args  []byte // of that call, as far as they were printed when it was entered
	reach *reach // of the sync that it is in
}

type place struct{ path string }

// files are the descriptors of a process; its threads share them.
type files struct{ open map[int64]descriptor }

type descriptor struct {
	*handle
	closes bool // at exec
}

// handle is an open file, which copies of a descriptor share.
type handle struct {
	node     *node  // nil: not below the root
	path     string // as it was opened
	offset   int64
	appends  bool
	syncing  bool // O_SYNC, O_DSYNC
	fully    bool // O_SYNC
	writable bool
}

func (f *files) set(fd int64, d descriptor) {
	if f.open == nil {
		f.open = map[int64]descriptor{}
	}
	f.open[fd] = d
}

func (f *files) copy() *files {
	c := &files{}
	for fd, d := range f.open {
		c.set(fd, d)
	}
	return c
}

func (r *replay) take(l line) error {
	r.at = max(r.at, l.at)
	for len(r.aged) > 0 && l.at > r.aged[0] {
		r.cover(r.all())
		r.aged = r.aged[1:]
	}
	if l.kind == other {
		return nil
	}
	if heir, ok := strings.CutPrefix(l.ret, "superseded by execve in pid "); ok && l.kind == ended && r.tasks[heir] != nil {
		r.tasks[l.pid] = r.tasks[heir] // the thread that executes takes over the first one's id
		delete(r.tasks, heir)
		return nil
	}
	t, err := r.task(l)
	if err != nil {
		return err
	}
	switch l.kind {
	case ended:
		delete(r.tasks, l.pid)
		if t.under != "" {
			return r.finish(t, t.args, "?", l.at)
		}
		return nil
	case entered:
		t.under, t.args, t.reach = l.name, bytes.Clone(l.args), nil
		return r.enter(t)
	case resumed:
		if t.under != l.name {
			return fmt.Errorf("%s goes on in thread %s, which was in %q", l.name, l.pid, t.under)
		}
		return r.finish(t, append(t.args, l.args...), l.ret, l.at)
	}
	t.under, t.args, t.reach = l.name, l.args, nil
	if err := r.enter(t); err != nil {
		return err
	}
	return r.finish(t, l.args, l.ret, l.at)
}

// task finds the thread, or takes in a new one.
func (r *replay) task(l line) (*task, error) {
	if t := r.tasks[l.pid]; t != nil {
		return t, nil
	}
	var parent *task
	if from := r.born[l.pid]; len(from) > 0 {
		parent, r.born[l.pid] = r.tasks[from[0]], from[1:]
	} else { // its parent was killed before it had the child's id
		for _, t := range r.tasks {
			if forks(t.under) && parent != nil {
				return nil, fmt.Errorf("%w: nobody can tell who started process %s", ErrUnknown, l.pid)
			}
			if forks(t.under) {
				parent = t
			}
		}
	}
	if parent == nil {
		return nil, fmt.Errorf("%w: the trace does not show who started process %s", ErrUnknown, l.pid)
	}
	t := &task{files: parent.files, cwd: parent.cwd}
	if !bytes.Contains(parent.args, []byte("CLONE_FILES")) {
		t.files = parent.files.copy()
	}
	if !bytes.Contains(parent.args, []byte("CLONE_FS")) {
		t.cwd = &place{parent.cwd.path}
	}
	r.tasks[l.pid] = t
	return t, nil
}

// enter notes what has to be known at the entry of a call: how far a sync reaches.
func (r *replay) enter(t *task) error {
	switch t.under {
	case "fsync", "fdatasync":
		args := splitArgs(t.args)
		if len(args) == 0 {
			return nil
		}
		if h, err := r.handle(t, args[0]); err != nil {
			return err
		} else if h != nil && h.node != nil {
			t.reach = r.syncs(h.node, t.under == "fdatasync")
		}
	case "sync", "syncfs":
		t.reach = r.all()
	}
	return nil
}

// finish applies a call that has returned, or was under way when its thread ended.
func (r *replay) finish(t *task, args []byte, ret string, at int64) error {
	value, over, fail := outcome(ret)
	c := call{name: t.under, ret: value, over: over}
	reached := t.reach
	if fail {
		t.under, t.args, t.reach = "", nil, nil
		return nil
	}
	c.args = splitArgs(args)
	var err error
	if do := effects[c.name]; do != nil {
		err = do(r, t, c, at)
	} else if over && reached != nil {
		r.synced(reached)
	}
	if forks(c.name) && over && r.tasks[ret] == nil && len(r.born[ret]) > 0 {
		_, err = r.task(line{pid: ret}) // a child that has not done anything yet
	}
	t.under, t.args, t.reach = "", nil, nil
	if err != nil {
		return fmt.Errorf("%s: %w", c.name, err)
	}
	return nil
}

// handle finds an open file; nil: a descriptor that is none, such as a socket.
func (r *replay) handle(t *task, arg []byte) (*handle, error) {
	fd, err := number(arg)
	if err != nil {
		return nil, err
	}
	return t.files.open[fd].handle, nil
}

// path resolves a path argument, relative to the descriptor at or the folder of the
// thread when at is nil.
func (r *replay) path(t *task, at, arg []byte) (string, error) {
	b, err := text(arg)
	if err != nil {
		return "", err
	}
	file := string(b)
	if filepath.IsAbs(file) {
		return filepath.Clean(file), nil
	}
	if at == nil || string(at) == "AT_FDCWD" {
		return filepath.Join(t.cwd.path, file), nil
	}
	h, err := r.handle(t, at)
	if err != nil {
		return "", err
	}
	if h == nil {
		return "", fmt.Errorf("%w: a path relative to a folder that the trace did not see opened", ErrUnknown)
	}
	return filepath.Join(h.path, file), nil
}

// below gives the name of a path below the root, or "".
func (s *State) below(file string) string {
	for _, root := range s.roots {
		if file == root {
			return "."
		}
		if rest, ok := strings.CutPrefix(file, root+string(filepath.Separator)); ok {
			return path.Clean(filepath.ToSlash(rest))
		}
	}
	return ""
}
