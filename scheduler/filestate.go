package scheduler

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"
)

// StateFile is a Keeper in a file, for one scheduler that leads alone. It has
// neither history nor requests by hand.
//
// The file is a journal: one JSON line a change, the youngest line of a schedule
// counts. A change is one write(2), so a SIGKILL costs nothing; a power cut may
// cost the last lines (nothing waits for the disk), whose ticks are then sent
// again. When most lines are outdated, the file is written anew beside the old one
// and takes its name.
type StateFile struct {
	*Memory
	path  string
	file  *os.File
	lock  *os.File
	lines int
}

// stateLine is one line of the journal.
type stateLine struct {
	Name string `json:"name"`
	State
}

// slack is how many outdated lines are always allowed.
const slack = 10_000

// OpenStateFile reads the file, or begins one. It holds a lock on FILE.lock until
// Close: a second scheduler on the same file is an error.
func OpenStateFile(path string) (*StateFile, error) {
	lock, err := os.OpenFile(path+".lock", os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open the state file's lock: %w", err)
	}
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		lock.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, fmt.Errorf("the state file %s is another scheduler's: several need --store, or a --state each", path)
		}
		return nil, fmt.Errorf("lock %s.lock: %w", path, err)
	}
	k := &StateFile{Memory: NewMemory(), path: path, lock: lock}
	err = k.read()
	if err == nil { // a damaged file stays as it is
		err = k.rewrite()
	}
	if err != nil {
		return nil, errors.Join(err, k.Close())
	}
	return k, nil
}

// read takes in the journal. Its last line may be torn, by a full disk or a power
// cut; then it never happened.
func (k *StateFile) read() error {
	data, err := os.ReadFile(k.path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read the state file: %w", err)
	}
	lines := bufio.NewScanner(bytes.NewReader(data))
	lines.Buffer(nil, len(data)+1)
	for n := 1; lines.Scan(); n++ {
		var l stateLine
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil || l.Name == "" {
			if !lines.Scan() {
				break
			}
			return fmt.Errorf("the state file %s is damaged in line %d; without it every schedule begins anew", k.path, n)
		}
		k.states[l.Name] = l.State
	}
	return nil
}

// rewrite makes a file without outdated lines and gives it the name.
func (k *StateFile) rewrite() error {
	var buf bytes.Buffer
	for _, name := range slices.Sorted(maps.Keys(k.states)) {
		appendState(&buf, name, k.states[name])
	}
	next, err := os.CreateTemp(filepath.Dir(k.path), filepath.Base(k.path)+".new-*")
	if err != nil {
		return fmt.Errorf("write the state file: %w", err)
	}
	_, err = next.Write(buf.Bytes())
	if err == nil {
		err = errors.Join(next.Chmod(0o644), next.Sync())
	}
	if err == nil {
		err = os.Rename(next.Name(), k.path)
	}
	if err != nil {
		next.Close()
		os.Remove(next.Name())
		return fmt.Errorf("write the state file %s: %w", k.path, err)
	}
	if k.file != nil {
		k.file.Close()
	}
	k.file, k.lines = next, len(k.states)
	return nil
}

func appendState(buf *bytes.Buffer, name string, s State) {
	raw, err := json.Marshal(stateLine{name, s})
	if err != nil {
		panic(err) // texts, numbers and moments of this century
	}
	buf.Write(raw)
	buf.WriteByte('\n')
}

// save appends the changed states. After a write that failed half-way the file is
// made anew, so that no line follows a torn one.
func (k *StateFile) save(changed map[string]State) error {
	if k.file == nil || k.lines > 4*len(k.states)+slack {
		if err := k.rewrite(); err != nil {
			return err
		}
	}
	var buf bytes.Buffer
	for name, s := range changed {
		appendState(&buf, name, s)
	}
	if _, err := k.file.Write(buf.Bytes()); err != nil {
		k.file.Close()
		k.file = nil
		return fmt.Errorf("write the state file %s: %w", k.path, err)
	}
	k.lines += len(changed)
	return nil
}

// Begin implements Keeper.
func (k *StateFile) Begin(_ context.Context, term Term, begun map[string]Beginning) error {
	return k.change(term, func(change map[string]State) { k.begin(change, begun) }, k.save)
}

// Claim implements Keeper.
func (k *StateFile) Claim(_ context.Context, term Term, ticks []Tick) error {
	return k.change(term, func(change map[string]State) { k.claim(change, ticks) }, k.save)
}

// Settle implements Keeper.
func (k *StateFile) Settle(_ context.Context, term Term, outcomes []Outcome) error {
	return k.change(term, func(change map[string]State) { k.settle(change, outcomes) }, k.save)
}

// Close gives back the file and its lock. Closing twice is allowed.
func (k *StateFile) Close() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	var err error
	if k.file != nil {
		err = errors.Join(k.file.Sync(), k.file.Close())
		k.file = nil
	}
	if k.lock != nil {
		err = errors.Join(err, k.lock.Close())
		k.lock = nil
	}
	return err
}
