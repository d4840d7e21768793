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

// States implements scheduler.Keeper. It reads everything, which is for the
// beginning of a term and after edits. What cannot be read is left out and logged
// once: a state is Damaged then, and without its claim a tick is not sent again.
func (s *Store) States(ctx context.Context) (map[string]scheduler.State, error) {
	return call(ctx, s, "read the states", func(ctx context.Context) (map[string]scheduler.State, error) {
		var states, pending *redis.MapStringStringCmd
		_, err := s.client.TxPipelined(ctx, func(p redis.Pipeliner) error {
			states, pending = p.HGetAll(ctx, statesKey), p.HGetAll(ctx, pendingKey)
			return nil
		})
		if err != nil {
			return nil, err
		}
		all, unreadable := readStates(states.Val(), pending.Val())
		s.leftOut("states", unreadable)
		return all, nil
	})
}

// readStates brings states and claims together, and says what cannot be read.
func readStates(states, pending map[string]string) (map[string]scheduler.State, []error) {
	var unreadable []error
	all := make(map[string]scheduler.State, len(states))
	for name, text := range states {
		state, err := readState(text)
		if err != nil {
			unreadable = append(unreadable, fmt.Errorf("the state of schedule %q: %w", name, err))
			state = scheduler.State{Damaged: true}
		}
		all[name] = state
	}
	ticks, claims := readTicks("claimed", pending, func(scheduler.Tick) bool { return true })
	unreadable = append(unreadable, claims...)
	for _, t := range ticks {
		state := all[t.Schedule]
		state.Pending = append(state.Pending, t)
		all[t.Schedule] = state
	}
	return all, unreadable
}

// readState reads a state as the scripts write it: no null, and moments in one
// form. They write over any other, see lua/state.lua.
func readState(text string) (scheduler.State, error) {
	var state scheduler.State
	var raw map[string]json.RawMessage
	err := json.Unmarshal([]byte(text), &state)
	if err == nil {
		err = json.Unmarshal([]byte(text), &raw)
	}
	if err == nil && raw == nil {
		err = errors.New("it is null")
	}
	if err != nil {
		return scheduler.State{}, err
	}
	for name, value := range raw {
		if string(value) == "null" {
			return scheduler.State{}, fmt.Errorf("%s is null", name)
		}
	}
	for name, t := range map[string]time.Time{"since": state.Since, "last_due": state.LastDue, "last_sent": state.LastSent} {
		if value, there := raw[name]; there && string(value) != strconv.Quote(moment(t)) {
			return scheduler.State{}, fmt.Errorf("%s is %s, want a moment such as %s", name, value, moment(time.Unix(0, 0)))
		}
	}
	if state.Runs < 0 {
		return scheduler.State{}, fmt.Errorf("runs is %d", state.Runs)
	}
	state.Pending = nil // it has a key of its own
	return state, nil
}

// readRequests reads what was asked for by hand, as readTicks does.
func readRequests(texts map[string]string) ([]scheduler.Tick, []error) {
	return readTicks("requested", texts, func(t scheduler.Tick) bool { return t.ByHand })
}

// readTicks reads a hash of ticks by their ids, oldest first, and says what cannot
// be read.
func readTicks(what string, texts map[string]string, belongs func(scheduler.Tick) bool) ([]scheduler.Tick, []error) {
	var unreadable []error
	ticks := make([]scheduler.Tick, 0, len(texts))
	for id, text := range texts {
		var t scheduler.Tick
		err := json.Unmarshal([]byte(text), &t)
		if err == nil && (t.Schedule == "" || t.ID() != id || !belongs(t)) {
			err = errors.New("its id says that it is another one")
		}
		if err != nil {
			unreadable = append(unreadable, fmt.Errorf("the %s tick %q: %w", what, id, err))
			continue
		}
		ticks = append(ticks, t)
	}
	slices.SortFunc(ticks, func(a, b scheduler.Tick) int {
		if c := a.Due.Compare(b.Due); c != 0 {
			return c
		}
		return strings.Compare(a.Schedule, b.Schedule)
	})
	return ticks, unreadable
}

// Begin implements scheduler.Keeper.
func (s *Store) Begin(ctx context.Context, term scheduler.Term, begun map[string]scheduler.Beginning) error {
	args := []any{int64(term)}
	for name, b := range begun {
		args = append(args, name, b.Timing, moment(b.Since))
	}
	return s.fenced(ctx, term, "write down new timings", beginScript, []string{termKey, statesKey, removedKey}, args)
}

// Claim implements scheduler.Keeper, with one round trip for all ticks.
func (s *Store) Claim(ctx context.Context, term scheduler.Term, ticks []scheduler.Tick) error {
	youngest := map[string]time.Time{}
	for _, t := range ticks {
		if due := youngest[t.Schedule]; !t.ByHand && t.Due.After(due) {
			youngest[t.Schedule] = t.Due
		}
	}
	args := []any{int64(term), len(youngest)}
	for name, due := range youngest {
		args = append(args, name, moment(due))
	}
	for _, t := range ticks {
		text, err := json.Marshal(t)
		if err != nil {
			return err
		}
		args = append(args, t.Schedule, t.ID(), text)
	}
	return s.fenced(ctx, term, "claim ticks", claimScript, []string{termKey, statesKey, pendingKey, removedKey}, args)
}

// Settle implements scheduler.Keeper, with one round trip for all outcomes.
func (s *Store) Settle(ctx context.Context, term scheduler.Term, outcomes []scheduler.Outcome) error {
	keys := []string{termKey, statesKey, pendingKey, requestsKey, removedKey}
	args := []any{int64(term), Kept}
	for _, o := range outcomes {
		text, err := json.Marshal(o)
		if err != nil {
			return err
		}
		due, sent := moment(o.Tick.Due), ""
		if o.Tick.ByHand {
			due = ""
		}
		if o.Kind == scheduler.Sent || o.Kind == scheduler.Unsure {
			sent = moment(o.At)
		}
		keys = append(keys, historyKey(o.Tick.Schedule))
		args = append(args, o.Tick.Schedule, o.Tick.ID(), due, sent, text)
	}
	return s.fenced(ctx, term, "settle ticks", settleScript, keys, args)
}

// Requests implements scheduler.Keeper. One that cannot be read is left out and
// logged once.
func (s *Store) Requests(ctx context.Context) ([]scheduler.Tick, error) {
	return call(ctx, s, "read what was asked for", func(ctx context.Context) ([]scheduler.Tick, error) {
		all, err := s.client.HGetAll(ctx, requestsKey).Result()
		if err != nil {
			return nil, err
		}
		ticks, unreadable := readRequests(all)
		s.leftOut("requests", unreadable)
		return ticks, nil
	})
}

// fenced runs a script that writes for a term. Its answer 0: a later term has
// begun.
func (s *Store) fenced(ctx context.Context, term scheduler.Term, what string, script *redis.Script, keys []string, args []any) error {
	stands, err := call(ctx, s, what, func(ctx context.Context) (bool, error) {
		return script.Run(ctx, s.client, keys, args...).Bool()
	})
	if err == nil && !stands {
		err = fmt.Errorf("%s for term %d in %s: %w", what, term, s.address, scheduler.ErrDeposed)
	}
	return err
}
