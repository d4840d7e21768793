package scheduler

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// This file brings the schedules of the sources and the entries together.

// reload reads the sources again, and the states: those of schedules that are new
// may have been there before, and a state that is gone says that its schedule was
// removed and added again.
func (t *term) reload(ctx context.Context) error {
	if err := t.load(ctx); err != nil {
		return err
	}
	if err := t.flush(ctx); err != nil {
		return err
	}
	states, err := t.Keeper.States(ctx)
	if err != nil {
		return fmt.Errorf("read the states of the schedules: %w", err)
	}
	t.merge(ctx, states)
	return nil
}

// load reads all sources. One that cannot be read keeps what it had. The error is
// that ctx has ended.
func (t *term) load(ctx context.Context) error {
	for i, source := range t.Sources {
		had := &t.loaded[i]
		list, err := source.Load(ctx)
		switch {
		case err == nil:
			if had.broken != "" {
				t.Log.Info("the schedules can be read again", "schedules", len(list))
			}
			*had = loaded{schedules: list}
		case ctx.Err() != nil:
			return ctx.Err()
		case had.broken != err.Error():
			had.broken = err.Error()
			t.Log.Error("the schedules cannot be read; those that were read before stay in force", "err", err, "schedules", len(had.schedules))
		}
	}
	return nil
}

// errTwice: the first of the sources counts.
var errTwice = errors.New("another source has one of this name, which counts")

// merge makes, changes and ends entries so that they are what was loaded. states
// are what the keeper has.
func (t *term) merge(ctx context.Context, states map[string]State) {
	found := map[string]bool{}
	said := map[string]bool{} // what is wrong is said when it is new
	complain := func(what, name string, err error, more ...any) {
		line := fmt.Sprint(what, name, err)
		if said[line] = true; !t.said[line] {
			t.Log.Error(what, append([]any{"schedule", name, "err", err}, more...)...)
		}
	}
	defer func() { t.said = said }()
	added, changed, removed := 0, 0, 0
	for i, l := range t.loaded {
		for _, s := range l.schedules {
			if found[s.Name] {
				complain("a schedule is left out", s.Name, errTwice)
				continue
			}
			found[s.Name] = true
			old := t.entries[s.Name]
			kept := states[s.Name]
			if old != nil && old.state.Timing != "" && kept.Timing == "" {
				if kept.Damaged { // it is the same one, and what is known of it here counts
					t.begun[s.Name] = Beginning{Timing: old.state.Timing, Since: old.state.Since}
				} else { // it was removed, and this is another one
					t.leave(old)
					delete(t.entries, s.Name)
					removed++
					old = nil
				}
			}
			print, timing, err := t.usable(s)
			if err != nil {
				complain("a schedule cannot be used and stays as it was", s.Name, err, "in force", old != nil)
				continue
			}
			if old != nil && old.print == print {
				old.source = t.Sources[i]
				continue
			}
			state := kept
			if old != nil {
				state = old.state
				changed++
			} else {
				added++
			}
			e := &entry{Schedule: s, timing: timing, print: print, source: t.Sources[i], to: s.address(t.Routes), until: t.Until, place: -1}
			t.take(ctx, e, old, state)
		}
	}
	for name, e := range t.entries {
		if !found[name] {
			removed++
			t.leave(e)
			delete(t.entries, name)
		}
	}
	if added+changed+removed > 0 {
		t.Log.Info("schedules", "in force", len(t.entries), "new", added, "changed", changed, "removed", removed)
	}
}

// usable gives what tells a schedule from its other versions, and its timing, or
// says why this scheduler cannot use it.
func (c *Config) usable(s Schedule) (string, Timing, error) {
	print, err := s.MarshalJSON()
	if err != nil {
		return "", nil, err
	}
	timing, err := s.Timing()
	if err == nil && s.Overlap == OverlapSkip && c.Results == nil {
		err = wrong("overlap", "skip asks the result store, and there is none: use --result URL")
	}
	return string(print), timing, err
}

// take puts a schedule into force that is new or has changed. What was owed of it
// stays owed if its timing is the same; else only what was claimed.
func (t *term) take(ctx context.Context, e, old *entry, state State) {
	begun, fresh := e.begin(state, t.Clock.Now())
	if fresh {
		t.begun[e.Name] = begun
	}
	if old != nil {
		t.hand(old, e, fresh)
	}
	t.entries[e.Name] = e
	t.agenda.put(e)
	t.tidy(ctx, e)
}

// hand gives what an entry owes to the one that takes its place.
func (t *term) hand(old, e *entry, fresh bool) {
	t.agenda.drop(old)
	if !fresh {
		e.began, e.again = old.began, old.again
	}
	for _, o := range old.owed {
		if i := slices.IndexFunc(e.owed, func(other *owed) bool { return other.Equal(o.Tick) }); i >= 0 {
			e.owed[i] = o // it knows more
			continue
		}
		if !fresh || o.ByHand || o.claimed {
			e.owe(o)
		} else if o.planned {
			t.end(o.givenUp(t.Clock.Now(), "the schedule was changed"))
		}
	}
	e.advance()
}

// leave ends what a schedule that was removed still owes.
func (t *term) leave(e *entry) {
	e.gone = true
	t.agenda.drop(e)
	for _, o := range e.owed {
		t.end(o.givenUp(t.Clock.Now(), "the schedule was removed"))
	}
}
