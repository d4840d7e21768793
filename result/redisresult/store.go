// Package redisresult is a result.Store on Redis that is Celery's Redis backend
// to its peers: the same keys, channels and JSON, so that a Python process can
// fetch with AsyncResult what a worker of ours has stored, and the other way
// round.
//
//	Store ─▶ a script: compare, SETEX, PUBLISH
//	Get   ─▶ GET
//	Wait  ─▶ GET, SUBSCRIBE celery-task-meta-<id>, GET, and again when woken
//
// What differs from Celery on purpose: Celery reads the old state and writes the
// new one in two steps, so two workers can both see no SUCCESS; here a script
// compares and writes as one act. Celery protects SUCCESS only.
package redisresult

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"acklab/broker/redisclient"
	"acklab/result"
)

// infoLimit bounds the question about the server's version.
const infoLimit = 2 * time.Second

// Store is a client of one Redis. It is safe for concurrent use. A call ends with
// its context's deadline, or, without one, when the context is cancelled; of both
// the deadline counts, but for Wait, which ends with either.
type Store struct {
	address address
	opts    result.Options
	client  *redis.Client

	waiters result.Waiters
	news    *news

	life  context.Context // ends with Close
	die   context.CancelFunc
	once  sync.Once
	ended chan struct{}

	about redisclient.About
}

var _ result.Store = (*Store)(nil)

// Open reads the URL and makes a client. It does not connect: the first call
// does, and says so when it cannot.
//
//	redis://[user:password@]host[:port][/db][?expires=24h]      rediss:// for TLS
//
// expires is how long a result is kept, 0 for ever. No error holds the password.
func Open(_ context.Context, rawURL string, opts result.Options) (*Store, error) {
	a, err := parseURL(rawURL, opts)
	if err != nil {
		return nil, err
	}
	redisclient.LogTo(opts.Log)
	life, die := context.WithCancel(context.Background())
	s := &Store{address: a, opts: opts, client: a.client(life), life: life, die: die, ended: make(chan struct{})}
	s.news = newNews(s)
	s.waiters.First, s.waiters.Last = s.news.follow, s.news.unfollow
	return s, nil
}

// Store implements result.Store.
func (s *Store) Store(ctx context.Context, r result.Result) error {
	text, err := result.Marshal(r)
	if err == nil {
		_, err = call(ctx, s, func(ctx context.Context) (struct{}, error) { return struct{}{}, s.put(ctx, r, text) })
	}
	if err != nil {
		return fmt.Errorf("store %s of task %s in %s: %w", r.State, r.TaskID, s.address, err)
	}
	return nil
}

// Get implements result.Store.
func (s *Store) Get(ctx context.Context, id string) (result.Result, error) {
	err := result.CheckID(id)
	var text []byte
	if err == nil {
		text, err = call(ctx, s, func(ctx context.Context) ([]byte, error) { return s.fetch(ctx, id) })
	}
	if err != nil {
		return result.Result{}, fmt.Errorf("get the result of task %s from %s: %w", id, s.address, err)
	}
	return result.Read(id, text)
}

// Wait implements result.Store.
func (s *Store) Wait(ctx context.Context, id string) (result.Result, error) {
	return s.waiters.Await(ctx, id, func(ctx context.Context) (result.Result, error) {
		return endable(ctx, func(ctx context.Context) (result.Result, error) { return s.Get(ctx, id) })
	})
}

// Forget implements result.Store, with DEL as Celery does.
func (s *Store) Forget(ctx context.Context, id string) error {
	err := result.CheckID(id)
	if err == nil {
		_, err = call(ctx, s, func(ctx context.Context) (struct{}, error) {
			return struct{}{}, s.unavailable(s.client.Del(ctx, keyPrefix+id).Err())
		})
	}
	if err != nil {
		return fmt.Errorf("forget the result of task %s in %s: %w", id, s.address, err)
	}
	return nil
}

// unavailable says what a failed command means; nil stays nil.
func (s *Store) unavailable(err error) error {
	switch {
	case err == nil:
		return nil
	case s.life.Err() != nil || errors.Is(err, redis.ErrClosed):
		return result.ErrClosed
	}
	return result.Unavailable(err)
}

// Traits implements result.Store. Durable: what INFO and CONFIG say of the
// append-only file; Redis with snapshots alone is volatile.
func (s *Store) Traits(ctx context.Context) result.Traits {
	ctx, cancel := context.WithTimeout(ctx, infoLimit)
	defer cancel()
	info := s.about.Last()
	if s.life.Err() == nil {
		var err error
		if info, err = s.about.Ask(ctx, s.client); err != nil {
			s.opts.Logger().Debug("the result store does not tell its version", "store", s.address.String(), "err", err)
		}
	}
	return result.Traits{Name: "redis", Server: "redis", Version: info.Version, Durable: durable(info), Expires: s.address.expires}
}

// durable is how long results last. A server that does not show its configuration
// promises no more than to write.
func durable(info redisclient.Info) result.Durability {
	switch {
	case info.Version == "": // it has said nothing
		return result.Unknown
	case !info.AOF:
		return result.Volatile
	case info.Fsync == "always":
		return result.Synced
	}
	return result.Written
}

// Close implements result.Store.
func (s *Store) Close(ctx context.Context) error {
	s.once.Do(func() {
		s.die()
		s.waiters.Close()
		go func() {
			defer close(s.ended)
			s.news.close()
			_ = s.client.Close() // its connections are closed already
		}()
	})
	select {
	case <-s.ended:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("close the client of %s: %w", s.address, context.Cause(ctx))
	}
}
