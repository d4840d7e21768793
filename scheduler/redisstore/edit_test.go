package redisstore_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
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
	if past, err := history(t, s, "a"); err != nil || len(past) != 1 {
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
	if past, err := history(t, s, "a"); err == nil && len(past) != 0 {
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

// history is how the ticks of a schedule ended; all of it can be read.
func history(t *testing.T, s *redisstore.Store, name string) ([]scheduler.Outcome, error) {
	t.Helper()
	past, unreadable, err := s.History(soon(t), name)
	return past, errors.Join(err, unreadable)
}

func TestTheHistoryHasAnEnd(t *testing.T) {
	t.Parallel()
	s := open(t, database(t), redisstore.Options{})
	l := mustLead(t, s)
	var outcomes []scheduler.Outcome
	for i := range redisstore.Kept + 50 {
		tick := scheduler.Tick{Schedule: "a", Due: time.Unix(int64(i), 0)}
		outcomes = append(outcomes, scheduler.Outcome{Tick: tick, Kind: scheduler.Skipped, N: 1, Task: tick.ID()})
	}
	must(t, s.Settle(soon(t), l.Term(), outcomes))
	past, err := history(t, s, "a")
	must(t, err)
	if len(past) != redisstore.Kept || past[0].Task != outcomes[len(outcomes)-1].Task {
		t.Errorf("%d outcomes, of which the first is %v", len(past), past[0])
	}
}

// fileSource is a file that changes.
type fileSource struct {
	scheduler.Source
	mu  sync.Mutex
	all []scheduler.Schedule
}

func (f *fileSource) Load(context.Context) ([]scheduler.Schedule, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.all), nil
}

func (f *fileSource) set(all ...scheduler.Schedule) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.all = all
}

func TestTheFilesSchedulesAreListedAndNotEdited(t *testing.T) {
	t.Parallel()
	url := database(t)
	leader, editor := open(t, url, redisstore.Options{}), open(t, url, redisstore.Options{})
	file := &fileSource{}
	file.set(hourly("f"), hourly("g"))
	shown := leader.Showing(file)
	loaded, err := shown.Load(soon(t))
	must(t, err)
	if len(loaded) != 2 {
		t.Errorf("loaded %v", loaded)
	}
	_, err = editor.Add(soon(t), hourly("a"))
	must(t, err)
	if got := listed(t, editor); !slices.Equal(got, []string{"a store"}) {
		t.Errorf("listed before anybody leads: %v", got)
	}
	l := mustLead(t, leader)
	is(t, []string{"a store", "f file", "g file"}, func() []string { return listed(t, editor) })
	for what, err := range map[string]error{
		"add":    second(editor.Add(soon(t), hourly("f"))),
		"edit":   second(editor.Edit(soon(t), "f", nil)),
		"remove": editor.Delete(soon(t), "f"),
	} {
		if !errors.Is(err, redisstore.ErrInFile) {
			t.Errorf("%s: %v; want ErrInFile", what, err)
		}
	}
	if _, err := editor.RunNow(soon(t), "f"); err != nil {
		t.Errorf("run now: %v", err)
	}
	if names := load(t, editor); len(names) != 1 {
		t.Errorf("the store's own schedules are %v", names)
	}
	file.set(hourly("g"), hourly("h"))
	_, err = shown.Load(soon(t))
	must(t, err)
	is(t, []string{"a store", "g file", "h file"}, func() []string { return listed(t, editor) })
	must(t, l.Resign(soon(t)))
	mustLead(t, editor) // which has no file
	is(t, []string{"a store"}, func() []string { return listed(t, editor) })
	_, err = shown.Load(soon(t)) // by one that no longer leads
	must(t, err)
	<-time.After(100 * time.Millisecond)
	is(t, []string{"a store"}, func() []string { return listed(t, editor) })
}

func second[A any](_ A, err error) error { return err }

// is waits until it is so.
func is[A any](t *testing.T, want A, get func() A) {
	t.Helper()
	end := soon(t)
	for {
		got := get()
		if reflect.DeepEqual(got, want) {
			return
		}
		select {
		case <-end.Done():
			t.Fatalf("%v; want %v", got, want)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func TestAStoreURLThatOpensNothingIsSaidInOneLine(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]string{
		"":                          `store URL has scheme ""`,
		"amqp://u:s3cret@host/":     `store URL has scheme "amqp"`,
		"redis://:s3cret@":          "store URL names no host",
		"redis://:s3cret@h/zero":    `store URL has a database that is no number`,
		"redis://:s3cret@h/0?x=1":   `unknown option "x"`,
		"redis://u:s3cret/x@host/0": "store URL",
	} {
		_, err := redisstore.Open(url, redisstore.Options{})
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "s3cret") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v; want %q", url, err, want)
		}
	}
	for _, lease := range []time.Duration{-1, time.Millisecond, time.Hour} {
		if _, err := redisstore.Open("redis://h", redisstore.Options{Lease: lease}); err == nil || !strings.Contains(err.Error(), fmt.Sprint("lease ", lease)) {
			t.Errorf("lease %v: %v", lease, err)
		}
	}
}

func TestAClosedStoreSaysSo(t *testing.T) {
	t.Parallel()
	s := open(t, database(t), redisstore.Options{})
	changed := s.Watch(t.Context())
	l := mustLead(t, s)
	s.Close()
	lost(t, l)
	for range changed { // it ends
	}
	if _, err := s.Load(soon(t)); err == nil {
		t.Error("loaded")
	}
	if _, err := s.Campaign(soon(t)); err == nil {
		t.Error("led")
	}
	for range s.Watch(t.Context()) {
	}
	s.Close()
}

func TestTheLastCopyOfAFileIsTheOneThatIsListed(t *testing.T) {
	t.Parallel()
	url := database(t)
	leader, editor := open(t, url, redisstore.Options{}), open(t, url, redisstore.Options{})
	mustLead(t, leader)
	file := &fileSource{}
	shown := leader.Showing(file)
	var many []scheduler.Schedule
	for i := range 5000 {
		many = append(many, hourly(fmt.Sprint(i)))
	}
	for _, all := range [][]scheduler.Schedule{many, {hourly("last")}} { // a long copy, and one that could overtake it
		file.set(all...)
		_, err := shown.Load(soon(t))
		must(t, err)
		time.Sleep(5 * time.Millisecond) // so that the long one has begun
	}
	is(t, []string{"last file"}, func() []string { return listed(t, editor) })
	for range 30 { // and stays it
		if got := listed(t, editor); !slices.Equal(got, []string{"last file"}) {
			t.Fatalf("%d are listed", len(got))
		}
		time.Sleep(10 * time.Millisecond)
	}
}
