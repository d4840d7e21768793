package scheduler

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"acklab/broker"
	"acklab/internal/ledger"
	"acklab/result"
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
		want    string
		missed  int
	}{
		{CatchUpNone, 0, 0, "a@1m0s a@5m0s", 3},
		{CatchUpOnce, 0, 0, "a@1m0s a@4m30s a@5m0s", 2},
		{CatchUpOnce, 20 * time.Second, 0, "a@1m0s a@5m0s", 3},
		{CatchUpAll, time.Hour, 0, "a@1m0s a@4m30s a@4m30s a@4m30s a@5m0s", 0},
		{CatchUpAll, 2 * time.Minute, 0, "a@1m0s a@4m30s a@4m30s a@5m0s", 1},
		{CatchUpOnce, 0, 29 * time.Second, "a@1m0s a@5m0s", 3},
	} {
		t.Run(fmt.Sprintf("%s %s %s", c.policy, c.window, c.expires), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begin := time.Now()
				s := every("a", time.Minute)
				s.CatchUp, s.Window, s.Expires = c.policy, c.window, c.expires
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
				if n := len(r.wrote(ledger.Planned)); n != 4 {
					t.Errorf("%d planned, want 4: a missed tick is never sent, not silence", n)
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
		states, _ := r.cfg.Keeper.States(context.Background())
		if s := states["a"]; len(r.desk.sent) != 1 || s.Runs != 1 || s.Pending != nil {
			t.Errorf("%d tries, %+v", len(r.desk.sent), s)
		}
	})
}

func TestAClaimWithoutAnOutcomeIsPublishedAgainUnderTheSameID(t *testing.T) {
	for _, policy := range []CatchUp{CatchUpNone, CatchUpOnce} {
		synctest.Test(t, func(t *testing.T) {
			begin := time.Now()
			s := every("a", time.Minute)
			s.CatchUp = policy
			r := set(t, s)
			r.open()
			wait(90 * time.Second)
			r.end()
			// The leader claims the tick at two minutes, and dies.
			tick := Tick{Schedule: "a", Due: begin.Add(2 * time.Minute)}
			if err := r.cfg.Keeper.Claim(context.Background(), 1, []Tick{tick}); err != nil {
				t.Fatal(err)
			}
			wait(40 * time.Second)
			r.open()
			wait(time.Second)
			r.end()
			r.sent(begin, "a@1m0s a@2m10s")
			if id := r.desk.taken()[1].ID; id != tick.ID() {
				t.Errorf("id %s", id)
			}
			if l := r.wrote(ledger.Attempted); len(l) != 1 || l[0].Reason == "" {
				t.Errorf("%+v", l)
			}
			states, _ := r.cfg.Keeper.States(context.Background())
			if s := states["a"]; s.Runs != 2 || s.Pending != nil {
				t.Errorf("%+v", s)
			}
		})
	}
}

// seat is an elector whose terms the test ends.
type seat struct {
	mu   sync.Mutex
	next Term
	now  *held
	free chan struct{}
}

type held struct {
	term     Term
	deadline time.Time
	lost     chan struct{}
}

func (h *held) Term() Term                   { return h.term }
func (h *held) Deadline() time.Time          { return h.deadline }
func (h *held) Lost() <-chan struct{}        { return h.lost }
func (h *held) Resign(context.Context) error { return nil }

func (s *seat) Campaign(ctx context.Context) (Leadership, error) {
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-s.free:
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.next++
	s.now = &held{term: s.next, deadline: time.Now().Add(time.Hour), lost: make(chan struct{})}
	return s.now, nil
}

func TestALeaderThatWasDeposedPublishesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		r := set(t, every("a", time.Minute))
		s := &seat{free: make(chan struct{}, 1)}
		r.cfg.Elector = s
		r.open()
		wait(time.Minute + time.Second)
		r.sent(begin, "") // nobody leads
		s.free <- struct{}{}
		wait(time.Minute)
		r.sent(begin, "a@2m0s")
		// A later term begins elsewhere; this one does not know.
		if err := r.cfg.Keeper.Begin(context.Background(), 7, nil); err != nil {
			t.Fatal(err)
		}
		wait(time.Minute)
		r.sent(begin, "a@2m0s")
		r.end()
		if d := r.wrote(ledger.Deposed); len(d) != 1 || d[0].Detail["term"] != "1" || !strings.Contains(d[0].Reason, "later term") {
			t.Errorf("%+v", d)
		}
		if n := len(r.wrote(ledger.Attempted)); n != 1 {
			t.Errorf("%d attempted", n)
		}
	})
}

func TestALeaderThatIsLostOrPastItsDeadlinePublishesNothing(t *testing.T) {
	for _, how := range []string{"lost", "deadline"} {
		t.Run(how, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begin := time.Now()
				r := set(t, every("a", time.Minute))
				s := &seat{free: make(chan struct{}, 2)}
				r.cfg.Elector = s
				s.free <- struct{}{}
				r.open()
				wait(90 * time.Second)
				if how == "lost" {
					close(s.now.lost)
				} else {
					s.now.deadline = begin.Add(2*time.Minute + margin)
				}
				wait(time.Minute)
				r.sent(begin, "a@1m0s")
				s.free <- struct{}{} // it leads again, and catches up
				wait(time.Second)
				r.sent(begin, "a@1m0s a@2m30s")
				r.end()
				if n := len(r.wrote(ledger.Leading)); n != 2 {
					t.Errorf("it led %d times", n)
				}
			})
		})
	}
}

// shaky is a keeper that fails.
type shaky struct {
	Keeper
	mu  sync.Mutex
	err error
}

func (s *shaky) set(err error) { s.mu.Lock(); s.err = err; s.mu.Unlock() }
func (s *shaky) get() error    { s.mu.Lock(); defer s.mu.Unlock(); return s.err }

func (s *shaky) Claim(ctx context.Context, term Term, ticks []Tick) error {
	if err := s.get(); err != nil {
		return err
	}
	return s.Keeper.Claim(ctx, term, ticks)
}

func (s *shaky) Settle(ctx context.Context, term Term, outcomes []Outcome) error {
	if err := s.get(); err != nil {
		return err
	}
	return s.Keeper.Settle(ctx, term, outcomes)
}

func TestNothingIsPublishedThatCouldNotBeClaimed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		r := set(t, every("a", time.Minute))
		k := &shaky{Keeper: r.cfg.Keeper}
		r.cfg.Keeper = k
		k.set(errors.New("the store is away"))
		r.open()
		wait(time.Minute + 10*time.Second)
		if n := len(r.desk.sent); n != 0 {
			t.Errorf("%d published", n)
		}
		k.set(nil)
		wait(longPause)
		if taken := r.desk.taken(); len(taken) != 1 || taken[0].at.Sub(begin) > 75*time.Second {
			t.Errorf("%+v", taken)
		}
		// What cannot be settled stays pending and is settled later, once.
		r.desk.setFate(func(*task.Message) error { k.set(errors.New("gone in between")); return nil })
		wait(time.Minute)
		k.set(nil)
		r.desk.setFate(nil)
		wait(longPause)
		r.end()
		states, _ := k.States(context.Background())
		if s := states["a"]; s.Runs != 2 || s.Pending != nil || len(r.desk.sent) != 2 {
			t.Errorf("%+v, %d published", s, len(r.desk.sent))
		}
	})
}

// resultStore is embedded under a name that is not its method Store's.
type resultStore = result.Store

// resultDesk is a result store that says what the test says.
type resultDesk struct {
	resultStore
	mu    sync.Mutex
	state task.State
	err   error
}

func (s *resultDesk) Get(_ context.Context, id string) (result.Result, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return result.Result{TaskID: id, State: s.state}, s.err
}

func (s *resultDesk) set(state task.State, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state, s.err = state, err
}

func TestATickIsSkippedWhileTheOneBeforeItRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		s := every("a", time.Minute)
		s.Overlap = OverlapSkip
		r := set(t, s)
		results := &resultDesk{state: task.Started}
		r.cfg.Results = results
		r.open()
		wait(2*time.Minute + time.Second) // the first is sent, the second skipped
		results.set(task.Success, nil)
		wait(time.Minute)
		results.set("", errors.New("it is away"))
		wait(time.Minute)
		results.set(task.Pending, nil) // a task that nobody hears of any more
		wait(25 * time.Hour)
		r.end()
		taken := r.desk.taken()
		if len(taken) != 3 || taken[0].at.Sub(begin) != time.Minute || taken[1].at.Sub(begin) != 3*time.Minute || taken[2].at.Sub(begin) != 24*time.Hour+3*time.Minute {
			t.Errorf("%d sent", len(taken))
		}
		skipped := r.wrote(ledger.Skipped)
		if !strings.HasSuffix(skipped[0].Reason, "has not ended: STARTED") || !strings.Contains(skipped[1].Reason, "cannot tell whether task") {
			t.Errorf("%+v", skipped[:2])
		}
	})
}

func TestMaxRunsEndsASchedule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		s := every("a", time.Minute)
		s.MaxRuns = 3
		r := set(t, s)
		r.open()
		wait(2*time.Minute + time.Second)
		r.end()
		r.open()
		wait(time.Hour)
		r.end()
		r.sent(begin, "a@1m0s a@2m0s a@3m0s")
		if n := len(r.wrote(ledger.Planned)); n != 1 {
			t.Errorf("%d planned after the restart, want the third run alone", n)
		}
	})
}

func TestAOneOffIsSentOnceAndDisappears(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		soon, past := every("soon", 0), every("past", 0)
		soon.At, past.At = begin.Add(time.Minute), begin.Add(-time.Hour)
		late := past
		late.Name, late.CatchUp = "late", CatchUpNone
		r := set(t, soon, past, late)
		r.open()
		wait(90 * time.Second)
		r.end()
		r.sent(begin, "past@0s soon@1m0s")
		if len(r.source.all) != 0 || len(r.source.removed) != 3 {
			t.Errorf("left: %+v, removed: %v", r.source.all, r.source.removed)
		}
		// In a source that nothing can be taken out of, it is not sent again.
		r.source.all = []Schedule{soon, past, late}
		r.cfg.Sources = []Source{struct{ Source }{r.source}}
		r.open()
		wait(time.Minute)
		r.end()
		r.sent(begin, "past@0s soon@1m0s")
	})
}

func TestEditsTakeEffectAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		a, b := every("a", time.Minute), every("b", 40*time.Second)
		r := set(t, a)
		r.open()
		wait(65 * time.Second) // a at 1m
		r.source.edit(nil, a, b)
		wait(20 * time.Second) // b at 1m20
		a.Every = 15 * time.Second
		r.source.edit(nil, a, b)
		wait(6 * time.Second) // a at 1m30
		a.Enabled = false
		r.source.edit(errors.New("beat.yaml:3:1: broken"), a)
		wait(10 * time.Second) // 1m41; nothing was read
		r.source.edit(nil, a, b)
		wait(30 * time.Second) // b at 2m; a at 1m45 and 2m are not owed
		a.Enabled = true
		r.source.edit(nil, a)
		wait(20 * time.Second) // a at 2m15, 2m30; b is gone
		r.end()
		r.sent(begin, "a@1m0s b@1m20s a@1m30s b@2m0s a@2m15s a@2m30s")
		if n := len(r.wrote(ledger.Missed)); n != 0 {
			t.Errorf("%d missed", n)
		}
		if !strings.Contains(r.log.String(), "beat.yaml:3:1: broken") {
			t.Errorf("the log does not say what is broken:\n%s", &r.log)
		}
	})
}

func TestASourceThatIsBrokenIsReadAgainWithoutBeingTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		r := set(t, every("a", time.Minute))
		r.open()
		r.source.edit(errors.New("away"))
		wait(time.Second)
		r.source.mu.Lock()
		r.source.all, r.source.err = []Schedule{every("b", time.Minute)}, nil
		r.source.mu.Unlock()
		wait(time.Minute)
		r.end()
		r.sent(begin, "b@1m0s")
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

// desired is a keeper with requests.
type desired struct {
	*Memory
	mu   sync.Mutex
	want []Tick
}

func (d *desired) Requests(context.Context) ([]Tick, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.want, nil
}

func (d *desired) Settle(ctx context.Context, term Term, outcomes []Outcome) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	var left []Tick
	for _, w := range d.want {
		done := false
		for _, o := range outcomes {
			done = done || o.Tick.Equal(w)
		}
		if !done {
			left = append(left, w)
		}
	}
	d.want = left
	return d.Memory.Settle(ctx, term, outcomes)
}

func TestATickByHandIsSentAtOnceWhateverTheScheduleSays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		s := every("a", time.Hour)
		s.Enabled = false
		r := set(t, s)
		k := &desired{Memory: NewMemory()}
		r.cfg.Keeper = k
		r.open()
		wait(12 * time.Second)
		k.mu.Lock()
		k.want = []Tick{{Schedule: "a", Due: time.Now(), ByHand: true}, {Schedule: "nobody", Due: time.Now(), ByHand: true}}
		k.mu.Unlock()
		wait(askRequests)
		r.end()
		r.sent(begin, "a@15s")
		states, _ := k.States(context.Background())
		if s := states["a"]; s.Runs != 0 || s.LastTask == "" || !s.LastDue.IsZero() || len(k.want) != 0 {
			t.Errorf("%+v, still wanted %v", s, k.want)
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
