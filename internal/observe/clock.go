package observe

import (
	"time"

	"acklab/internal/ledger"
)

// clock relates the wall clock, which samples carry, to the monotonic clock,
// which ledgers carry, on one host.
type clock struct {
	offset int64 // wall minus monotonic, in nanoseconds
	within int64 // by how much that may be off
}

// clockReadings is how often the clocks are read to find a pair that nothing
// came between.
const clockReadings = 20

// readClocks reads the wall clock between two readings of the monotonic one
// and keeps the closest.
func readClocks() clock {
	var best clock
	for i := range clockReadings {
		before := ledger.Now()
		wall := time.Now().UnixNano()
		after := ledger.Now()
		if half := (after-before)/2 + 1; i == 0 || half < best.within {
			best = clock{offset: wall - (before + half), within: half}
		}
	}
	return best
}

// until joins the reading with a later one: a wall clock that was set or slewed
// in between makes all times that much less certain.
func (c clock) until(later clock) clock {
	drift := later.offset - c.offset
	c.within += max(drift, -drift) + later.within
	return c
}

// mono is the monotonic time of a wall time in seconds since 1970.
func (c clock) mono(wall float64) int64 { return int64(wall*1e9) - c.offset }
