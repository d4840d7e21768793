// Package memoryresult is a result.Store inside the process: for tests, for the
// system "memory", and as the plainest reading of the contract. What it holds
// ends with the process.
package memoryresult

import (
	"maps"
	"slices"
	"sync"
	"time"

	"acklab/result"
)

// sweep is how many of its entries a server looks at, at each Store or Join, to
// drop those that have expired.
const sweep = 8

// Server holds results for the clients that Open makes. It is safe for
// concurrent use.
type Server struct {
	mu      sync.Mutex
	held    map[string]entry
	chords  map[string]*chord
	clients map[*Store]struct{}
}

// entry is a result as it stands in the store: text, so that nobody shares memory
// with it.
type entry struct {
	standing result.Standing
	text     string
	expires  time.Time // zero: never
}

func (e entry) gone(now time.Time) bool { return !e.expires.IsZero() && !now.Before(e.expires) }

// NewServer makes an empty one.
func NewServer() *Server {
	return &Server{held: map[string]entry{}, chords: map[string]*chord{}, clients: map[*Store]struct{}{}}
}

// put stores one state if it may replace what is there.
func (s *Server) put(id string, e entry) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if old, ok := s.held[id]; ok && !old.gone(now) {
		if old.text == e.text {
			return nil
		}
		if err := e.standing.Over(old.standing); err != nil {
			return err
		}
	}
	s.held[id] = e
	sweepSome(s.held, now)
	for c := range s.clients {
		c.waiters.Wake(id)
	}
	return nil
}

// sweepSome drops what has expired of a few.
func sweepSome[E interface{ gone(time.Time) bool }](held map[string]E, now time.Time) {
	left := sweep
	for id, old := range held { // in random order, so all have their turn
		if old.gone(now) {
			delete(held, id)
		}
		if left--; left == 0 {
			return
		}
	}
}

// get is the text of a task's result, empty if there is none.
func (s *Server) get(id string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, ok := s.held[id]
	if !ok {
		return ""
	}
	if e.gone(time.Now()) {
		delete(s.held, id)
		return ""
	}
	return e.text
}

func (s *Server) forget(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.held, id)
}

// Held are the ids of the tasks of which something is held, expired ones that
// were not yet dropped included, in order.
func (s *Server) Held() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.held))
}

// PutRaw puts a text in the place of a task's result, as a program that is not
// ours might: it stands lowest.
func (s *Server) PutRaw(id, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held[id] = entry{text: text}
}
