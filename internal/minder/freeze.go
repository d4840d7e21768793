package minder

import (
	"context"
	"fmt"
	"syscall"
	"time"
)

// glance is how often a stop or its end is looked for.
const glance = time.Millisecond

// Freeze sends SIGSTOP to the group and returns when the system shows every thread
// of the process stopped. Its connections stay open and its peers notice nothing.
func (p *Process) Freeze(ctx context.Context) error {
	if err := p.SignalGroup(syscall.SIGSTOP); err != nil {
		return err
	}
	return p.until(ctx, true)
}

// Thaw sends SIGCONT to the group and returns when the process is no longer
// stopped.
func (p *Process) Thaw(ctx context.Context) error {
	if err := p.SignalGroup(syscall.SIGCONT); err != nil {
		return err
	}
	return p.until(ctx, false)
}

// Frozen reports whether every thread of the process is stopped. ErrExited: it has
// ended.
func (p *Process) Frozen() (bool, error) {
	is, err := stopped(p.pid)
	if !p.Alive() { // only now is the answer known to be about this process
		return false, fmt.Errorf("state of %s (pid %d): %w", p.name, p.pid, ErrExited)
	}
	if err != nil {
		return false, fmt.Errorf("state of %s (pid %d): %w", p.name, p.pid, err)
	}
	return is, nil
}

// until waits until the process is stopped, or is not.
func (p *Process) until(ctx context.Context, want bool) error {
	tick := time.NewTicker(glance)
	defer tick.Stop()
	for {
		is, err := p.Frozen()
		if err != nil {
			return err
		}
		if is == want {
			return nil
		}
		select {
		case <-tick.C:
		case <-p.done:
		case <-ctx.Done():
			return fmt.Errorf("freeze or thaw %s (pid %d): %w", p.name, p.pid, context.Cause(ctx))
		}
	}
}
