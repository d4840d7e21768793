package scheduler

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// slow is a source that gives what it has a while after it was asked.
type slow struct {
	*list
	takes time.Duration // guarded by list.mu
}

func (s *slow) Load(ctx context.Context) ([]Schedule, error) {
	all, err := s.list.Load(ctx)
	s.mu.Lock()
	takes := s.takes
	s.mu.Unlock()
	select {
	case <-time.After(takes):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return all, err
}

// slowly has the source of a room that is open take its time.
func (r *room) slowly(s *slow) {
	r.source.mu.Lock()
	defer r.source.mu.Unlock()
	s.takes = 5 * time.Second
}

func TestWhatIsDueIsSentWhileSchedulesAreRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		a, b := every("a", time.Second), every("b", time.Hour)
		r := set(t, a)
		source, k := &slow{list: r.source}, &desired{Memory: NewMemory()}
		r.cfg.Sources, r.cfg.Keeper = []Source{source}, k
		r.open()
		r.slowly(source)
		wait(2500 * time.Millisecond)
		a.Queue = "first"
		r.source.edit(nil, a, b) // read until 7.5 s
		wait(2 * time.Second)
		a.Queue = "second"
		r.source.edit(nil, a, b) // read from then until 12.5 s
		k.mu.Lock()
		k.want = []Tick{{Schedule: "b", Due: time.Now(), ByHand: true}, {Schedule: "nobody", Due: time.Now(), ByHand: true}}
		k.mu.Unlock()
		wait(11 * time.Second)
		r.end()
		want := "a@1s a@2s a@3s a@4s a@5s a@6s a@7s b@7.5s a@8s a@9s a@10s a@11s a@12s a@13s a@14s a@15s"
		r.sent(begin, want)
		for _, s := range r.desk.taken() {
			queue, at := DefaultQueue, s.at.Sub(begin)
			switch {
			case s.Name == "b":
			case at > 12500*time.Millisecond:
				queue = "second"
			case at > 7500*time.Millisecond:
				queue = "first"
			}
			if s.Queue != queue {
				t.Errorf("%s at %s goes to %s, want %s", s.Name, at, s.Queue, queue)
			}
		}
		if len(k.want) != 0 {
			t.Errorf("still wanted: %v", k.want)
		}
	})
}

func TestATermThatEndsDoesNotWaitForWhatIsRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := set(t, every("a", time.Minute))
		source := &slow{list: r.source}
		r.cfg.Sources = []Source{source}
		r.open()
		r.slowly(source)
		r.source.edit(nil)
		wait(time.Second)
		before := time.Now()
		r.end()
		if took := time.Since(before); took != 0 {
			t.Errorf("it ended after %s", took)
		}
	})
}

// forgetful is a keeper that has no state of what was removed.
type forgetful struct {
	*Memory
	source *list
}

func (f *forgetful) States(ctx context.Context) (map[string]State, error) {
	states, err := f.Memory.States(ctx)
	f.source.mu.Lock()
	defer f.source.mu.Unlock()
	for _, name := range f.source.removed {
		delete(states, name)
	}
	return states, err
}

func TestAOneOffThatEndsWhileItIsReadIsNotSentAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		once := every("once", 0)
		once.At = begin.Add(10 * time.Second)
		r := set(t, once)
		source := &slow{list: r.source}
		r.cfg.Sources, r.cfg.Keeper = []Source{source}, &forgetful{NewMemory(), r.source}
		r.open()
		r.slowly(source)
		wait(8 * time.Second)
		r.source.edit(nil, once, every("other", time.Minute)) // read until 13 s
		wait(60 * time.Second)
		r.end()
		r.sent(begin, "once@10s other@1m0s")
		if fmt.Sprint(source.removed) != "[once]" {
			t.Errorf("removed: %v", source.removed)
		}
	})
}

// What was added after a reading had begun is not in it, and news of it can be lost.
func TestATickByHandOfWhatWasAddedDuringAReadingIsNotRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		a := every("a", time.Hour)
		r := set(t, a)
		source, k := &slow{list: r.source}, &desired{Memory: NewMemory()}
		r.cfg.Sources, r.cfg.Keeper = []Source{source}, k
		r.open()
		r.slowly(source)
		wait(2500 * time.Millisecond)
		r.source.edit(nil, a) // read until 7.5 s
		wait(2 * time.Second)
		r.source.mu.Lock()
		r.source.all = append(r.source.all, every("late", time.Hour)) // nobody tells
		r.source.mu.Unlock()
		k.mu.Lock()
		k.want = []Tick{{Schedule: "late", Due: time.Now(), ByHand: true}, {Schedule: "nobody", Due: time.Now(), ByHand: true}}
		k.mu.Unlock()
		wait(20 * time.Second)
		r.end()
		r.sent(begin, "late@12.5s")
		if len(k.want) != 0 {
			t.Errorf("still wanted: %v", k.want)
		}
	})
}
