package memoryresult

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"sync/atomic"
	"time"

	"acklab/result"
)

// Store is a client of a Server. It is safe for concurrent use.
type Store struct {
	server  *Server
	expires time.Duration // 0: never
	waiters result.Waiters
	closed  atomic.Bool
}

var _ result.Store = (*Store)(nil)

const usage = "want memory://[?expires=24h]"

// Open makes a store of its own from the URL memory://[?expires=24h].
func Open(_ context.Context, rawURL string, opts result.Options) (*Store, error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		return nil, errors.New("result URL cannot be read: " + usage)
	}
	if u.Scheme != "memory" || u.Host != "" || u.User != nil || u.Opaque != "" || u.Fragment != "" || u.Path != "" && u.Path != "/" {
		return nil, errors.New("result URL of a store in memory names something else: " + usage)
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return nil, errors.New("result URL has a query that cannot be read: " + usage)
	}
	expires, err := opts.TakeExpires(query)
	if err != nil {
		return nil, err
	}
	for name := range query {
		return nil, fmt.Errorf("result URL has the unknown option %q: only expires is known", name)
	}
	return NewServer().open(expires), nil
}

// Open makes a client of the server.
func (s *Server) Open(opts result.Options) *Store {
	expires, err := opts.TakeExpires(nil)
	if err != nil {
		panic(err) // it reads no text
	}
	return s.open(expires)
}

func (s *Server) open(expires time.Duration) *Store {
	c := &Store{server: s, expires: expires}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clients[c] = struct{}{}
	return c
}

// Store implements result.Store.
func (c *Store) Store(ctx context.Context, r result.Result) error {
	text, err := result.Marshal(r)
	if err == nil {
		err = c.usable(ctx)
	}
	if err == nil {
		e := entry{standing: r.Standing(), text: string(text)}
		if c.expires > 0 {
			e.expires = time.Now().Add(c.expires)
		}
		err = c.server.put(r.TaskID, e)
	}
	if err != nil {
		return fmt.Errorf("store %s of task %s in memory: %w", r.State, r.TaskID, err)
	}
	return nil
}

// Get implements result.Store.
func (c *Store) Get(ctx context.Context, id string) (result.Result, error) {
	if err := errors.Join(result.CheckID(id), c.usable(ctx)); err != nil {
		return result.Result{}, fmt.Errorf("get the result of task %s from memory: %w", id, err)
	}
	return result.Read(id, []byte(c.server.get(id)))
}

// Wait implements result.Store.
func (c *Store) Wait(ctx context.Context, id string) (result.Result, error) {
	return c.waiters.Await(ctx, id, func(ctx context.Context) (result.Result, error) { return c.Get(ctx, id) })
}

// Forget implements result.Store.
func (c *Store) Forget(ctx context.Context, id string) error {
	if err := errors.Join(result.CheckID(id), c.usable(ctx)); err != nil {
		return fmt.Errorf("forget the result of task %s in memory: %w", id, err)
	}
	c.server.forget(id)
	return nil
}

// usable is nil while the client is open and ctx has not ended.
func (c *Store) usable(ctx context.Context) error {
	if c.closed.Load() {
		return result.ErrClosed
	}
	if err := context.Cause(ctx); err != nil {
		return result.Unavailable(err)
	}
	return nil
}

// Traits implements result.Store. The server is this process.
func (c *Store) Traits(context.Context) result.Traits {
	return result.Traits{Name: "memory", Server: "memory", Version: "1", Durable: result.Volatile, Expires: c.expires}
}

// Close implements result.Store.
func (c *Store) Close(context.Context) error {
	c.closed.Store(true)
	c.waiters.Close()
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	delete(c.server.clients, c)
	return nil
}
