package server

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"acklab/internal/minder"
)

// A PostgreSQL server is a family: each of its processes makes a session of its
// own, so a signal to the group of the first reaches none of the others. They
// would end by themselves when it has died, after what they were about to do,
// which is no crash: a killed server must not commit.
//
// While the first process stands still it neither makes nor reaps children, so
// the ids that are listed then stay theirs, and a signal cannot hit a stranger.

// standStill stops the whole family and returns when every process of it stands.
func standStill(ctx context.Context, p *minder.Process) ([]familyMember, error) {
	if err := p.Freeze(ctx); err != nil {
		return nil, err
	}
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		family, err := familyOf(p.Pid())
		if err != nil {
			return nil, err
		}
		standing := true
		for _, member := range family {
			if member.dead || member.stopped {
				continue
			}
			standing = false
			if err := syscall.Kill(member.pid, syscall.SIGSTOP); err != nil && !errors.Is(err, syscall.ESRCH) {
				return nil, fmt.Errorf("stop process %d: %w", member.pid, err)
			}
		}
		if standing {
			return family, nil
		}
		select {
		case <-tick.C:
		case <-p.Done():
			return nil, ErrNotRunning
		case <-ctx.Done():
			return nil, fmt.Errorf("stop the processes of pid %d: %w", p.Pid(), context.Cause(ctx))
		}
	}
}

// goOn undoes standStill: the children first, while their ids are still theirs.
func goOn(ctx context.Context, p *minder.Process) error {
	family, err := familyOf(p.Pid())
	if err != nil {
		return err
	}
	if frozen, err := p.Frozen(); err != nil {
		return err
	} else if frozen { // else somebody has thawed it
		for _, member := range family {
			if err := syscall.Kill(member.pid, syscall.SIGCONT); err != nil && !errors.Is(err, syscall.ESRCH) {
				return fmt.Errorf("continue process %d: %w", member.pid, err)
			}
		}
	}
	return p.Thaw(ctx)
}

// killFamily kills every process of the family and returns when all are gone: a
// new server refuses a data folder that an old process still has to do with.
func killFamily(ctx context.Context, p *minder.Process) error {
	family, err := standStill(ctx, p)
	if err != nil {
		return err
	}
	for _, member := range family {
		if err := syscall.Kill(member.pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("kill process %d: %w", member.pid, err)
		}
	}
	if err := awaitDead(ctx, p.Pid(), family); err != nil {
		return err
	}
	return p.Kill(ctx) // who inherits the dead children reaps them
}

// awaitDead waits until the listed children of a process that stands still are
// dead. Nobody reaps them meanwhile.
func awaitDead(ctx context.Context, parent int, family []familyMember) error {
	if len(family) == 0 {
		return nil
	}
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		left, err := familyOf(parent)
		if err != nil {
			return err
		}
		alive := 0
		for _, member := range left {
			if !member.dead {
				alive++
			}
		}
		if alive == 0 {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("wait for the end of %d processes of pid %d: %w", alive, parent, context.Cause(ctx))
		}
	}
}
