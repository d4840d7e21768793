package redisstore

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"acklab/scheduler"
)

// States implements scheduler.Keeper. It reads everything, which is for the
// beginning of a term. What cannot be read is left out and logged once: without
// its state a schedule begins anew, and without its claim a tick is not sent again.
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

// readStates brings states and claims together, and says what cannot be read. A
// state that is no JSON is none, as the scripts see it.
func readStates(states, pending map[string]string) (map[string]scheduler.State, []error) {
	var unreadable []error
	all := make(map[string]scheduler.State, len(states))
	for name, text := range states {
		var state scheduler.State
		if err := json.Unmarshal([]byte(text), &state); err != nil {
			unreadable = append(unreadable, fmt.Errorf("the state of schedule %q: %w", name, err))
			state = scheduler.State{}
		}
		all[name] = state
	}
	ticks, claims := readTicks("claimed", pending)
	unreadable = append(unreadable, claims...)
	for _, t := range ticks {
		state := all[t.Schedule]
		state.Pending = append(state.Pending, t)
		all[t.Schedule] = state
	}
	return all, unreadable
}

// readTicks reads a hash of ticks, oldest first, and says what cannot be read.
func readTicks(what string, texts map[string]string) ([]scheduler.Tick, []error) {
	var unreadable []error
	ticks := make([]scheduler.Tick, 0, len(texts))
	for id, text := range texts {
		var t scheduler.Tick
		if err := json.Unmarshal([]byte(text), &t); err != nil {
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
		ticks, unreadable := readTicks("requested", all)
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
