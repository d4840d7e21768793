package redisstore

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"acklab/broker"
	"acklab/broker/redisclient"
	"acklab/scheduler"
)

// Options of a store.
type Options struct {
	// Lease is how long a leader leads without renewing: 0 is DefaultLease, else
	// MinLease to MaxLease.
	Lease time.Duration
	// Log gets what is worth knowing; nil: nothing.
	Log *slog.Logger
}

// The lengths of a lease. A leader that was killed is followed within one lease.
// A short one is lost when a busy machine holds its leader up, and a leader sends
// nothing in the last half second of what it may trust.
const (
	DefaultLease = 5 * time.Second
	MinLease     = 2 * time.Second
	MaxLease     = 10 * time.Minute
)

// patience bounds a call that its context does not bound earlier.
const patience = 5 * time.Second

var form = redisclient.Form{
	What: "store", Plain: "redis", Secure: "rediss",
	Usage: "want redis://[user:password@]host[:port][/db], or rediss:// for TLS",
}

// Store is a client of one Redis with schedules. It is safe for concurrent use.
// It repeats nothing; all its calls can be repeated, with the exception of
// RunNow, which then asks for another tick.
type Store struct {
	address redisclient.Address
	opts    Options
	client  *redis.Client
	holder  string // this process, in the lease

	life context.Context // ends with Close
	die  context.CancelFunc
	work sync.WaitGroup

	mu     sync.Mutex // guards closing life, and what follows
	loaded cache
	said   complaints
	own    scheduler.Term       // the last term of this process
	file   []scheduler.Schedule // what Showing has loaded

	copying sync.Mutex // held while file is copied into the store
}

var (
	_ scheduler.Source  = (*Store)(nil)
	_ scheduler.Remover = (*Store)(nil)
	_ scheduler.Keeper  = (*Store)(nil)
	_ scheduler.Elector = (*Store)(nil)
)

// Open reads the URL and makes a client. It does not connect: the first call
// does, and says so when it cannot. No error holds the password.
//
//	redis://[user:password@]host[:port][/db]      rediss:// for TLS
//
// A database holds one set of schedules.
func Open(rawURL string, opts Options) (*Store, error) {
	if opts.Lease == 0 {
		opts.Lease = DefaultLease
	}
	if opts.Lease < MinLease || opts.Lease > MaxLease {
		return nil, fmt.Errorf("lease %v: use %v to %v", opts.Lease, MinLease, MaxLease)
	}
	address, options, err := form.Parse(rawURL)
	if err != nil {
		return nil, err
	}
	for name := range options {
		return nil, fmt.Errorf("store URL has the unknown option %q: it takes none", name)
	}
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	} else {
		redisclient.LogTo(opts.Log)
	}
	life, die := context.WithCancel(context.Background())
	return &Store{address: address, opts: opts, client: address.Client(life), holder: newHolder(), life: life, die: die, said: complaints{}}, nil
}

// Close ends the client and what runs in it. It resigns nothing: a lease that is
// still held runs out.
func (s *Store) Close() {
	s.mu.Lock()
	s.die()
	s.mu.Unlock()
	s.work.Wait()
	_ = s.client.Close() // its connections are closed already
}

// start runs f on a goroutine that Close waits for; false: it is closed.
func (s *Store) start(f func()) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.life.Err() != nil {
		return false
	}
	s.work.Go(f)
	return true
}

// call makes a call that ends with ctx, after patience, or with the client.
// go-redis does not notice that a context is cancelled while it waits for Redis,
// so the call is waited for on another goroutine.
func call[A any](ctx context.Context, s *Store, what string, do func(context.Context) (A, error)) (A, error) {
	type answer struct {
		value A
		err   error
	}
	bounded, cancel := context.WithTimeout(ctx, patience)
	back := make(chan answer, 1)
	started := s.start(func() {
		defer cancel()
		value, err := do(bounded)
		back <- answer{value, err}
	})
	var a answer
	switch {
	case started:
		select {
		case a = <-back:
		case <-bounded.Done():
			select {
			case a = <-back: // both at once
			default:
				a.err = context.Cause(bounded)
			}
		}
	default:
		cancel()
		a.err = redis.ErrClosed
	}
	if a.err != nil {
		return a.value, s.failed(what, a.err)
	}
	return a.value, nil
}

// failed is the error of a call; what certainly did nothing is a *broker.Refusal
// inside.
func (s *Store) failed(what string, err error) error {
	if reason, certain := redisclient.Refused(err); certain {
		err = &broker.Refusal{Reason: reason, Err: err}
	}
	return fmt.Errorf("%s in %s: %w", what, s.address, err)
}
