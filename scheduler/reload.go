package scheduler

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// This file brings the schedules of the sources and the entries together.

// reading is what came of reading the sources and the states.
type reading struct {
	loaded []loaded
	states map[string]State
	err    error
}

// read reads the sources again beside the loop, which goes on with what it has; and the
// states after them: those of schedules that are new may have been there before, and a
// state that is gone says that its schedule was removed and added again. The keeper has
// been told everything before.
func (t *term) read(ctx context.Context) {
	back, had := make(chan reading, 1), slices.Clone(t.loaded)
	t.reading, t.tidied, t.changed = back, map[string]bool{}, false
	go func() {
		var r reading
		if r.loaded, r.err = t.load(ctx, had); r.err == nil {
			if r.states, r.err = t.Keeper.States(ctx); r.err != nil {
				r.err = fmt.Errorf("read the states of the schedules: %w", r.err)
			}
		}
		back <- r
	}()
}

// renew puts into force what was read, and tells whether anything was.
func (t *term) renew(ctx context.Context) (bool, error) {
	r := t.fresh
	if r == nil {
		return false, nil
	}
	t.fresh = nil
	if r.err != nil {
		t.changed = true
		return false, r.err
	}
	copy(t.loaded, r.loaded)
	t.merge(ctx, r.states)
	t.asked = time.Time{} // somebody may have asked for what is new
	return true, nil
}

// load reads all sources, and returns what they have. One that cannot be read keeps what
// it had. The error is that ctx has ended.
func (c *Config) load(ctx context.Context, all []loaded) ([]loaded, error) {
	for i, source := range c.Sources {
		had := &all[i]
		list, err := source.Load(ctx)
		switch {
		case err == nil:
			if had.broken != "" {
				c.Log.Info("the schedules can be read again", "schedules", len(list))
			}
			*had = loaded{schedules: c.versions(list)}
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case had.broken != err.Error():
			had.broken = err.Error()
			c.Log.Error("the schedules cannot be read; those that were read before stay in force", "err", err, "schedules", len(had.schedules))
		}
	}
	return all, nil
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
			if old != nil && old.state.Timing != "" && kept.Timing == "" && !t.tidied[s.Name] {
				if kept.Damaged { // it is the same one, and what is known of it here counts
					t.begun[s.Name] = Beginning{Timing: old.state.Timing, Since: old.state.Since}
				} else { // it was removed, and this is another one
					t.leave(old)
					delete(t.entries, s.Name)
					removed++
					old = nil
				}
			}
			if s.wrong != nil {
				complain("a schedule cannot be used and stays as it was", s.Name, s.wrong, "in force", old != nil)
				continue
			}
			if old != nil && old.text == s.text {
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
			e := &entry{version: s, source: t.Sources[i], to: s.address(t.Routes), until: t.Until, place: -1}
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

// version is a schedule as it was read, ready to be used.
type version struct {
	Schedule
	timing Timing
	text   string // tells versions of a schedule apart
	wrong  error  // why this scheduler cannot use it
}

// versions makes schedules ready to be used. Of thousands that takes a while.
func (c *Config) versions(list []Schedule) []version {
	all := make([]version, len(list))
	for i, s := range list {
		v := version{Schedule: s}
		var text []byte
		if text, v.wrong = s.MarshalJSON(); v.wrong == nil {
			v.timing, v.wrong = s.Timing()
		}
		if v.wrong == nil && s.Overlap == OverlapSkip && c.Results == nil {
			v.wrong = wrong("overlap", "skip asks the result store, and there is none: use --result URL")
		}
		v.text = string(text)
		all[i] = v
	}
	return all
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
