package scheduler

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"acklab/broker"
	"acklab/internal/ledger"
	"acklab/task"
)

// The bubbles of synctest begin at midnight UTC, 2000-01-01: on every grid.

func TestEveryTickIsPlannedAttemptedAndConfirmedOnTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		r := set(t, every("a", 10*time.Second))
		r.open()
		wait(10*time.Minute + time.Second)
		r.end()
		taken := r.desk.taken()
		if len(taken) != 60 {
			t.Fatalf("%d sent, want 60", len(taken))
		}
		for i, s := range taken {
			due := begin.Add(time.Duration(i+1) * 10 * time.Second)
			if late := s.at.Sub(due); late < 0 || late > time.Millisecond {
				t.Errorf("tick %d is late by %s", i, late)
			}
			if id := (Tick{Schedule: "a", Due: due}).ID(); s.ID != id || s.TaskID != id || s.Origin != "test" || s.Queue != "celery" {
				t.Errorf("tick %d is %+v", i, s.Message)
			}
		}
		for _, event := range []ledger.Event{ledger.Planned, ledger.Attempted, ledger.Confirmed} {
			if n := len(r.wrote(event)); n != 60 {
				t.Errorf("%d lines %s", n, event)
			}
		}
		if lead, resigned := r.wrote(ledger.Leading), r.wrote(ledger.Resigned); len(lead) != 1 || len(resigned) != 1 || lead[0].Detail["term"] != "1" {
			t.Errorf("leading %v, resigned %v", lead, resigned)
		}
		if l := r.wrote(ledger.Planned)[0]; l.Detail["schedule"] != "a" || l.Detail["due"] != "2000-01-01T00:00:10Z" || l.Name != "a" {
			t.Errorf("planned %+v", l)
		}
	})
}

func TestWhatWasMissedIsCaughtUpAsThePolicySays(t *testing.T) {
	for _, c := range []struct {
		policy  CatchUp
		window  time.Duration
		expires time.Duration
		runs    int
		want    string
		missed  int
	}{
		{CatchUpNone, 0, 0, 0, "a@1m0s a@5m0s", 3},
		{CatchUpOnce, 0, 0, 0, "a@1m0s a@4m30s a@5m0s", 2},
		{CatchUpOnce, 20 * time.Second, 0, 0, "a@1m0s a@5m0s", 3},
		{CatchUpAll, time.Hour, 0, 0, "a@1m0s a@4m30s a@4m30s a@4m30s a@5m0s", 0},
		{CatchUpAll, 2 * time.Minute, 0, 0, "a@1m0s a@4m30s a@4m30s a@5m0s", 1},
		{CatchUpOnce, 0, 29 * time.Second, 0, "a@1m0s a@5m0s", 3},
		{CatchUpNone, 0, 0, 2, "a@1m0s a@5m0s", 3},
		{CatchUpOnce, 0, 0, 2, "a@1m0s a@4m30s", 2},
		{CatchUpOnce, 40 * time.Second, 0, 2, "a@1m0s a@4m30s", 2},
		{CatchUpAll, time.Hour, 0, 2, "a@1m0s a@4m30s", 2},
		{CatchUpAll, time.Hour, 0, 3, "a@1m0s a@4m30s a@4m30s", 1},
	} {
		t.Run(fmt.Sprintf("%s %s %s %d", c.policy, c.window, c.expires, c.runs), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begin := time.Now()
				s := every("a", time.Minute)
				s.CatchUp, s.Window, s.Expires, s.MaxRuns = c.policy, c.window, c.expires, c.runs
				r := set(t, s)
				r.open()
				wait(time.Minute + 30*time.Second)
				r.end()
				wait(3 * time.Minute) // at 2, 3 and 4 minutes nobody leads
				r.open()
				wait(40 * time.Second)
				r.end()
				r.sent(begin, c.want)
				if n := len(r.wrote(ledger.Missed)); n != c.missed {
					t.Errorf("%d missed, want %d", n, c.missed)
				}
				sent := strings.Count(c.want, " ") // after the absence
				if n := len(r.wrote(ledger.Planned)); n != sent+c.missed {
					t.Errorf("%d planned, not as many as sent and missed: a missed tick is never sent, not silence", n)
				}
			})
		})
	}
}

func TestATickThatTheBrokerDoesNotTakeIsSentWhenItDoes(t *testing.T) {
	for name, fault := range map[string]error{"refused": errAway, "unsure": fmt.Errorf("lost: %w", broker.ErrUnsure)} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begin := time.Now()
				r := set(t, every("a", time.Minute))
				r.desk.setFate(func(*task.Message) error { return fault })
				r.open()
				wait(time.Minute + 20*time.Second)
				r.desk.setFate(nil)
				wait(30 * time.Second)
				r.end()
				taken := r.desk.taken()
				if len(taken) != 1 || taken[0].at.Sub(begin) > 86*time.Second {
					t.Fatalf("%+v", taken)
				}
				for _, s := range r.desk.sent {
					if s.ID != taken[0].ID {
						t.Error("another id")
					}
				}
				again := 0
				for _, l := range r.wrote(ledger.Attempted) {
					if l.Reason != "" {
						again++
					}
				}
				if tries := len(r.desk.sent); tries < 4 || (name == "unsure") != (again == tries-1) {
					t.Errorf("%d tries, %d of them say that it may have been published before", tries, again)
				}
			})
		})
	}
}

func TestATickIsGivenUpWhenTheNextIsDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		r := set(t, every("a", time.Minute))
		r.desk.setFate(func(*task.Message) error { return errAway })
		r.open()
		wait(3*time.Minute + time.Second)
		r.desk.setFate(nil)
		wait(10 * time.Second)
		r.end()
		taken := r.desk.taken()
		if len(taken) != 1 || taken[0].ID != (Tick{Schedule: "a", Due: begin.Add(3 * time.Minute)}).ID() {
			t.Errorf("%+v", taken)
		}
		missed := r.wrote(ledger.Missed)
		if len(missed) != 2 || !strings.Contains(missed[0].Reason, "the next one is due; the last try: ") {
			t.Errorf("%+v", missed)
		}
	})
}

func TestAMessageThatCanNeverBePublishedIsNotTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := set(t, every("a", time.Minute))
		r.desk.setFate(func(*task.Message) error { return &broker.Refusal{Reason: broker.TooLarge} })
		r.open()
		wait(90 * time.Second)
		r.end()
		if n := len(r.desk.sent); n != 1 {
			t.Errorf("%d tries", n)
		}
	})
}

func TestADuplicateCountsAsSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := set(t, every("a", time.Minute))
		r.desk.setFate(func(*task.Message) error { return &broker.Refusal{Reason: broker.Duplicate} })
		r.open()
		wait(90 * time.Second)
		r.end()
		for _, l := range r.wrote(ledger.Refused) {
			if l.Detail[ledger.DetailDuplicate] == "" {
				t.Errorf("the line does not say that the broker has it: %+v", l)
			}
		}
		states, _ := r.cfg.Keeper.States(context.Background())
		if s := states["a"]; len(r.desk.sent) != 1 || s.Runs != 1 || s.Pending != nil {
			t.Errorf("%d tries, %+v", len(r.desk.sent), s)
		}
	})
}

func TestJitterDelaysTheSameTickTheSameEverywhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		s := every("a", time.Minute)
		s.Jitter = 30 * time.Second
		r := set(t, s)
		r.open()
		wait(10*time.Minute + 31*time.Second)
		r.end()
		taken := r.desk.taken()
		if len(taken) != 10 {
			t.Fatalf("%d sent", len(taken))
		}
		for i, m := range taken {
			tick := Tick{Schedule: "a", Due: begin.Add(time.Duration(i+1) * time.Minute)}
			if m.ID != tick.ID() || !m.at.Equal(s.firing(tick)) {
				t.Errorf("tick %d at %s, want %s", i, m.at, s.firing(tick))
			}
		}
	})
}

func TestALongAbsenceIsNotGoneThroughTickByTick(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := set(t, every("a", 100*time.Millisecond))
		r.open()
		wait(time.Second)
		r.end()
		n := len(r.desk.taken())
		wait(365 * 24 * time.Hour)
		r.open()
		r.end()
		if got := len(r.desk.taken()); got != n+1 {
			t.Errorf("%d sent after the absence, want 1", got-n)
		}
		missed := r.wrote(ledger.Missed)
		total := 0
		for _, l := range missed {
			total += max(l.N, 1)
		}
		if want := 365*24*3600*10 - 1; total != want || len(missed) > MaxCaughtUp {
			t.Errorf("%d missed in %d lines, want %d", total, len(missed), want)
		}
	})
}

func TestTwoYearsOfASimulatedClock(t *testing.T) {
	t.Parallel()
	s := every("report", 0)
	s.Cron, s.Zone = "0 0 * * *", "Asia/Beirut"
	d := &desk{}
	from := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	cfg := Config{Broker: d, Sources: []Source{newList(s)}, Keeper: NewMemory(), Clock: NewSimulatedClock(from), Until: from.AddDate(2, 0, 0)}
	if err := New(cfg).Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	ids := map[string]bool{}
	for _, m := range d.taken() {
		ids[m.ID] = true
	}
	if len(ids) != 730 || len(d.sent) != 730 {
		t.Errorf("%d reports, %d messages, in 730 days", len(ids), len(d.sent))
	}
}

func TestUntilWaitsForWhatIsStillOwed(t *testing.T) {
	for name, simulated := range map[string]bool{"real clock": false, "simulated clock": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := every("a", time.Minute)
				d := &desk{fate: func(*task.Message) error { return errAway }}
				begin := time.Now()
				cfg := Config{Broker: d, Sources: []Source{newList(s)}, Keeper: NewMemory(), Until: begin.Add(3 * time.Minute)}
				if simulated {
					cfg.Clock = NewSimulatedClock(begin)
				}
				done := make(chan error, 1)
				go func() { done <- New(cfg).Run(t.Context()) }()
				wait(10 * time.Minute)
				select {
				case err := <-done:
					t.Fatalf("it ended (%v) with a tick that was not sent", err)
				default:
				}
				d.setFate(nil)
				if err := <-done; err != nil {
					t.Fatal(err)
				}
				taken := d.taken()
				if last := (Tick{Schedule: "a", Due: cfg.Until}); len(taken) != 1 || taken[0].ID != last.ID() {
					t.Errorf("sent %+v, want the last tick", taken)
				}
			})
		})
	}
}

// counting is a keeper that counts the outcomes of its largest call.
type counting struct {
	Keeper
	largest, all int
}

func (c *counting) Settle(ctx context.Context, term Term, outcomes []Outcome) error {
	c.largest, c.all = max(c.largest, len(outcomes)), c.all+len(outcomes)
	return c.Keeper.Settle(ctx, term, outcomes)
}

func TestALongAbsenceIsSettledInManyCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var many []Schedule
		for i := range 10 {
			many = append(many, every(fmt.Sprint(i), time.Second))
		}
		r := set(t, many...)
		r.open()
		wait(time.Second)
		r.end()
		wait(2000 * time.Second)
		k := &counting{Keeper: r.cfg.Keeper}
		r.cfg.Keeper = k
		r.open()
		r.end()
		if k.largest > settleAtOnce || k.all != 10*2000 {
			t.Errorf("%d outcomes, up to %d in one call; want all of 20000, up to %d", k.all, k.largest, settleAtOnce)
		}
	})
}
