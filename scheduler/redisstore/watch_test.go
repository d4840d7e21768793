package redisstore

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// board has notices in a bubble's time.
type board struct {
	mu    sync.Mutex
	edits int
	away  bool
	told  chan struct{}
}

func (b *board) numbers(context.Context) (string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.away {
		return "", errors.New("away")
	}
	return fmt.Sprint(b.edits), nil
}

func (b *board) news(context.Context) <-chan struct{} { return b.told }

// post changes the board.
func (b *board) post(edits int, away bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.edits, b.away = b.edits+edits, away
}

// follow watches a board.
func follow(t *testing.T, b *board) (changed chan struct{}, end func()) {
	t.Helper()
	b.told, changed = make(chan struct{}, 1), make(chan struct{}, 1)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		watch(ctx, b, changed)
	}()
	synctest.Wait()
	return changed, func() { cancel(); <-done }
}

// values counts what comes of a watch in some time, and tells when the last came.
func values(changed <-chan struct{}, within time.Duration) (n int, last time.Duration) {
	begin := time.Now()
	for end := time.After(within); ; {
		select {
		case <-changed:
			n, last = n+1, time.Since(begin)
		case <-end:
			synctest.Wait()
			return n, last
		}
	}
}

func TestAWatchTellsOfAnEditOnce(t *testing.T) {
	t.Parallel()
	for what, c := range map[string]struct {
		edits int
		away  bool
		heard bool
		n     int
		after time.Duration
	}{
		"nothing":                       {},
		"an edit that is heard of":      {edits: 1, heard: true, n: 1},
		"an edit whose news were lost":  {edits: 1, n: 1, after: lookEvery},
		"a subscription that was lost":  {heard: true, n: 1},
		"several edits, one heard of":   {edits: 3, heard: true, n: 1},
		"an edit before it went away":   {edits: 1, away: true},
		"news of what cannot be looked": {edits: 1, away: true, heard: true, n: 1},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := &board{}
				changed, end := follow(t, b)
				defer end()
				notify(b.told) // the subscription stands
				if n, at := values(changed, time.Minute); n != 1 || at != 0 {
					t.Fatalf("at the beginning: %d values, the last after %s; want one at once", n, at)
				}
				b.post(c.edits, c.away)
				if c.heard {
					notify(b.told)
				}
				if n, at := values(changed, 10*time.Minute); n != c.n || at != c.after {
					t.Errorf("%d values, the last after %s; want %d, %s", n, at, c.n, c.after)
				}
				if !c.away {
					return
				}
				b.post(0, false)
				if n, at := values(changed, time.Minute); n != 1 || at > lookEvery {
					t.Errorf("back again: %d values, the last after %s; want one at the next look", n, at)
				}
			})
		})
	}
}

func TestAWatchWithoutASubscriptionLooksAndTellsAtTheFirstLook(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := &board{away: true}
		changed, end := follow(t, b)
		defer end()
		if n, _ := values(changed, time.Minute); n != 0 {
			t.Errorf("%d values from one that is away", n)
		}
		b.post(0, false) // what was there before is unknown
		if n, at := values(changed, time.Minute); n != 1 || at > lookEvery {
			t.Errorf("%d values, the last after %s; want one at the next look", n, at)
		}
	})
}
