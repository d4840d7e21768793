package scheduler

import (
	"context"
	"maps"
	"sync"
	"time"
)

// Memory is a Keeper that forgets everything with its process. It has neither
// history nor requests by hand.
type Memory struct {
	mu     sync.Mutex
	states map[string]State
	term   Term // the greatest that was seen
}

// NewMemory knows of no schedule.
func NewMemory() *Memory { return &Memory{states: map[string]State{}} }

// States are copies.
func (m *Memory) States(context.Context) (map[string]State, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return maps.Clone(m.states), nil
}

// Begin implements Keeper.
func (m *Memory) Begin(_ context.Context, term Term, begun map[string]Beginning) error {
	return m.change(term, func(change map[string]State) { m.begin(change, begun) }, nil)
}

// Claim implements Keeper.
func (m *Memory) Claim(_ context.Context, term Term, ticks []Tick) error {
	return m.change(term, func(change map[string]State) { m.claim(change, ticks) }, nil)
}

// Settle implements Keeper.
func (m *Memory) Settle(_ context.Context, term Term, outcomes []Outcome) error {
	return m.change(term, func(change map[string]State) { m.settle(change, outcomes) }, nil)
}

// Requests are none.
func (m *Memory) Requests(context.Context) ([]Tick, error) { return nil, nil }

// change makes new states of some schedules, and keeps them when save, if any,
// has written them down.
func (m *Memory) change(term Term, to func(map[string]State), save func(map[string]State) error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if term != 0 && term < m.term {
		return ErrDeposed
	}
	m.term = max(m.term, term)
	changed := map[string]State{}
	to(changed)
	if save != nil {
		if err := save(changed); err != nil {
			return err
		}
	}
	maps.Copy(m.states, changed)
	return nil
}

// state is that of a schedule as changed so far.
func (m *Memory) state(changed map[string]State, name string) State {
	if s, ok := changed[name]; ok {
		return s
	}
	return m.states[name]
}

func (m *Memory) begin(changed map[string]State, begun map[string]Beginning) {
	for name, b := range begun {
		s := m.state(changed, name)
		s.Timing, s.Since = b.Timing, b.Since
		changed[name] = s
	}
}

func (m *Memory) claim(changed map[string]State, ticks []Tick) {
	for _, t := range ticks {
		changed[t.Schedule] = m.state(changed, t.Schedule).Claim(t)
	}
}

func (m *Memory) settle(changed map[string]State, outcomes []Outcome) {
	for _, o := range outcomes {
		changed[o.Tick.Schedule], _ = m.state(changed, o.Tick.Schedule).Settle(o)
	}
}

// Alone is an Elector that always leads, in term 1, without asking anybody.
type Alone struct{}

// Campaign is won at once.
func (Alone) Campaign(context.Context) (Leadership, error) { return unchallenged{term: 1}, nil }

// Unasked is an Elector that leads beside all others: every write of term 0 is
// taken. It is for the experiment that shows what the lock is for.
type Unasked struct{}

// Campaign is won at once.
func (Unasked) Campaign(context.Context) (Leadership, error) { return unchallenged{}, nil }

type unchallenged struct{ term Term }

func (u unchallenged) Term() Term                 { return u.term }
func (unchallenged) Deadline() time.Time          { return time.Time{} }
func (unchallenged) Lost() <-chan struct{}        { return nil }
func (unchallenged) Resign(context.Context) error { return nil }
