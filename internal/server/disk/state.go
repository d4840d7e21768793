package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// State is a folder as its processes see it, and as far as it is durable. It is not
// safe for concurrent use.
type State struct {
	root    string
	roots   []string // the root as given, and with symbolic links resolved
	ignored []string
	names   tree // with all changes
	first   tree // at the beginning of the log
	log     []renaming
	durable int // how many entries of the log are
	flying  []renaming
	trouble string
	at      int64 // the last moment of the trace
}

// Look reads the folder root as it is. All that is there counts as durable: it was
// written before the first process that will be traced. Paths in ignored, relative to
// root, such as log files, are left out with what is below them, here and later on.
func Look(root string, ignored ...string) (*State, error) {
	s := &State{root: root, roots: []string{filepath.Clean(root)}, ignored: ignored, names: tree{".": {dir: true}}}
	if real, err := filepath.EvalSymlinks(root); err == nil && real != s.roots[0] {
		s.roots = append(s.roots, real)
	}
	err := s.walk(func(name string, file string, dir bool) error {
		n := &node{dir: dir}
		if !dir {
			b, err := os.ReadFile(file)
			if err != nil {
				return err
			}
			n.hold(b)
		}
		s.names[name] = n
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("look at what is in %s before it is traced: %w", root, err)
	}
	s.first = clone(s.names)
	return s, nil
}

// hold makes b the durable content of a new node.
func (n *node) hold(b []byte) {
	if len(b) > 0 {
		n.change(change{data: b})
	}
	n.synced, n.base, n.held = len(n.changes), int64(len(b)), int64(len(b))
}

func clone(t tree) tree {
	c := make(tree, len(t))
	for name, n := range t {
		c[name] = n
	}
	return c
}

// walk visits all files and folders below the root that are not ignored.
func (s *State) walk(visit func(name, file string, dir bool) error) error {
	return filepath.WalkDir(s.root, func(file string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) || err == nil && file == s.root {
			return nil
		}
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(s.root, file)
		if err != nil {
			return err
		}
		name := filepath.ToSlash(rel)
		switch {
		case s.ignores(name) && entry.IsDir():
			return fs.SkipDir
		case s.ignores(name), !entry.IsDir() && !entry.Type().IsRegular(): // sockets, pipes: not on the disk
			return nil
		}
		return visit(name, file, entry.IsDir())
	})
}

func (s *State) ignores(name string) bool {
	return slices.ContainsFunc(s.ignored, func(i string) bool { return name == i || strings.HasPrefix(name, i+"/") })
}

// rename appends to the log of names.
func (s *State) rename(r renaming) {
	concerned := r.concerns(s.names)
	s.names.apply(r)
	s.log = append(s.log, r)
	for _, n := range concerned {
		n.named = len(s.log)
	}
	if r.node != nil && r.node.born == 0 {
		r.node.born = len(s.log)
	}
}

// reach is how far a sync will have covered when it returns.
type reach struct {
	names int
	each  map[*node]int // files: how many of their changes
}

// syncs notes how far a sync of n, which is entered now, will reach.
func (s *State) syncs(n *node, dataOnly bool) *reach {
	r := &reach{names: n.named, each: map[*node]int{n: len(n.changes)}}
	if dataOnly && !n.dir && n.size <= n.held {
		r.names = n.born // nothing but its creation has to be written to find the data
	}
	return r
}

// all reaches everything that is there now.
func (s *State) all() *reach {
	r := &reach{names: len(s.log), each: map[*node]int{}}
	for _, n := range s.names {
		r.each[n] = len(n.changes)
	}
	return r
}

// synced makes durable what the sync that has returned covers.
func (s *State) synced(r *reach) {
	s.cover(r)
	for n := range r.each {
		n.syncs++
	}
}

func (s *State) cover(r *reach) {
	s.durable = max(s.durable, r.names)
	for n, changes := range r.each {
		for ; n.synced < changes; n.synced++ {
			n.held = n.changes[n.synced].sizeAfter(n.held)
		}
	}
}

// ErrUnknown means that what a disk would hold cannot be told: the files are not what
// the trace says, or were written in a way that a trace does not show.
var ErrUnknown = errors.New("what a power cut would leave cannot be told")

// Check makes sure that the trace is complete: all calls together must give the files
// that are there now, byte for byte. The processes must have ended. ErrUnknown: they do
// not, or a file was written in a way that a trace does not show.
func (s *State) Check() error {
	if s.trouble != "" {
		return fmt.Errorf("%w: %s", ErrUnknown, s.trouble)
	}
	for _, name := range s.names.sorted() {
		if n := s.names[name]; n.trouble != "" && !s.ignores(name) {
			return fmt.Errorf("%w: %s: %s", ErrUnknown, name, n.trouble)
		}
	}
	unsure := map[string]bool{}
	for _, r := range s.flying {
		unsure[r.from], unsure[r.to] = true, true
	}
	there := map[string]bool{}
	err := s.walk(func(name, file string, dir bool) error {
		there[name] = true
		n := s.names[name]
		switch {
		case unsure[name]:
			return nil
		case n == nil:
			return fmt.Errorf("%w: %s is there, but the trace does not show how it came to be", ErrUnknown, name)
		case n.dir != dir:
			return fmt.Errorf("%w: %s is a folder or a file, the trace says the other", ErrUnknown, name)
		case dir:
			return nil
		}
		b, err := os.ReadFile(file)
		if err != nil {
			return fmt.Errorf("compare %s with the trace: %w", name, err)
		}
		if !n.is(b) {
			return fmt.Errorf("%w: %s (%d bytes) is not what the traced calls wrote (%d bytes)", ErrUnknown, name, len(b), n.size)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for name := range s.names {
		if !there[name] && !unsure[name] && !s.ignores(name) && name != "." {
			return fmt.Errorf("%w: %s is gone, and the trace does not show how", ErrUnknown, name)
		}
	}
	return nil
}

// File is what became of one file.
type File struct {
	Path string // relative to the root
	// Written are the bytes that it was given while it was traced, Lost those of them
	// that no sync covered.
	Written, Lost int64
	// Syncs is how often it was synced.
	Syncs int
	// Before is its size before the cut, After its size after it; -1: there was or is
	// no file of that name.
	Before, After int64
	// Age is how old, at the cut, the oldest write was that was lost.
	Age time.Duration
}

// Outcome is what a power cut did.
type Outcome struct {
	// Files are all files that there were before or after, by path.
	Files []File
	// Undone are the creations, renames and removals that were not durable, in order.
	Undone []string
}

// Settle takes what was under way when the processes ended for done as far as the files
// show it. It comes after Check and before the next Replay.
func (s *State) Settle() error {
	for _, r := range s.flying {
		_, fromErr := os.Lstat(s.file(r.from))
		_, toErr := os.Lstat(s.file(r.to))
		if (r.what == "create") == (fromErr == nil) && (r.what != "rename" || toErr == nil) {
			if r.what == "create" && r.node == nil {
				r.node = &node{}
			}
			s.rename(r)
		}
	}
	s.flying = nil
	for _, name := range s.names.sorted() {
		n := s.names[name]
		if len(n.flying) == 0 || s.ignores(name) {
			continue
		}
		b, err := os.ReadFile(s.file(name))
		if err != nil {
			return fmt.Errorf("look what became of an unfinished write to %s: %w", name, err)
		}
		n.flying = nil
		if !n.is(b) {
			n.change(change{at: s.at})
			n.change(change{data: b, at: s.at})
		}
	}
	return nil
}

func (s *State) file(name string) string { return filepath.Join(s.root, filepath.FromSlash(name)) }

// Cut returns the folder as the power cut leaves it, and what was lost. The files
// themselves are not touched: see Write.
func (s *State) Cut() (*State, Outcome) {
	kept := clone(s.first)
	for _, r := range s.log[:s.durable] {
		kept.apply(r)
	}
	var out Outcome
	for _, r := range s.log[s.durable:] {
		if !s.ignores(r.from) {
			out.Undone = append(out.Undone, r.String())
		}
	}
	after := &State{root: s.root, roots: s.roots, ignored: s.ignored, names: tree{}}
	twins := map[*node]*node{} // one for each, so that links stay links
	for name, n := range kept {
		if twins[n] == nil {
			twins[n] = &node{dir: n.dir}
			twins[n].hold(n.content(n.synced))
		}
		after.names[name] = twins[n]
	}
	after.first = clone(after.names)

	both := clone(kept)
	for name, n := range s.names {
		both[name] = n
	}
	for _, name := range both.sorted() {
		n := both[name]
		if n.dir || s.ignores(name) {
			continue
		}
		f := File{Path: name, Written: n.written(), Syncs: n.syncs, Before: -1, After: -1}
		f.Lost, f.Age = n.lost(s.at)
		if s.names[name] != nil {
			f.Before = n.size
		}
		if k := after.names[name]; k != nil {
			f.After = k.size
		}
		out.Files = append(out.Files, f)
	}
	return after, out
}

// Write makes the folder what the State says. Ignored paths stay as they are.
func (s *State) Write() error {
	var old []string
	err := s.walk(func(name, file string, dir bool) error {
		if n := s.names[name]; n == nil || n.dir != dir || !dir {
			old = append(old, file)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("write what the power cut left: %w", err)
	}
	for _, file := range slices.Backward(old) { // what is in a folder before the folder
		err := os.Remove(file)
		if errors.Is(err, fs.ErrExist) {
			continue // an ignored file is in it
		}
		if err != nil {
			return fmt.Errorf("write what the power cut left: %w", err)
		}
	}
	placed := map[*node]string{}
	for _, name := range s.names.sorted() {
		if s.ignores(name) || name == "." {
			continue
		}
		if err := s.place(name, placed); err != nil {
			return fmt.Errorf("write what the power cut left: %w", err)
		}
	}
	return nil
}

func (s *State) place(name string, placed map[*node]string) error {
	n := s.names[name]
	file := s.file(name)
	if n.dir {
		return os.MkdirAll(file, 0o700)
	}
	if path.Dir(name) != "." && s.names[path.Dir(name)] == nil {
		return nil // a folder that is not durable keeps what is in it from being found
	}
	if first, twice := placed[n]; twice {
		return os.Link(first, file)
	}
	placed[n] = file
	return os.WriteFile(file, n.content(len(n.changes)), 0o600)
}
