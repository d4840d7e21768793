package minder

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"syscall"
	"time"
)

// Process is a process that the minder started: the leader of a group of its own.
// All methods are safe for concurrent use.
type Process struct {
	m    *Minder
	id   uint64
	name string
	pid  int

	once sync.Once
	done chan struct{}
	exit Exit // written before done is closed
}

// Name is the Spec's.
func (p *Process) Name() string { return p.name }

// Pid is the process id, which is also its group's. It may belong to another
// process once Done is closed.
func (p *Process) Pid() int { return p.pid }

// Done is closed when the process has ended and was reaped. What was left of its
// group has been sent SIGKILL by then.
func (p *Process) Done() <-chan struct{} { return p.done }

// Exit says how the process ended; the zero Exit while it has not.
func (p *Process) Exit() Exit {
	if p.Alive() {
		return Exit{}
	}
	return p.exit
}

// Alive reports whether the process was not yet reaped. A stopped one is alive.
func (p *Process) Alive() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

func (p *Process) ended(e Exit) {
	p.once.Do(func() {
		p.exit = e
		close(p.done)
	})
}

// Signal sends a signal to the process. ErrExited: it had ended. A signal never
// reaches a later owner of the process id.
func (p *Process) Signal(s syscall.Signal) error { return p.signal(s, false) }

// SignalGroup sends a signal to the process and all of its group. ErrExited: the
// process had ended.
func (p *Process) SignalGroup(s syscall.Signal) error { return p.signal(s, true) }

func (p *Process) signal(s syscall.Signal, group bool) error {
	_, err := p.m.ask(request{Op: opSignal, Proc: p.id, Signal: s, Group: group}, nil)
	if err != nil {
		return fmt.Errorf("send %s to %s (pid %d): %w", s, p.name, p.pid, err)
	}
	return nil
}

// Kill sends SIGKILL to the group and returns when the process was reaped, or at
// once when it had ended before: Exit tells which of the two it was. The error is
// the context's, or ErrGone.
func (p *Process) Kill(ctx context.Context) error {
	if err := p.SignalGroup(syscall.SIGKILL); err != nil && !errors.Is(err, ErrExited) {
		return err
	}
	return p.wait(ctx)
}

func (p *Process) wait(ctx context.Context) error {
	select {
	case <-p.done:
		return p.exit.Err
	case <-ctx.Done():
		return fmt.Errorf("wait for the end of %s (pid %d): %w", p.name, p.pid, context.Cause(ctx))
	}
}

// Terminate sends SIGTERM to the process, waits for grace, then kills its group.
// Exit.Signal is SIGKILL when the grace was not enough. When the context ends
// first, the process is left as it is and the error is the context's.
func (p *Process) Terminate(ctx context.Context, grace time.Duration) (Exit, error) {
	if err := p.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, ErrExited) {
		return Exit{}, err
	}
	patient, cancel := context.WithTimeout(ctx, grace)
	defer cancel()
	err := p.wait(patient)
	if err != nil && ctx.Err() == nil {
		err = p.Kill(ctx) // returns at once if it ended just now
	}
	return p.Exit(), err
}

// WriteStdin writes to the standard input of the process and returns when the pipe
// has taken all of it. It needs Spec.Stdin. Calls from several goroutines do not
// mix their bytes. ErrExited: the process had ended.
func (p *Process) WriteStdin(b []byte) error {
	if _, err := p.m.ask(request{Op: opStdin, Proc: p.id, Data: b}, nil); err != nil {
		return fmt.Errorf("write to the standard input of %s (pid %d): %w", p.name, p.pid, err)
	}
	return nil
}
