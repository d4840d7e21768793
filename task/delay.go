package task

import (
	"fmt"
	"time"
)

// MaxDelay is the longest that a message may wait for its ETA, counted from
// its publish: no broker is asked to keep a promise for longer.
const MaxDelay = 30 * 24 * time.Hour

// CheckDelay says why m cannot be published at the moment now for the sake of
// its ETA, or returns nil: it is further away than MaxDelay. Every driver asks
// before it publishes, and refuses by it (broker.Refusal, Invalid).
func CheckDelay(m *Message, now time.Time) error {
	if m.ETA.IsZero() || m.ETA.Sub(now) <= MaxDelay {
		return nil
	}
	return fmt.Errorf("eta %s is more than %d days ahead, the longest that is possible", formatTime(m.ETA), MaxDelay/(24*time.Hour))
}
