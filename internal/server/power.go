package server

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"acklab/internal/minder"
	"acklab/internal/server/disk"
)

// ErrNotTraced means that the server was started without Trace, so nobody knows what it
// had synced.
var ErrNotTraced = errors.New("the server was started without Trace")

// ErrTraced means that the server runs under strace: the kernel shows its threads as
// stopped by the tracer, so nobody can tell whether they stand.
var ErrTraced = errors.New("the server is traced, so it cannot be frozen: start it without Trace")

// tracing records what a server does to its folder, from its first boot on.
type tracing struct {
	strace Binary
	dir    string // of the traces, outside of the server's folder
	boots  int

	mu      sync.Mutex
	state   *disk.State // of the folder up to the last boot
	current string      // trace of the last boot; empty: it is part of state
	tracer  *tracer
	aged    []int64 // moments of this boot whose writes count as written back
	broken  error   // why nothing can be told any more
}

func newTracing(m *minder.Minder) (*tracing, error) {
	strace, err := FindStrace()
	if err != nil {
		return nil, err
	}
	dir, err := m.TempDir("trace")
	if err != nil {
		return nil, err
	}
	return &tracing{strace: strace, dir: dir}, nil
}

// begin prepares the next boot of a server in root and returns its command line.
func (t *tracing) begin(ctx context.Context, root string, logs []string, argv []string) ([]string, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.state == nil {
		var err error
		if t.state, err = disk.Look(root, logs...); err != nil {
			return nil, err
		}
	} else if t.current != "" {
		t.broken = errors.Join(t.broken, t.absorb(ctx, root))
	}
	t.boots++
	t.current = filepath.Join(t.dir, "boot-"+strconv.Itoa(t.boots))
	args := straceArgs(t.current)
	args[0] = t.strace.Path
	return append(args, argv...), nil
}

// watch finds the tracer of a process that was just started.
func (t *tracing) watch(p *minder.Process) error {
	found, err := tracerOf(p.Pid())
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.tracer.close()
	t.tracer = found
	return nil
}

// absorb takes the trace of a process that has ended into the state.
func (t *tracing) absorb(ctx context.Context, root string) error {
	if t.broken != nil {
		return t.broken
	}
	if err := t.tracer.wait(ctx); err != nil {
		return fmt.Errorf("wait for the end of strace: %w", err)
	}
	if err := t.state.Replay(t.current, root, t.aged...); err != nil {
		return err
	}
	if err := t.state.Check(); err != nil {
		return err
	}
	t.current, t.aged = "", nil
	return t.state.Settle()
}

// age counts all that was written up to now as written back by the kernel.
func (t *tracing) age() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.aged = append(t.aged, time.Now().UnixMicro())
}

// cut makes the folder what a power cut leaves of it.
func (t *tracing) cut(ctx context.Context, root string) (disk.Outcome, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.absorb(ctx, root); err != nil {
		return disk.Outcome{}, err
	}
	after, out := t.state.Cut()
	if err := after.Write(); err != nil {
		t.broken = err
		return out, err
	}
	t.state = after
	return out, nil
}

func (t *tracing) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.tracer.close()
}

// Traced implements Server.
func (i *instance) Traced() bool { return i.tracing != nil }

// CutPower implements Server.
func (i *instance) CutPower(ctx context.Context) (disk.Outcome, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	i.lifecycle.Lock()
	defer i.lifecycle.Unlock()
	if i.tracing == nil {
		return disk.Outcome{}, i.failed("cut the power of", ErrNotTraced)
	}
	p := i.Process()
	if !p.Alive() {
		return disk.Outcome{}, i.failed("cut the power of", ErrNotRunning)
	}
	if err := p.Kill(ctx); err != nil {
		return disk.Outcome{}, i.failed("cut the power of", err)
	}
	out, err := i.tracing.cut(ctx, i.dir)
	return out, i.failed("cut the power of", err)
}
