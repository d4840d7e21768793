package server

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"acklab/internal/minder"
)

// PostgreSQL's shared memory is its processes' own and ends with them, except for
// one tiny System V segment, by which a starting server sees whether an old one
// still uses the data folder. Killed, it leaves that in the kernel for good.

// releaseSegment marks the segment of the running server in data as one to remove:
// the kernel does so when the last process that uses it ends, in whatever way.
func releaseSegment(ctx context.Context, m *minder.Minder, data string, u *minder.User) error {
	text, err := os.ReadFile(filepath.Join(data, "postmaster.pid"))
	if err != nil {
		return fmt.Errorf("find its shared memory: %w", err)
	}
	const line = 6 // miscadmin.h, LOCK_FILE_LINE_SHMEM_KEY, from 0
	lines := strings.Split(string(text), "\n")
	if len(lines) <= line {
		return fmt.Errorf("find its shared memory: postmaster.pid has %d lines", len(lines))
	}
	words := strings.Fields(lines[line])
	if len(words) != 2 {
		return nil // it has none
	}
	id, err := strconv.Atoi(words[1])
	if err != nil {
		return fmt.Errorf("find its shared memory: postmaster.pid has %q", lines[line])
	}
	_, err = unix.SysvShmCtl(id, unix.IPC_RMID, nil)
	if errors.Is(err, syscall.EPERM) { // root of a container, and not the owner
		_, err = output(ctx, m, minder.Spec{Name: "ipcrm", Argv: []string{"ipcrm", "-m", words[1]}, Dir: filepath.Dir(data), User: u})
	}
	if err != nil {
		return fmt.Errorf("release its shared memory: %w", err)
	}
	return nil
}
