package redisstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"acklab/scheduler"
)

// What can be wrong with an edit.
var (
	ErrExists  = errors.New("there is one of this name")
	ErrAbsent  = errors.New("there is none of this name")
	ErrChanged = errors.New("somebody else has changed it meanwhile")
	ErrInFile  = errors.New("it belongs to the scheduler's file: edit it there")
)

// refusals are the words of the scripts for them.
var refusals = map[string]error{"exists": ErrExists, "absent": ErrAbsent, "changed": ErrChanged, "file": ErrInFile}

// historyStays is how long the history of a schedule that was removed is kept.
const historyStays = 7 * 24 * time.Hour

// tries is how often Edit begins again when somebody else was faster.
const tries = 10

// List is what is scheduled, the file's schedules included, by name. What cannot
// be read is left out, and unreadable says what and why; nil: nothing.
func (s *Store) List(ctx context.Context) (all []Entry, unreadable, err error) {
	l, err := call(ctx, s, "list the schedules", func(ctx context.Context) (listing, error) {
		var entries, file, states, pending, requests *redis.MapStringStringCmd
		_, err := s.client.TxPipelined(ctx, func(p redis.Pipeliner) error {
			entries, file = p.HGetAll(ctx, entriesKey), p.HGetAll(ctx, fileKey)
			states, pending = p.HGetAll(ctx, statesKey), p.HGetAll(ctx, pendingKey)
			requests = p.HGetAll(ctx, requestsKey)
			return nil
		})
		if err != nil {
			return listing{}, err
		}
		remembered, left := readStates(states.Val(), pending.Val())
		_, asked := readRequests(requests.Val())
		left = append(left, asked...)
		var all []Entry
		for name, text := range entries.Val() {
			e, err := readEntry(name, text)
			if err != nil {
				left = append(left, err)
				continue
			}
			all = append(all, e)
		}
		for name, text := range file.Val() {
			one, err := readSchedule(name, text)
			if err != nil {
				left = append(left, fmt.Errorf("the copy of the file's %w", err))
				continue
			}
			all = append(all, Entry{Schedule: one, Origin: InFile})
		}
		for i := range all {
			all[i].State = remembered[all[i].Schedule.Name]
		}
		slices.SortStableFunc(all, func(a, b Entry) int { return strings.Compare(a.Schedule.Name, b.Schedule.Name) })
		return listing{all, inOrder(left)}, nil
	})
	return l.entries, l.unreadable, err
}

// listing is what List has read, and why some of it is missing.
type listing struct {
	entries    []Entry
	unreadable error
}

// Get is one schedule that can be edited, without its state. ErrAbsent,
// ErrInFile.
func (s *Store) Get(ctx context.Context, name string) (Entry, error) {
	return call(ctx, s, fmt.Sprintf("read schedule %q", name), func(ctx context.Context) (Entry, error) {
		text, err := s.client.HGet(ctx, entriesKey, name).Result()
		if !errors.Is(err, redis.Nil) {
			if err != nil {
				return Entry{}, err
			}
			return readEntry(name, text)
		}
		inFile, err := s.client.HExists(ctx, fileKey, name).Result()
		switch {
		case err != nil:
			return Entry{}, err
		case inFile:
			return Entry{}, ErrInFile
		}
		return Entry{}, ErrAbsent
	})
}

// Add writes a new schedule. ErrExists, ErrInFile; what Check says.
func (s *Store) Add(ctx context.Context, one scheduler.Schedule) (Revision, error) {
	return s.put(ctx, fmt.Sprintf("add schedule %q", one.Name), one, "")
}

// Replace writes a schedule in the place of the one that an edit wrote.
// ErrChanged: there was another edit since, and this one changed nothing;
// ErrAbsent: it was removed.
func (s *Store) Replace(ctx context.Context, one scheduler.Schedule, of Revision) (Revision, error) {
	return s.put(ctx, fmt.Sprintf("edit schedule %q", one.Name), one, of.String())
}

// Edit changes a schedule. change is called with it as it is now, without its
// state, and again if somebody else was faster, so that neither undoes what the
// other did. It may not change the name.
func (s *Store) Edit(ctx context.Context, name string, change func(*Entry) error) (Revision, error) {
	for try := 1; ; try++ {
		e, err := s.Get(ctx, name)
		if err != nil {
			return 0, err
		}
		if err := change(&e); err != nil {
			return 0, err
		}
		if e.Schedule.Name != name {
			return 0, fmt.Errorf("edit schedule %q: its name stays: add another and remove this one", name)
		}
		revision, err := s.Replace(ctx, e.Schedule, e.Revision)
		if try == tries || !errors.Is(err, ErrChanged) {
			return revision, err
		}
	}
}

func (s *Store) put(ctx context.Context, what string, one scheduler.Schedule, replaces string) (Revision, error) {
	if err := one.Check(); err != nil {
		return 0, fmt.Errorf("%s: %w", what, err)
	}
	text, err := json.Marshal(one)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", what, err)
	}
	return s.edited(ctx, what, putScript,
		[]string{entriesKey, fileKey, revisionKey, editedChannel, statesKey, historyKey(one.Name), removedKey}, one.Name, replaces, text)
}

// Remove implements scheduler.Remover.
func (s *Store) Remove(ctx context.Context, one scheduler.Schedule) error {
	e, err := s.Get(ctx, one.Name)
	if err == nil && same(e.Schedule, one) {
		err = s.remove(ctx, one.Name, e.Revision.String())
	}
	if errors.Is(err, ErrChanged) || errors.Is(err, ErrAbsent) || errors.Is(err, ErrInFile) {
		return nil // not the one that is meant
	}
	return err
}

// Delete takes a schedule out, whatever it is by now, with its state and its
// claims; the history stays for a week. ErrAbsent, ErrInFile.
func (s *Store) Delete(ctx context.Context, name string) error { return s.remove(ctx, name, "") }

func (s *Store) remove(ctx context.Context, name, revision string) error {
	_, err := s.edited(ctx, fmt.Sprintf("remove schedule %q", name), removeScript,
		[]string{entriesKey, fileKey, revisionKey, editedChannel, statesKey, historyKey(name), pendingKey, requestsKey, removedKey},
		name, revision, historyStays.Milliseconds())
	return err
}

// RunNow asks for a tick by hand, of a schedule of the store or of the file. The
// leader sends it; without one it waits. ErrAbsent; why it cannot be read, for then
// no leader has it.
func (s *Store) RunNow(ctx context.Context, name string) (scheduler.Tick, error) {
	tick := scheduler.Tick{Schedule: name, Due: time.Now().UTC(), ByHand: true}
	what := fmt.Sprintf("run schedule %q now", name)
	if err := s.readable(ctx, what, name); err != nil {
		return tick, err
	}
	text, err := json.Marshal(tick)
	if err != nil {
		return tick, err
	}
	_, err = s.edited(ctx, what, requestScript,
		[]string{entriesKey, fileKey, askedKey, editedChannel, requestsKey}, name, tick.ID(), text)
	return tick, err
}

// readable says why leaders leave a schedule of the store out. The file's counts
// before it, and is not read from the store.
func (s *Store) readable(ctx context.Context, what, name string) error {
	_, err := call(ctx, s, what, func(ctx context.Context) (Entry, error) {
		var text *redis.StringCmd
		var inFile *redis.BoolCmd
		_, err := s.client.TxPipelined(ctx, func(p redis.Pipeliner) error {
			text, inFile = p.HGet(ctx, entriesKey, name), p.HExists(ctx, fileKey, name)
			return nil
		})
		switch {
		case errors.Is(text.Err(), redis.Nil):
			return Entry{}, nil // the script knows more
		case err != nil:
			return Entry{}, err
		case inFile.Val():
			return Entry{}, nil
		}
		return readEntry(name, text.Val())
	})
	return err
}

// edited runs a script that edits, and says which revision that is.
func (s *Store) edited(ctx context.Context, what string, script *redis.Script, keys []string, args ...any) (Revision, error) {
	return call(ctx, s, what, func(ctx context.Context) (Revision, error) {
		reply, err := script.Run(ctx, s.client, keys, args...).StringSlice()
		switch {
		case err != nil:
			return 0, err
		case len(reply) == 2 && refusals[reply[1]] != nil:
			return 0, refusals[reply[1]]
		case len(reply) != 1:
			return 0, fmt.Errorf("the script answers %q", reply)
		}
		revision, err := strconv.ParseInt(reply[0], 10, 64)
		return Revision(revision), err
	})
}

// History is how the last ticks of a schedule ended, youngest first, at most
// Kept. A schedule that was never there has none. What cannot be read is left out,
// and unreadable says what and why; nil: nothing.
func (s *Store) History(ctx context.Context, name string) (past []scheduler.Outcome, unreadable, err error) {
	h, err := call(ctx, s, fmt.Sprintf("read the history of schedule %q", name), func(ctx context.Context) (history, error) {
		lines, err := s.client.LRange(ctx, historyKey(name), 0, -1).Result()
		if err != nil {
			return history{}, err
		}
		past, left := make([]scheduler.Outcome, 0, len(lines)), []error(nil)
		for i, line := range lines {
			var o scheduler.Outcome
			err := json.Unmarshal([]byte(line), &o)
			if err == nil && o.Tick.Schedule != name {
				err = fmt.Errorf("its schedule is %q", o.Tick.Schedule)
			}
			if err != nil {
				left = append(left, fmt.Errorf("outcome %d of schedule %q: %w", i+1, name, err))
				continue
			}
			past = append(past, o)
		}
		return history{past, errors.Join(left...)}, nil
	})
	return h.outcomes, h.unreadable, err
}

// history is what History has read, and why some of it is missing.
type history struct {
	outcomes   []scheduler.Outcome
	unreadable error
}

// same tells whether two schedules are written alike.
func same(a, b scheduler.Schedule) bool {
	one, err := json.Marshal(a)
	other, err2 := json.Marshal(b)
	return err == nil && err2 == nil && string(one) == string(other)
}

// String is the revision's number.
func (r Revision) String() string { return strconv.FormatInt(int64(r), 10) }
