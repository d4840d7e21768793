package redisstore_test

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"acklab/scheduler"
	"acklab/scheduler/redisstore"
)

func hourly(name string) scheduler.Schedule {
	return scheduler.Schedule{Name: name, Task: "noop", Queue: "celery", Every: time.Hour, Enabled: true,
		CatchUp: scheduler.CatchUpOnce, Overlap: scheduler.OverlapAllow}
}

func load(t *testing.T, s *redisstore.Store) []scheduler.Schedule {
	t.Helper()
	all, err := s.Load(soon(t))
	must(t, err)
	return all
}

// listed are name and origin of all, as List gives them.
func listed(t *testing.T, s *redisstore.Store) []string {
	t.Helper()
	all, unreadable, err := s.List(soon(t))
	must(t, errors.Join(err, unreadable))
	var names []string
	for _, e := range all {
		names = append(names, e.Schedule.Name+" "+string(e.Origin))
	}
	return names
}

func TestEditorsDoNotUndoEachOther(t *testing.T) {
	t.Parallel()
	url := database(t)
	_, err := open(t, url, redisstore.Options{}).Add(soon(t), hourly("a"))
	must(t, err)
	var all sync.WaitGroup
	const editors = 5 // fewer than the tries of an edit
	for i := range editors {
		s := open(t, url, redisstore.Options{})
		all.Go(func() {
			if _, err := s.Edit(soon(t), "a", func(e *redisstore.Entry) error {
				e.Schedule.MaxRuns++
				e.Schedule.Priority = i
				return nil
			}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if got := load(t, open(t, url, redisstore.Options{}))[0].MaxRuns; got != editors {
		t.Errorf("%d edits are left of %d", got, editors)
	}
}

func TestAnEditOfAnOldRevisionChangesNothing(t *testing.T) {
	t.Parallel()
	s := open(t, database(t), redisstore.Options{})
	first, err := s.Add(soon(t), hourly("a"))
	must(t, err)
	edited := hourly("a")
	edited.MaxRuns = 3
	second, err := s.Replace(soon(t), edited, first)
	must(t, err)
	if second <= first {
		t.Errorf("revision %d after %d", second, first)
	}
	if _, err := s.Replace(soon(t), hourly("a"), first); !errors.Is(err, redisstore.ErrChanged) {
		t.Errorf("%v; want ErrChanged", err)
	}
	// Removed and added again it is another one.
	must(t, s.Delete(soon(t), "a"))
	if _, err := s.Replace(soon(t), hourly("a"), second); !errors.Is(err, redisstore.ErrAbsent) {
		t.Errorf("%v; want ErrAbsent", err)
	}
	_, err = s.Add(soon(t), edited)
	must(t, err)
	if _, err := s.Replace(soon(t), hourly("a"), second); !errors.Is(err, redisstore.ErrChanged) {
		t.Errorf("%v; want ErrChanged", err)
	}
	if got := load(t, s)[0].MaxRuns; got != 3 {
		t.Errorf("max runs %d; want 3", got)
	}
}

func TestWhatCannotBeEditedIsSaid(t *testing.T) {
	t.Parallel()
	s := open(t, database(t), redisstore.Options{})
	_, err := s.Add(soon(t), hourly("a"))
	must(t, err)
	broken := hourly("b")
	broken.Every = 0
	for what, one := range map[string]struct {
		do   func() error
		want any // an error, or a word of it
	}{
		"add twice":    {func() error { _, err := s.Add(soon(t), hourly("a")); return err }, redisstore.ErrExists},
		"add nonsense": {func() error { _, err := s.Add(soon(t), broken); return err }, "every"},
		"edit none":    {func() error { _, err := s.Edit(soon(t), "b", nil); return err }, redisstore.ErrAbsent},
		"remove none":  {func() error { return s.Delete(soon(t), "b") }, redisstore.ErrAbsent},
		"run none":     {func() error { _, err := s.RunNow(soon(t), "b"); return err }, redisstore.ErrAbsent},
		"edit the name": {func() error {
			_, err := s.Edit(soon(t), "a", func(e *redisstore.Entry) error { e.Schedule.Name = "b"; return nil })
			return err
		}, "its name stays"},
		"edit nonsense": {func() error {
			_, err := s.Edit(soon(t), "a", func(e *redisstore.Entry) error { e.Schedule.Cron = "x"; return nil })
			return err
		}, "only one"},
	} {
		err := one.do()
		sentinel, _ := one.want.(error)
		word, _ := one.want.(string)
		if err == nil || sentinel != nil && !errors.Is(err, sentinel) || !strings.Contains(err.Error(), word) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v; want %v", what, err, one.want)
		}
	}
}

func TestRemovingTakesTheStateAndLeavesTheHistoryForAWhile(t *testing.T) {
	t.Parallel()
	s := open(t, database(t), redisstore.Options{})
	_, err := s.Add(soon(t), hourly("a"))
	must(t, err)
	_, err = s.Add(soon(t), hourly("b"))
	must(t, err)
	_, err = s.RunNow(soon(t), "a")
	must(t, err)
	kept, err := s.RunNow(soon(t), "b")
	must(t, err)
	l := mustLead(t, s)
	ticks := []scheduler.Tick{{Schedule: "a", Due: time.Unix(1, 0)}, {Schedule: "a", Due: time.Unix(2, 0)}, {Schedule: "b", Due: time.Unix(2, 0)}}
	must(t, s.Claim(soon(t), l.Term(), ticks))
	must(t, s.Settle(soon(t), l.Term(), []scheduler.Outcome{{Tick: ticks[0], Kind: scheduler.Sent, N: 1, Task: ticks[0].ID()}}))
	must(t, s.Delete(soon(t), "a"))
	states := mustStates(t, s)
	if _, is := states["a"]; is || len(states) != 1 || len(states["b"].Pending) != 1 {
		t.Errorf("states %v", states)
	}
	if requests, err := s.Requests(soon(t)); err != nil || len(requests) != 1 || requests[0].ID() != kept.ID() {
		t.Errorf("requests %v, %v", requests, err)
	}
	if past, err := s.History(soon(t), "a"); err != nil || len(past) != 1 {
		t.Errorf("history %v, %v", past, err)
	}
}

func TestWhatComesAfterARemovalLeavesNothing(t *testing.T) {
	t.Parallel()
	s := open(t, database(t), redisstore.Options{})
	_, err := s.Add(soon(t), hourly("a"))
	must(t, err)
	l := mustLead(t, s)
	must(t, s.Delete(soon(t), "a"))
	tick := scheduler.Tick{Schedule: "a", Due: time.Unix(2, 0)}
	sent := []scheduler.Outcome{{Tick: tick, Kind: scheduler.Sent, At: tick.Due, N: 1, Task: tick.ID()}}
	must(t, s.Claim(soon(t), l.Term(), []scheduler.Tick{tick}))
	must(t, s.Settle(soon(t), l.Term(), sent))
	if states := mustStates(t, s); len(states) != 0 {
		t.Errorf("states %v", states)
	}
	if past, err := s.History(soon(t), "a"); err == nil && len(past) != 0 {
		t.Errorf("history %v", past)
	}
	_, err = s.Add(soon(t), hourly("a"))
	must(t, err)
	must(t, s.Claim(soon(t), l.Term(), []scheduler.Tick{tick}))
	must(t, s.Settle(soon(t), l.Term(), sent))
	if states := mustStates(t, s); states["a"].Runs != 1 {
		t.Errorf("the new one's states %v", states)
	}
}
