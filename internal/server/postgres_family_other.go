//go:build unix && !linux

package server

import (
	"fmt"
	"os/exec"
	"strings"
)

// familyMember is a child of a server's process.
type familyMember struct {
	pid     int
	stopped bool
	dead    bool // it waits for its parent to reap it
}

// familyOf lists the children of a process.
func familyOf(parent int) ([]familyMember, error) {
	out, err := exec.Command("ps", "-A", "-o", "pid=,ppid=,state=").Output()
	if err != nil {
		return nil, fmt.Errorf("ps: %w", err)
	}
	var family []familyMember
	for line := range strings.Lines(string(out)) {
		var pid, ppid int
		var state string
		if _, err := fmt.Sscan(line, &pid, &ppid, &state); err == nil && ppid == parent {
			family = append(family, familyMember{pid: pid, stopped: state[0] == 'T', dead: state[0] == 'Z'})
		}
	}
	return family, nil
}
