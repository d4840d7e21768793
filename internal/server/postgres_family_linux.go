package server

import (
	"bytes"
	"os"
	"strconv"
)

// familyMember is a child of a server's process.
type familyMember struct {
	pid     int
	stopped bool
	dead    bool // it waits for its parent to reap it
}

// familyOf lists the children of a process.
func familyOf(parent int) ([]familyMember, error) {
	names, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	var family []familyMember
	for _, n := range names {
		pid, err := strconv.Atoi(n.Name())
		if err != nil {
			continue
		}
		text, err := os.ReadFile("/proc/" + n.Name() + "/stat")
		if err != nil {
			continue // it has ended
		}
		// The name in the second field may hold anything.
		fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
		if len(fields) < 2 || string(fields[1]) != strconv.Itoa(parent) {
			continue
		}
		state := fields[0][0]
		family = append(family, familyMember{pid: pid, stopped: state == 'T', dead: state == 'Z' || state == 'X'})
	}
	return family, nil
}
