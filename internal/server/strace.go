package server

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"

	"acklab/internal/server/disk"
)

// FindStrace finds strace and makes sure that it may trace here, which containers and
// hardened kernels forbid. The error is a *MissingError when strace is not installed;
// else it is one line that says how to allow it.
func FindStrace() (Binary, error) { return findStrace() }

var findStrace = sync.OnceValues(func() (Binary, error) {
	path, err := exec.LookPath("strace")
	if err != nil {
		return Binary{}, missing("strace", "strace", "strace (Linux only)", nil)
	}
	version, err := straceVersion(path)
	if err != nil {
		return Binary{}, missing("strace", "strace", "strace (Linux only)", err)
	}
	return Binary{Path: path, Version: version}, mayTrace(path)
})

var straceWord = regexp.MustCompile(`^strace -- version ([0-9][0-9.]*)`)

func straceVersion(path string) (string, error) {
	out, err := exec.Command(path, "--version").Output()
	if err != nil {
		return "", fmt.Errorf("ask %s for its version: %w", path, err)
	}
	match := straceWord.FindSubmatch(out)
	if match == nil {
		return "", fmt.Errorf("%s does not say a version as strace does", path)
	}
	return string(match[1]), nil
}

// mayTrace traces a process that does nothing, in the way in which servers are traced.
func mayTrace(path string) error {
	dir, err := os.MkdirTemp("", "acklab-strace-")
	if err != nil {
		return fmt.Errorf("try strace: %w", err)
	}
	defer os.RemoveAll(dir)
	args := straceArgs(filepath.Join(dir, "trace"))
	out, err := exec.Command(path, append(args[1:], "true")...).CombinedOutput()
	if err == nil && len(out) == 0 {
		return nil
	}
	said, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	return fmt.Errorf("strace may not trace here (%w: %s): in a container, start it with --cap-add SYS_PTRACE; "+
		"else set kernel.yama.ptrace_scope to 0 or 1", errors.Join(err, errNoTrace), said)
}

var errNoTrace = errors.New("ptrace is not permitted")

// straceArgs is the command line before the traced one. -DD: the tracer is a grandchild
// in a group of its own, so that the traced process keeps its place as the minder's
// child, and a SIGKILL to its group leaves the tracer alive to write down the end.
func straceArgs(trace string) []string {
	return []string{
		"strace", "-DD", "-f", "-q", "--seccomp-bpf", "-ttt", "-xx", "-s", fmt.Sprint(longestWrite),
		"-e", "trace=" + disk.Calls, "-o", trace, "--",
	}
}

// longestWrite is how much of one write a trace holds, in bytes.
const longestWrite = 64 << 20
