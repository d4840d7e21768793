package server

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"acklab/internal/minder"
)

const (
	limit    = time.Minute // for contexts without a deadline
	attempts = 5           // starts, with new ports each time
	tailSize = 4 << 10     // bytes of each log that are looked at after an early end
)

// instance is what all servers have in common: a folder, and one process at a time.
type instance struct {
	m    *minder.Minder
	name string
	dir  string
	logs []string // files in which a failed start leaves its reason

	spec  func() minder.Spec                                 // how to start it
	try   func(ctx context.Context, p *minder.Process) error // nil when it serves clients
	pause time.Duration                                      // between two tries

	tracing *tracing // nil: nobody traces it
	notData []string // files and folders that a power cut leaves as they are, beside logs

	lifecycle sync.Mutex // one Boot or Close at a time
	mu        sync.Mutex
	proc      *minder.Process
	closed    bool
}

// Name implements Server.
func (i *instance) Name() string { return i.name }

// Dir implements Server.
func (i *instance) Dir() string { return i.dir }

// Process implements Server.
func (i *instance) Process() *minder.Process {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.proc
}

// Pid implements Server.
func (i *instance) Pid() int { return i.Process().Pid() }

// Alive implements Server.
func (i *instance) Alive() bool { return i.Process().Alive() }

// Kill implements Server.
func (i *instance) Kill(ctx context.Context) error {
	ctx, cancel := bounded(ctx)
	defer cancel()
	p := i.Process()
	if !p.Alive() {
		return i.failed("kill", ErrNotRunning)
	}
	return i.failed("kill", p.Kill(ctx))
}

// Stop implements Server.
func (i *instance) Stop(ctx context.Context) error {
	ctx, cancel := bounded(ctx)
	defer cancel()
	p := i.Process()
	if err := p.Signal(syscall.SIGTERM); err != nil {
		return i.failed("stop", notRunning(err))
	}
	select {
	case <-p.Done():
		return nil
	case <-ctx.Done():
		return i.failed("stop", context.Cause(ctx))
	}
}

// Freeze implements Server.
func (i *instance) Freeze(ctx context.Context) error {
	ctx, cancel := bounded(ctx)
	defer cancel()
	if i.tracing != nil {
		return i.failed("freeze", ErrTraced)
	}
	return i.failed("freeze", notRunning(i.Process().Freeze(ctx)))
}

// Thaw implements Server.
func (i *instance) Thaw(ctx context.Context) error {
	ctx, cancel := bounded(ctx)
	defer cancel()
	return i.failed("thaw", notRunning(i.Process().Thaw(ctx)))
}

// Boot implements Server.
func (i *instance) Boot(ctx context.Context) error {
	ctx, cancel := bounded(ctx)
	defer cancel()
	i.lifecycle.Lock()
	defer i.lifecycle.Unlock()
	if i.closed {
		return i.failed("boot", ErrClosed)
	}
	if p := i.Process(); p != nil && p.Alive() {
		return i.failed("boot", ErrRunning)
	}
	spec := i.spec()
	if i.tracing != nil {
		argv, err := i.tracing.begin(ctx, i.dir, slices.Concat(i.logs, i.notData), spec.Argv)
		if err != nil {
			return i.failed("boot", err)
		}
		spec.Argv = argv
	}
	p, err := i.m.Run(spec)
	if err != nil {
		return i.failed("boot", err)
	}
	i.mu.Lock()
	i.proc = p
	i.mu.Unlock()
	err = i.awaitReady(ctx, p)
	if err == nil && i.tracing != nil {
		err = i.tracing.watch(p)
	}
	if err != nil {
		if killErr := p.Kill(context.WithoutCancel(ctx)); killErr != nil {
			err = errors.Join(err, killErr)
		}
		return i.failed("boot", err)
	}
	return nil
}

// Close implements Server.
func (i *instance) Close(ctx context.Context) error {
	ctx, cancel := bounded(ctx)
	defer cancel()
	i.lifecycle.Lock()
	defer i.lifecycle.Unlock()
	if i.closed {
		return nil
	}
	if p := i.Process(); p != nil {
		if err := p.Kill(ctx); err != nil && !errors.Is(err, minder.ErrGone) {
			return i.failed("close", err)
		}
	}
	i.closed = true
	err := i.m.Remove(i.dir)
	if i.tracing != nil {
		i.tracing.close()
		err = errors.Join(err, i.m.Remove(i.tracing.dir))
	}
	return i.failed("close", err)
}

// awaitReady tries until the server serves clients.
func (i *instance) awaitReady(ctx context.Context, p *minder.Process) error {
	alive, cancel := whileAlive(ctx, p)
	defer cancel()
	tick := time.NewTicker(i.pause)
	defer tick.Stop()
	for {
		err := i.try(alive, p)
		if err == nil {
			return nil
		}
		select {
		case <-p.Done():
			return &earlyExitError{exit: p.Exit(), logs: i.tails()}
		case <-ctx.Done():
			return fmt.Errorf("not ready: %w (last try: %w)", context.Cause(ctx), err)
		case <-tick.C:
		}
	}
}

// tails are the last lines of the logs.
func (i *instance) tails() string {
	var all strings.Builder
	for _, file := range i.logs {
		b, err := os.ReadFile(filepath.Join(i.dir, file))
		if err != nil {
			continue // not written yet
		}
		all.Write(b[max(0, len(b)-tailSize):])
	}
	return strings.TrimSpace(all.String())
}

// failed says which server it was; nil stays nil.
func (i *instance) failed(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s %s: %w", what, i.name, err)
}

// earlyExitError is a server that ended before it was ready.
type earlyExitError struct {
	exit minder.Exit
	logs string
}

func (e *earlyExitError) Error() string {
	return fmt.Sprintf("it ended early (%s); its log ends with:\n%s", e.exit, e.logs)
}

// portTaken reports whether a start failed because another process had taken one
// of the ports since they were picked.
func portTaken(err error) bool {
	var early *earlyExitError
	if !errors.As(err, &early) {
		return false
	}
	for _, sign := range []string{"ddress already in use", "eaddrinuse", "address_in_use"} {
		if strings.Contains(early.logs, sign) {
			return true
		}
	}
	return false
}

// notRunning translates the minder's word for it.
func notRunning(err error) error {
	if errors.Is(err, minder.ErrExited) {
		return ErrNotRunning
	}
	return err
}

// whileAlive is a context that also ends, with ErrNotRunning as its cause, when the
// process does.
func whileAlive(ctx context.Context, p *minder.Process) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	over := make(chan struct{})
	go func() {
		defer close(over)
		select {
		case <-p.Done():
			cancel(ErrNotRunning)
		case <-ctx.Done():
		}
	}()
	return ctx, func() { cancel(nil); <-over }
}

// because prefers the reason for which a context ended to the error it led to.
func because(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); err != nil && cause != nil {
		return fmt.Errorf("%w (%w)", cause, err)
	}
	return err
}

// bounded gives a context a deadline if it has none.
func bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, limit)
}

// bootOnFreePorts makes and boots instances until one finds its ports still free.
func bootOnFreePorts(ctx context.Context, make func() (*instance, error)) error {
	ctx, cancel := bounded(ctx)
	defer cancel()
	for try := 1; ; try++ {
		i, err := make()
		if err != nil {
			return err
		}
		err = i.Boot(ctx)
		if err == nil {
			return nil
		}
		if closeErr := i.Close(context.WithoutCancel(ctx)); closeErr != nil {
			return errors.Join(err, closeErr)
		}
		if try == attempts || !portTaken(err) {
			return err
		}
	}
}
