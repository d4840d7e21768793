package server

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// tracer is the strace of a process. Nil is one that was never there.
type tracer struct{ pidfd int }

// tracerOf finds the process that traces pid.
func tracerOf(pid int) (*tracer, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return nil, fmt.Errorf("look who traces it: %w", err)
	}
	for line := range bytes.Lines(status) {
		value, ok := bytes.CutPrefix(line, []byte("TracerPid:"))
		if !ok {
			continue
		}
		by, err := strconv.Atoi(string(bytes.TrimSpace(value)))
		if err != nil || by == 0 {
			return nil, fmt.Errorf("strace does not trace process %d", pid)
		}
		fd, err := unix.PidfdOpen(by, 0)
		if err != nil {
			return nil, fmt.Errorf("hold on to strace, process %d: %w", by, err)
		}
		return &tracer{fd}, nil
	}
	return nil, fmt.Errorf("/proc/%d/status does not say who traces it", pid)
}

// wait returns when strace has ended, which it does after everything that it traced,
// with its trace written.
func (t *tracer) wait(ctx context.Context) error {
	if t == nil {
		return nil
	}
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		ended := []unix.PollFd{{Fd: int32(t.pidfd), Events: unix.POLLIN}}
		if n, err := unix.Poll(ended, 0); err != nil && err != unix.EINTR {
			return err
		} else if n > 0 {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (t *tracer) close() {
	if t != nil {
		_ = unix.Close(t.pidfd)
	}
}
