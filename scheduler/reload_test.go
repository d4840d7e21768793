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
	"acklab/task"
)

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

func TestATickByHandOfAScheduleThatWasJustAddedIsSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		r := set(t, every("a", time.Hour))
		k := &desired{Memory: NewMemory()}
		r.cfg.Keeper = k
		r.open()
		wait(12 * time.Second)
		r.source.edit(errors.New("away"))
		wait(time.Second)
		k.mu.Lock()
		k.want = []Tick{{Schedule: "b", Due: time.Now(), ByHand: true}}
		k.mu.Unlock()
		wait(2 * askRequests) // the source is broken: nobody knows whether there is a b
		if n := len(r.wrote(ledger.Missed)); n != 0 {
			t.Errorf("%d refused", n)
		}
		r.source.mu.Lock() // and nobody tells of it
		r.source.all, r.source.err = []Schedule{every("b", time.Hour)}, nil
		r.source.mu.Unlock()
		wait(askRequests)
		added := r.source.all
		k.mu.Lock()
		k.want = []Tick{{Schedule: "c", Due: time.Now(), ByHand: true}}
		k.mu.Unlock()
		r.source.mu.Lock()
		r.source.all = append(added, every("c", time.Hour))
		r.source.mu.Unlock()
		wait(askRequests)
		r.end()
		r.sent(begin, "b@27s c@32s")
	})
}

// patient is an elector whose first leadership is won after a while.
type patient struct{ after time.Duration }

func (p patient) Campaign(ctx context.Context) (Leadership, error) {
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-time.After(p.after):
		return unchallenged{term: 1}, nil
	}
}

// mute is a keeper whose states cannot be read at first.
type mute struct {
	Keeper
	until time.Time
}

func (m *mute) States(ctx context.Context) (map[string]State, error) {
	if time.Now().Before(m.until) {
		return nil, errors.New("away")
	}
	return m.Keeper.States(ctx)
}

func TestOneThatStoodByLeadsWithWhatItHadWhenNothingCanBeRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		skip := every("skip", time.Minute)
		skip.Overlap = OverlapSkip // and there is no result store: left out
		r := set(t, every("a", time.Minute), skip)
		r.cfg.Elector = patient{10 * time.Minute}
		r.cfg.Keeper = &mute{NewMemory(), begin.Add(10*time.Minute + 10*time.Second)}
		r.open()
		wait(time.Minute)
		r.source.mu.Lock()
		r.source.err = errors.New("beat.yaml:3:1: broken")
		r.source.mu.Unlock()
		wait(11 * time.Minute)
		r.end()
		r.sent(begin, "a@11m0s a@12m0s")
	})
}

func TestWhatCannotBeReadAtTheStartIsAnError(t *testing.T) {
	skip := every("skip", time.Minute)
	skip.Overlap = OverlapSkip
	broken := newList()
	broken.err = errors.New("beat.yaml:3:1: broken")
	for want, source := range map[string]Source{"beat.yaml:3:1": broken, "overlap: skip asks": struct{ Source }{newList(skip)}} {
		err := New(Config{Broker: &desk{}, Sources: []Source{source}, Keeper: NewMemory(), Elector: patient{time.Hour}}).Run(t.Context())
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

func TestAScheduleThatWasRemovedAndAddedAgainIsAnotherOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		s := every("a", time.Minute)
		s.MaxRuns = 1
		r := set(t, s)
		k := NewMemory()
		r.cfg.Keeper = k
		r.open()
		wait(90 * time.Second) // a at 1m, and never again
		k.mu.Lock()
		delete(k.states, "a") // removed
		k.mu.Unlock()
		r.source.edit(nil, s) // and added, before anybody looked
		wait(time.Minute)
		r.end()
		r.sent(begin, "a@1m0s a@2m0s")
		states, _ := k.States(context.Background())
		if got := states["a"]; got.Runs != 1 || got.Since.Sub(begin) != 90*time.Second {
			t.Errorf("%+v", got)
		}
	})
}

func TestAScheduleThatCannotBeUsedIsSaidOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		bad := every("bad", time.Minute)
		bad.Overlap = OverlapSkip // there is no result store
		r := set(t, every("good", time.Minute), bad)
		twice := newList(every("good", time.Second))
		r.cfg.Sources = append(r.cfg.Sources, twice)
		r.open()
		for range 5 {
			r.source.edit(nil, r.source.all...)
			wait(time.Second)
		}
		wait(time.Minute)
		r.source.edit(nil, every("good", time.Minute)) // taken out, and there again
		wait(time.Second)
		r.source.edit(nil, every("good", time.Minute), bad)
		wait(time.Second)
		r.end()
		r.sent(begin, "good@1m0s")
		if n := strings.Count(r.log.String(), "cannot be used"); n != 2 {
			t.Errorf("said %d times, want once each time it comes:\n%s", n, &r.log)
		}
		if n := strings.Count(r.log.String(), errTwice.Error()); n != 1 {
			t.Errorf("the name of two sources is said %d times", n)
		}
	})
}

func TestAStateThatCannotBeReadIsWrittenAgainByWhoKnowsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		s := every("a", time.Minute)
		s.CatchUp, s.Window = CatchUpAll, time.Hour
		r := set(t, s)
		k := NewMemory()
		r.cfg.Keeper = k
		r.open()
		wait(90 * time.Second) // a at 1m
		r.desk.setFate(func(*task.Message) error { return errAway })
		wait(time.Minute) // a of 2m is owed
		k.mu.Lock()
		k.states["a"] = State{Damaged: true}
		k.mu.Unlock()
		for range 3 {
			r.source.edit(nil, s)
			wait(time.Second)
		}
		states, _ := k.States(context.Background())
		if got := states["a"]; got.Timing != s.TimingText() || !got.Since.Equal(begin) {
			t.Errorf("%+v", got)
		}
		r.desk.setFate(nil)
		wait(longPause)
		r.end()
		if n := r.counted(); n["a"] != 2 || strings.Contains(r.log.String(), "removed=1") {
			t.Errorf("sent %v, and the log says:\n%s", n, &r.log)
		}
	})
}
