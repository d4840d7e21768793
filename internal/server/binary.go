package server

import (
	"cmp"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"strings"
)

// Environment variables that choose other programs than the newest ones found.
const (
	RedisVariable  = "ACKLAB_REDIS_SERVER"  // path of redis-server
	RabbitVariable = "ACKLAB_RABBITMQ_HOME" // folder with RabbitMQ's sbin and plugins
)

// Binary is an installed server program.
type Binary struct {
	// Path is the program; for RabbitMQ, its home folder.
	Path string
	// Version is as in "7.0.15".
	Version string
}

// MissingError says that a program is not installed, and how to install it.
type MissingError struct {
	// Tool is the program, as in "redis-server".
	Tool string
	// Install is the command that installs it.
	Install string
	// Err is why a place that was named is not it, or nil.
	Err error
}

func (e *MissingError) Error() string {
	why := ""
	if e.Err != nil {
		why = fmt.Sprintf(" (%v)", e.Err)
	}
	return fmt.Sprintf("%s is not installed%s; install it with: %s", e.Tool, why, e.Install)
}

// Unwrap is the reason, for errors.Is.
func (e *MissingError) Unwrap() error { return e.Err }

// missing names the package of this system.
func missing(tool, apt, brew string, err error) *MissingError {
	install := "apt-get install " + apt
	if runtime.GOOS == "darwin" {
		install = "brew install " + brew
	}
	return &MissingError{Tool: tool, Install: install, Err: err}
}

// newest is the one of the highest version; of equals, the first.
func newest(found []Binary) (Binary, bool) {
	if len(found) == 0 {
		return Binary{}, false
	}
	best := found[0]
	for _, b := range found[1:] {
		if compareVersions(b.Version, best.Version) > 0 {
			best = b
		}
	}
	return best, true
}

// compareVersions compares number by number: 3.10.8 is after 3.9.29, and a release
// is after its candidates (4.0.0-rc.1).
func compareVersions(a, b string) int {
	coreA, preA, _ := strings.Cut(a, "-")
	coreB, preB, _ := strings.Cut(b, "-")
	if c := slices.Compare(numbers(coreA), numbers(coreB)); c != 0 {
		return c
	}
	if (preA == "") != (preB == "") {
		return cmp.Compare(preB, preA)
	}
	return cmp.Compare(preA, preB)
}

func numbers(version string) []int {
	var ns []int
	for part := range strings.SplitSeq(version, ".") {
		n, err := strconv.Atoi(part)
		if err != nil {
			break
		}
		ns = append(ns, n)
	}
	return ns
}
