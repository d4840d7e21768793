package metrics

import "sync"

// series looks up the children of a label's values once each. A lookup of a
// value that was seen before takes a read lock and one map access.
type series[T any] struct {
	mu      sync.RWMutex
	seen    map[string]*T
	resolve func(value string) *T
}

// get returns the children of the value, made when it is new. At most limit
// values are kept; what comes after is counted under rest.
func (s *series[T]) get(value string, limit int, rest string) *T {
	if c := s.find(value); c != nil {
		return c
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.seen == nil {
		s.seen = map[string]*T{}
	}
	if len(s.seen) >= limit && s.seen[value] == nil {
		value = rest
	}
	if s.seen[value] == nil {
		s.seen[value] = s.resolve(value)
	}
	return s.seen[value]
}

func (s *series[T]) find(value string) *T {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.seen[value]
}
