package redisstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"acklab/scheduler"
)

// lookEvery is how often Watch looks for the edits and requests whose news were
// lost.
const lookEvery = 3 * time.Second

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

// numbers go up with each edit and each request.
func (s *Store) numbers(ctx context.Context) (string, error) {
	both, err := s.client.MGet(ctx, revisionKey, askedKey).Result()
	return fmt.Sprint(both...), err
}

// Watch implements scheduler.Source. Each edit and each request is published, and
// their numbers are looked at every few seconds, because news can be lost.
func (s *Store) Watch(ctx context.Context) <-chan struct{} {
	changed := make(chan struct{}, 1)
	heard := s.hear(ctx, editedChannel)
	watching := s.start(func() {
		defer close(changed)
		look := time.NewTicker(lookEvery)
		defer look.Stop()
		last, known := "", false // the first look says that something may have changed
		for {
			select {
			case <-ctx.Done():
				return
			case <-s.life.Done():
				return
			case <-heard:
				notify(changed)
			case <-look.C:
				numbers, err := call(ctx, s, "look for edits", s.numbers)
				if err != nil {
					continue // the next look is soon, and whoever loads says why
				}
				if !known || numbers != last {
					notify(changed)
				}
				last, known = numbers, true
			}
		}
	})
	if !watching {
		close(changed)
	}
	return changed
}
