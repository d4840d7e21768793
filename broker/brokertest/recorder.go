package brokertest

import (
	"slices"
	"sync"

	"acklab/broker"
)

// recorder keeps the events of one client.
type recorder struct {
	mu     sync.Mutex
	events []broker.Event
}

func (r *recorder) observe(e broker.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, e)
}

// of returns the events of a kind, in order.
func (r *recorder) of(kind broker.EventKind) []broker.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(r.events), func(e broker.Event) bool { return e.Kind != kind })
}

// sessions returns the events of a kind that are about a consumer's session.
func (r *recorder) sessions(kind broker.EventKind) []broker.Event {
	return slices.DeleteFunc(r.of(kind), func(e broker.Event) bool { return e.Session == 0 })
}

func (r *recorder) count(kind broker.EventKind) int { return len(r.of(kind)) }
