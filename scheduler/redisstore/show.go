package redisstore

import (
	"context"
	"encoding/json"
	"errors"
	"slices"

	"acklab/scheduler"
)

// Showing is a source whose schedules the store shows to those who list: while
// this process leads, what the source has loaded is copied. Nothing fires by
// these copies.
func (s *Store) Showing(from scheduler.Source) scheduler.Source { return showing{from, s} }

type showing struct {
	scheduler.Source
	store *Store
}

// Load implements scheduler.Source.
func (f showing) Load(ctx context.Context) ([]scheduler.Schedule, error) {
	schedules, err := f.Source.Load(ctx)
	if err == nil {
		f.store.show(slices.Clone(schedules))
	}
	return schedules, err
}

// show copies the file's schedules now, if this process leads, or when it does.
func (s *Store) show(schedules []scheduler.Schedule) {
	s.mu.Lock()
	s.file = schedules
	term := s.own
	s.mu.Unlock()
	if term != 0 {
		s.copyFile(term)
	}
}

// begun is called when this process begins to lead.
func (s *Store) begun(l *leadership) {
	s.mu.Lock()
	s.own = l.term
	s.mu.Unlock()
	s.copyFile(l.term)
}

// copyFile writes down what the file has, without making anybody wait: it is for
// people to see. Of several copies the last one has the last schedules. A later term
// writes nothing.
func (s *Store) copyFile(term scheduler.Term) {
	s.start(func() {
		s.copying.Lock()
		defer s.copying.Unlock()
		s.mu.Lock()
		schedules := s.file
		s.mu.Unlock()
		args := []any{int64(term)}
		for _, one := range schedules {
			text, err := json.Marshal(one)
			if err != nil {
				return // it could not have been loaded
			}
			args = append(args, one.Name, text)
		}
		err := s.fenced(s.life, term, "list the file's schedules", showScript, []string{termKey, fileKey, removedKey}, args)
		if err != nil && s.life.Err() == nil && !errors.Is(err, scheduler.ErrDeposed) {
			s.opts.Log.Warn("the file's schedules are not listed in the store", "err", err)
		}
	})
}
