package rabbitbroker

import (
	"strings"
	"time"
)

// step is one point of the grid that delays are rounded up to.
type step struct {
	name string
	wait time.Duration
}

// grid is what delays are rounded up to, in order: the values that people
// choose, and never more than double the one before. From 200 ms to 12 hours a
// delay becomes longer by two thirds at most.
var grid = func() []step {
	const ms, s, m, h, d = time.Millisecond, time.Second, time.Minute, time.Hour, 24 * time.Hour
	return []step{
		{"100ms", 100 * ms}, {"200ms", 200 * ms}, {"300ms", 300 * ms}, {"500ms", 500 * ms}, {"700ms", 700 * ms},
		{"1s", s}, {"1.5s", 1500 * ms}, {"2s", 2 * s}, {"3s", 3 * s}, {"5s", 5 * s}, {"7s", 7 * s},
		{"10s", 10 * s}, {"15s", 15 * s}, {"20s", 20 * s}, {"30s", 30 * s}, {"45s", 45 * s},
		{"1m", m}, {"90s", 90 * s}, {"2m", 2 * m}, {"3m", 3 * m}, {"5m", 5 * m}, {"7m", 7 * m},
		{"10m", 10 * m}, {"15m", 15 * m}, {"20m", 20 * m}, {"30m", 30 * m}, {"45m", 45 * m},
		{"1h", h}, {"90m", 90 * m}, {"2h", 2 * h}, {"3h", 3 * h}, {"5h", 5 * h}, {"8h", 8 * h}, {"12h", 12 * h},
		{"1d", d}, {"2d", 2 * d}, {"4d", 4 * d}, {"8d", 8 * d}, {"15d", 15 * d}, {"30d", 30 * d},
	}
}()

// roundUp is the index of the smallest step that is not shorter than d; of the
// last one where none is.
func roundUp(d time.Duration) int {
	for i, s := range grid {
		if s.wait >= d {
			return i
		}
	}
	return len(grid) - 1
}

// coarsest is the largest part of itself by which a delay that is not shorter
// than the first step can become longer.
func coarsest() float64 {
	most := 0.0
	for i, s := range grid[1:] {
		most = max(most, float64(s.wait)/float64(grid[i].wait)-1)
	}
	return most
}

// delaySuffix makes, from the name of a queue, the name of its delay lock, and
// with a dot and a step the name of a delay queue.
const delaySuffix = ".delay"

// delayQueue is the name of the queue in which messages for the queue to wait
// for one step.
func delayQueue(to string, step int) string { return to + delaySuffix + "." + grid[step].name }

// isDelayQueue tells whether name is a delay queue of the queue to.
func isDelayQueue(name, to string) bool {
	suffix, ok := strings.CutPrefix(name, to+delaySuffix+".")
	for _, s := range grid {
		if ok && s.name == suffix {
			return true
		}
	}
	return false
}
