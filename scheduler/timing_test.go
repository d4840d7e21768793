package scheduler

import (
	"strings"
	"testing"
	"time"
)

func TestAnIntervalLiesOnAGridAndDoesNotDrift(t *testing.T) {
	t.Parallel()
	for _, s := range []Schedule{
		{Every: 10 * time.Second},
		{Every: 7 * time.Second, Phase: 3 * time.Second},
		{Every: 100 * time.Millisecond, Phase: 99 * time.Millisecond},
		{Every: 24 * time.Hour},
	} {
		timing, err := s.Timing()
		if err != nil {
			t.Fatal(err)
		}
		for _, start := range []time.Time{time.Unix(1_800_000_000, 1), time.Unix(1_800_000_003, 0), time.Unix(-5, 0)} {
			next := timing.Next(start)
			if wait := next.Sub(start); wait <= 0 || wait > s.Every {
				t.Errorf("%+v: the first tick comes %s after %s", s, wait, start)
			}
			for range 60 {
				if off := (time.Duration(next.UnixNano()) - s.Phase) % s.Every; off != 0 {
					t.Errorf("%+v: %s is off the grid by %s", s, next, off)
				}
				again := timing.Next(next)
				if again.Sub(next) != s.Every {
					t.Errorf("%+v: %s after %s", s, again, next)
				}
				next = again
			}
		}
	}
}

func TestAMomentComesOnce(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 26, 12, 0, 0, 0, time.FixedZone("", 3600))
	timing, _ := Schedule{At: at}.Timing()
	if next := timing.Next(at.Add(-time.Hour)); !next.Equal(at) || next.Location() != time.UTC {
		t.Errorf("%s", next)
	}
	if next := timing.Next(at); !next.IsZero() {
		t.Errorf("again at %s", next)
	}
}

// valid is a schedule that passes Check.
func valid() Schedule {
	return Schedule{Name: "report", Task: "send_email", Queue: "celery", Every: time.Minute, Enabled: true, CatchUp: CatchUpOnce, Overlap: OverlapAllow}
}

func TestEachFieldThatIsWrongIsNamed(t *testing.T) {
	t.Parallel()
	if err := valid().Check(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		break_ func(*Schedule)
		want   string
	}{
		{func(s *Schedule) { s.Name = "" }, "name: missing"},
		{func(s *Schedule) { s.Name = "a\x00b" }, "name: "},
		{func(s *Schedule) { s.Name = strings.Repeat("x", 201) }, "name: "},
		{func(s *Schedule) { s.Task = "" }, "task: missing"},
		{func(s *Schedule) { s.Task = "a\nb" }, "control character"},
		{func(s *Schedule) { s.Priority = 10 }, "priority: 10"},
		{func(s *Schedule) { s.Args = append(s.Args, []byte("{")) }, "args: number 1"},
		{func(s *Schedule) { s.Every = 0 }, "every, cron or at has to"},
		{func(s *Schedule) { s.Cron = "* * * * *" }, "only one of"},
		{func(s *Schedule) { s.Every = time.Millisecond }, "every: 1ms is outside"},
		{func(s *Schedule) { s.Phase = time.Minute }, "phase: 1m0s"},
		{func(s *Schedule) { s.Phase = -1 }, "phase: -1ns"},
		{func(s *Schedule) { s.Zone = "Europe/Berlin" }, "zone: only with cron"},
		{func(s *Schedule) { s.Every, s.Cron = 0, "0 0 31 2 *" }, "never be due"},
		{func(s *Schedule) { s.Every, s.At = 0, time.Date(1960, 1, 1, 0, 0, 0, 0, time.UTC) }, "at: the year 1960"},
		{func(s *Schedule) { s.Expires = -time.Second }, "expires: -1s"},
		{func(s *Schedule) { s.Jitter = time.Hour }, "jitter: 1h0m0s is more than every"},
		{func(s *Schedule) { s.Every, s.Cron, s.Jitter = 0, "0 0 * * *", 25*time.Hour }, "jitter: 25h0m0s is outside"},
		{func(s *Schedule) { s.MaxRuns = -1 }, "max_runs: -1"},
		{func(s *Schedule) { s.CatchUp = "some" }, `catch_up: "some"`},
		{func(s *Schedule) { s.CatchUp = CatchUpAll }, "window: catch_up all needs one"},
		{func(s *Schedule) { s.CatchUp, s.Window, s.Every = CatchUpAll, 24*time.Hour, time.Second }, "window: 24h0m0s holds more than 10000"},
		{func(s *Schedule) { s.Overlap = "wait" }, `overlap: "wait"`},
	} {
		s := valid()
		c.break_(&s)
		if err := s.Check(); err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%v, want %s", err, c.want)
		}
	}
}

func TestJitterFollowsFromTheTickAlone(t *testing.T) {
	t.Parallel()
	s := valid()
	s.Jitter = 10 * time.Second
	var sum time.Duration
	const n = 2000
	for i := range n {
		tick := Tick{Schedule: s.Name, Due: time.Unix(int64(i)*60, 0)}
		late := s.firing(tick).Sub(tick.Due)
		if late < 0 || late >= s.Jitter {
			t.Fatalf("%s", late)
		}
		if again := s.firing(Tick{Schedule: s.Name, Due: tick.Due.In(time.FixedZone("", 3600))}); !again.Equal(s.firing(tick)) {
			t.Fatal("it differs between zones")
		}
		sum += late
	}
	if mean := sum / n; mean < 4*time.Second || mean > 6*time.Second {
		t.Errorf("on average %s of %s", mean, s.Jitter)
	}
	if at := s.firing(Tick{Schedule: s.Name, Due: time.Unix(60, 0), ByHand: true}); !at.Equal(time.Unix(60, 0)) {
		t.Error("a tick by hand waits")
	}
}

func TestTheIDOfATickIsTheSameEverywhere(t *testing.T) {
	t.Parallel()
	due := time.Date(2026, 11, 26, 3, 0, 0, 0, time.UTC)
	a := Tick{Schedule: "a", Due: due}
	if a.ID() != "" && a.ID() != (Tick{Schedule: "a", Due: due.In(time.FixedZone("", 7200))}).ID() {
		t.Error("it depends on the zone")
	}
	seen := map[string]Tick{}
	for _, tick := range []Tick{a, {Schedule: "b", Due: due}, {Schedule: "a", Due: due.Add(1)}, {Schedule: "a", Due: due, ByHand: true}} {
		if other, twice := seen[tick.ID()]; twice {
			t.Errorf("%+v and %+v", tick, other)
		}
		seen[tick.ID()] = tick
	}
}
