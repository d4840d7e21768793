package redisstore

import (
	"context"
	"fmt"
	"time"
)

// lookEvery is how often Watch looks for the edits and requests whose news were
// lost.
const lookEvery = 3 * time.Second

// notices is where edits and requests are made known.
type notices interface {
	// numbers is a text that changes with each edit and each request.
	numbers(ctx context.Context) (string, error)
	// news gives a value when there was an edit or a request, or may have been while
	// nobody heard, until ctx ends.
	news(ctx context.Context) <-chan struct{}
}

// redisNotices are those of the store's Redis.
type redisNotices struct{ *Store }

func (n redisNotices) numbers(ctx context.Context) (string, error) {
	return call(ctx, n.Store, "look for edits", func(ctx context.Context) (string, error) {
		both, err := n.client.MGet(ctx, revisionKey, askedKey).Result()
		return fmt.Sprint(both...), err
	})
}

func (n redisNotices) news(ctx context.Context) <-chan struct{} { return n.hear(ctx, editedChannel) }

// Watch implements scheduler.Source. Each edit and each request is published, and
// their numbers are looked at every few seconds, because news can be lost.
func (s *Store) Watch(ctx context.Context) <-chan struct{} {
	changed := make(chan struct{}, 1)
	watching := s.start(func() {
		defer close(changed)
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		defer context.AfterFunc(s.life, cancel)()
		watch(ctx, redisNotices{s}, changed)
	})
	if !watching {
		close(changed)
	}
	return changed
}

// watch tells of edits and requests until ctx ends. It looks at the numbers before it
// tells, so what it has told is not news again at the next look.
func watch(ctx context.Context, on notices, changed chan<- struct{}) {
	news := on.news(ctx)
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	last, known := "", false
	for {
		heard := false
		select {
		case <-ctx.Done():
			return
		case <-news:
			heard = true
		case <-look.C:
		}
		numbers, err := on.numbers(ctx) // on an error the next look is soon, and whoever loads says why
		if heard || err == nil && (!known || numbers != last) {
			notify(changed)
		}
		if err == nil {
			last, known = numbers, true
		}
	}
}
