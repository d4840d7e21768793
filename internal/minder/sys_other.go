//go:build unix && !linux

package minder

import (
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
)

// becomeSubreaper does nothing: only Linux has child subreapers.
func becomeSubreaper() error { return nil }

// leashed puts a child into a group of its own; there is no parent death signal.
func leashed() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}

// collect reaps one dead child, if there is one. before is called right after, not
// before, the reaping: there is no call here that names a dead child without
// reaping it. The group id could be another's only if it had been given out again
// within these microseconds.
func collect(before func(pid int)) (pid int, status syscall.WaitStatus, ok bool) {
	for {
		pid, err := syscall.Wait4(-1, &status, syscall.WNOHANG, nil)
		if err == syscall.EINTR {
			continue
		}
		if err != nil || pid <= 0 {
			return 0, 0, false
		}
		before(pid)
		return pid, status, true
	}
}

// hasChildren cannot look without reaping, so it reports what a further wait would
// say; the status of a child that ended in between is lost, which matters to
// nobody at the end of a minder.
func hasChildren() bool {
	var status syscall.WaitStatus
	_, err := syscall.Wait4(-1, &status, syscall.WNOHANG, nil)
	return err != syscall.ECHILD
}

// children is empty: orphans are not inherited here, and the groups are known.
func children() []int { return nil }

// stopped reports whether a process is stopped by a signal.
func stopped(pid int) (bool, error) {
	out, err := exec.Command("ps", "-o", "state=", "-p", strconv.Itoa(pid)).Output()
	if err != nil {
		return false, fmt.Errorf("ps: %w", err)
	}
	return strings.HasPrefix(strings.TrimSpace(string(out)), "T"), nil
}
