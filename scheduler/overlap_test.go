package scheduler

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"acklab/internal/ledger"
	"acklab/result"
	"acklab/task"
)

// resultStore is embedded under a name that is not its method Store's.
type resultStore = result.Store

// resultDesk is a result store that says what the test says.
type resultDesk struct {
	resultStore
	mu    sync.Mutex
	state task.State
	err   error
	hangs bool // until it is not waited for any more
}

func (s *resultDesk) Get(ctx context.Context, id string) (result.Result, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.hangs {
		<-ctx.Done()
		return result.Result{}, ctx.Err()
	}
	return result.Result{TaskID: id, State: s.state}, s.err
}

func (s *resultDesk) set(state task.State, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state, s.err = state, err
}

func (s *resultDesk) hang(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hangs = on
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

func TestTheLastRunIsOfTheYoungestTickWhenTheBrokerWasAway(t *testing.T) {
	for _, policy := range []CatchUp{CatchUpNone, CatchUpOnce} {
		t.Run(string(policy), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begin := time.Now()
				s := every("a", time.Hour)
				s.MaxRuns, s.CatchUp = 1, policy
				r := set(t, s)
				r.desk.setFate(func(*task.Message) error { return errAway })
				r.open()
				wait(5*time.Hour + 30*time.Minute)
				r.desk.setFate(nil)
				wait(5 * time.Hour)
				r.end()
				taken := r.desk.taken()
				if youngest := (Tick{Schedule: "a", Due: begin.Add(5 * time.Hour)}); len(taken) != 1 || taken[0].ID != youngest.ID() {
					t.Errorf("sent %+v, want the tick of the fifth hour", taken)
				}
				if n := len(r.wrote(ledger.Missed)); n != 4 {
					t.Errorf("%d given up, want the 4 before it", n)
				}
			})
		})
	}
}

// killed is a keeper whose leader is killed when it claims.
type killed struct {
	Keeper
	at time.Time
}

func (k *killed) Claim(ctx context.Context, term Term, ticks []Tick) error {
	if !time.Now().Before(k.at) {
		return ErrDeposed
	}
	return k.Keeper.Claim(ctx, term, ticks)
}

func TestNothingIsSkippedBeforeTheOlderTickIsClaimed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		s := every("a", time.Minute)
		s.Overlap, s.CatchUp, s.Window = OverlapSkip, CatchUpAll, time.Hour
		r := set(t, s)
		r.cfg.Results = &resultDesk{state: task.Success}
		r.open()
		wait(90 * time.Second) // a at 1m
		r.end()
		wait(3 * time.Minute)
		memory := r.cfg.Keeper
		r.cfg.Keeper = &killed{memory, time.Now()}
		r.cfg.Elector = &once{}
		r.open() // 2m is to be sent, 3m and 4m are skipped
		r.end()
		states, _ := memory.States(context.Background())
		if got := states["a"].LastDue; !got.Equal(begin.Add(time.Minute)) {
			t.Errorf("the last tick is %s, and those between are lost", got.Sub(begin))
		}
		r.cfg.Keeper, r.cfg.Elector = memory, nil
		r.open()
		wait(time.Second)
		r.end()
		r.sent(begin, "a@1m0s a@4m30s")
		if n := len(r.wrote(ledger.Skipped)); n != 2 {
			t.Errorf("%d skipped, want 2", n)
		}
	})
}

// once leads once.
type once struct{ led bool }

func (o *once) Campaign(ctx context.Context) (Leadership, error) {
	if o.led {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	o.led = true
	return unchallenged{term: 1}, nil
}

func TestAStopWhileTheResultStoreIsAskedSkipsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		s := every("a", time.Minute)
		s.Overlap = OverlapSkip
		r := set(t, s)
		results := &resultDesk{state: task.Success}
		r.cfg.Results = results
		r.open()
		wait(90 * time.Second)
		results.hang(true)
		wait(31 * time.Second) // at 2m it asks for 2 s
		r.end()
		if n := len(r.wrote(ledger.Skipped)); n != 0 {
			t.Errorf("%d skipped", n)
		}
		results.hang(false)
		r.open()
		wait(time.Second)
		r.end()
		r.sent(begin, "a@1m0s a@2m1s")
	})
}
