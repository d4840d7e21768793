package scheduler

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"acklab/internal/ledger"
	"acklab/internal/metrics"
	"acklab/task"
)

func TestAClaimWithoutAnOutcomeIsPublishedAgainUnderTheSameID(t *testing.T) {
	for _, policy := range []CatchUp{CatchUpNone, CatchUpOnce} {
		synctest.Test(t, func(t *testing.T) {
			begin := time.Now()
			s := every("a", time.Minute)
			s.CatchUp = policy
			r := set(t, s)
			reg := prometheus.NewRegistry()
			r.cfg.Metrics = metrics.New(reg)
			repeated := func(want float64) {
				t.Helper()
				if n := countedBy(t, reg, "acklab_scheduler_repeated_total"); n != want {
					t.Errorf("repeated: %v, want %v", n, want)
				}
			}
			r.open()
			wait(90 * time.Second)
			r.end()
			repeated(0)
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
			repeated(1)
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

// countedBy is what a counter without labels stands at; one that was never counted
// up is not there.
func countedBy(t *testing.T, reg *prometheus.Registry, name string) float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			return f.GetMetric()[0].GetCounter().GetValue()
		}
	}
	return 0
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
	mu       sync.Mutex
	deadline time.Time
	lost     chan struct{}
}

func (h *held) Term() Term                   { return h.term }
func (h *held) Deadline() time.Time          { h.mu.Lock(); defer h.mu.Unlock(); return h.deadline }
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
					s.now.mu.Lock()
					s.now.deadline = begin.Add(2*time.Minute + margin)
					s.now.mu.Unlock()
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
