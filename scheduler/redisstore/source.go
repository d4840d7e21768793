package redisstore

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"

	"acklab/scheduler"
)

// cache is what Load has read last.
type cache struct {
	known     bool
	revision  string
	schedules []scheduler.Schedule
}

// Load implements scheduler.Source: the schedules that are kept in the store, by
// name, without those of a file. One that cannot be read, which somebody has
// written by hand, is left out and logged once. While nothing was edited it costs
// one GET.
func (s *Store) Load(ctx context.Context) ([]scheduler.Schedule, error) {
	return call(ctx, s, "load the schedules", func(ctx context.Context) ([]scheduler.Schedule, error) {
		revision, err := s.revision(ctx)
		if err != nil {
			return nil, err
		}
		s.mu.Lock()
		last := s.loaded
		s.mu.Unlock()
		if last.known && last.revision == revision {
			return slices.Clone(last.schedules), nil
		}
		return s.read(ctx)
	})
}

// read reads all schedules, and the revision with them.
func (s *Store) read(ctx context.Context) ([]scheduler.Schedule, error) {
	var revision *redis.StringCmd
	var all *redis.MapStringStringCmd
	_, err := s.client.TxPipelined(ctx, func(p redis.Pipeliner) error {
		revision, all = p.Get(ctx, revisionKey), p.HGetAll(ctx, entriesKey)
		return nil
	})
	if err != nil && !errors.Is(err, redis.Nil) {
		return nil, err
	}
	schedules := make([]scheduler.Schedule, 0, len(all.Val()))
	var unreadable []error
	for name, text := range all.Val() {
		e, err := readEntry(name, text)
		if err != nil {
			unreadable = append(unreadable, err)
			continue
		}
		schedules = append(schedules, e.Schedule)
	}
	s.leftOut("schedules", unreadable)
	slices.SortFunc(schedules, func(a, b scheduler.Schedule) int { return strings.Compare(a.Name, b.Name) })
	s.mu.Lock()
	defer s.mu.Unlock()
	s.loaded = cache{known: true, revision: revision.Val(), schedules: schedules}
	return slices.Clone(schedules), nil
}

// revision is the number of the last edit, empty: there was none.
func (s *Store) revision(ctx context.Context) (string, error) {
	revision, err := s.client.Get(ctx, revisionKey).Result()
	if errors.Is(err, redis.Nil) {
		return "", nil
	}
	return revision, err
}
