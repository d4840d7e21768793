package task

import (
	"strings"
	"testing"
	"time"
)

func TestADelayHasALimit(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for _, c := range []struct {
		eta    time.Time
		tooFar bool
	}{
		{time.Time{}, false},
		{now, false},
		{now.Add(-365 * 24 * time.Hour), false},
		{now.Add(MaxDelay), false},
		{now.Add(MaxDelay + time.Nanosecond), true},
		{now.Add(365 * 24 * time.Hour), true},
		{time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC), true}, // further than a Duration reaches
	} {
		err := CheckDelay(&Message{Options: Options{ETA: c.eta}}, now)
		if (err != nil) != c.tooFar || err != nil && !strings.Contains(err.Error(), "more than 30 days ahead") {
			t.Errorf("eta %v: %v; too far: %v", c.eta, err, c.tooFar)
		}
	}
}
