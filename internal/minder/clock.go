package minder

import "golang.org/x/sys/unix"

// Now is the host's CLOCK_MONOTONIC in nanoseconds. Processes of one host share
// this clock, so differences between readings of different processes mean
// something. Safe for concurrent use.
func Now() int64 {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		return 0 // the call fails only for a clock that does not exist
	}
	return ts.Nano()
}
