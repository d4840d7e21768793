package scheduler

import (
	"strings"
	"testing"
	"time"
)

func TestAJitterIsNotLongerThanTheTimeToTheNextTick(t *testing.T) {
	for _, c := range []struct {
		line, zone string
		jitter     time.Duration
		want       string // "": it can be used
	}{
		{"* * * * *", "", time.Minute, ""},
		{"* * * * *", "", 61 * time.Second, "the 1m0s from one tick"},
		{"*/15 * * * *", "", 15 * time.Minute, ""},
		{"*/15 * * * *", "", 16 * time.Minute, "the 15m0s from one tick"},
		{"0,10 9 * * *", "", time.Hour, "the 10m0s from one tick"},
		{"0 0 * * *", "", MaxJitter, ""},
		{"0 0 * * *", "Europe/Berlin", MaxJitter, `the 23h0m0s from one tick of "0 0 * * *" to the next, on 2026-03-28T23:00:00Z`},
		{"0 0 * * *", "Europe/Berlin", 23 * time.Hour, ""},
		{"0 0 1 1 *", "", MaxJitter, ""},
	} {
		s := every("a", 0)
		s.Cron, s.Zone, s.Jitter = c.line, c.zone, c.jitter
		err := s.Check()
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s in %q, jitter %s: %v, want %q", c.line, c.zone, c.jitter, err, c.want)
		}
	}
}
