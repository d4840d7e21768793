package scheduler

import (
	"sync"
	"time"
)

// Clock is the time by which ticks are due. Leases do not follow it: they follow
// the machine's clock.
type Clock interface {
	// Now never goes back of its own accord; a person may set it back.
	Now() time.Time
	// Alarm gives a value when the moment has come, and perhaps earlier. stop
	// frees what it holds, whether it has given the value or not.
	Alarm(moment time.Time) (rings <-chan time.Time, stop func())
}

// maxNap is how long the real clock sleeps at the most: a wall clock that is set
// forward, or a machine that was asleep, is noticed so soon.
const maxNap = 30 * time.Second

// RealClock is the machine's own.
type RealClock struct{}

// Now is time.Now.
func (RealClock) Now() time.Time { return time.Now() }

// Alarm is a timer.
func (RealClock) Alarm(moment time.Time) (<-chan time.Time, func()) {
	t := time.NewTimer(min(time.Until(moment), maxNap))
	return t.C, func() { t.Stop() }
}

// SimulatedClock stands still until somebody waits for a moment, and then it is
// that moment: years pass as fast as what is done in them. It is for one
// scheduler, and safe for concurrent use.
type SimulatedClock struct {
	mu  sync.Mutex
	now time.Time
}

// NewSimulatedClock begins at a moment.
func NewSimulatedClock(from time.Time) *SimulatedClock {
	return &SimulatedClock{now: from.UTC().Round(0)}
}

// Now is the last moment that was waited for.
func (c *SimulatedClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Alarm makes it that moment, and rings at once.
func (c *SimulatedClock) Alarm(moment time.Time) (<-chan time.Time, func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if moment.After(c.now) {
		c.now = moment.UTC().Round(0)
	}
	rings := make(chan time.Time, 1)
	rings <- c.now
	return rings, func() {}
}
