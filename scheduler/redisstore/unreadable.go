package redisstore

import (
	"errors"
	"slices"
	"strings"
)

// Whatever lies in the store and cannot be read, because somebody has written it
// by hand or another version has, is left out, and all else goes on.

// complaints are what was last found to be unreadable, so that it is said once and
// not on every look. It is guarded by the mutex of the store.
type complaints map[string][]string // by what was looked at

// news are the errors that were not there at the last look at the same thing.
func (c complaints) news(what string, found []error) []error {
	before := c[what]
	var now []string
	var news []error
	for _, err := range found {
		now = append(now, err.Error())
		if !slices.Contains(before, err.Error()) {
			news = append(news, err)
		}
	}
	c[what] = now
	return news
}

// leftOut logs what a look could not read.
func (s *Store) leftOut(what string, found []error) {
	s.mu.Lock()
	news := s.said.news(what, found)
	s.mu.Unlock()
	if len(news) > 0 {
		s.opts.Log.Error("what cannot be read in the store is left out", "what", what, "err", inOrder(news))
	}
}

// inOrder joins errors that were found in the order of a map; nil for none.
func inOrder(found []error) error {
	found = slices.Clone(found)
	slices.SortFunc(found, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errors.Join(found...)
}
