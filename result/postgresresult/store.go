// Package postgresresult is a result.Store in tables of PostgreSQL, which it makes
// on first use: acklab_results, and for chords acklab_chords and
// acklab_chord_members.
//
//	Store ─▶ gather ─▶ one INSERT ... ON CONFLICT ... WHERE, with NOTIFY
//	Get   ─▶ one SELECT
//	Wait  ─▶ SELECT, LISTEN acklab_results, SELECT, and again when woken
//
// A result is the JSON that Celery's Redis backend writes (result.Marshal), not
// the table of Celery's database backend, whose values are pickled.
//
// States that come together share a transaction, so a commit, with what a disk
// takes to sync it, serves many.
package postgresresult

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"acklab/result"
)

// How states are gathered: so many transactions at once, so many states and bytes
// in one. Commits that notify wait for each other in the server, so one that
// carries more is the better one; a second keeps the server busy.
const (
	width  = 2
	most   = 256
	fullAt = 1 << 20
)

// infoLimit bounds the question about the server's version.
const infoLimit = 2 * time.Second

// Store is a client of one database. It is safe for concurrent use.
type Store struct {
	address address
	opts    result.Options
	pool    *pgxpool.Pool
	results *tables // of Store, Get, Wait and Forget
	chords  *tables // of Join and Values

	states  result.Gather[state, struct{}]
	waiters result.Waiters
	news    news
	tidied  atomic.Int64 // nanoseconds since 1970

	life  context.Context // ends with Close
	die   context.CancelFunc
	once  sync.Once
	ended chan struct{}
	work  sync.WaitGroup

	asking sync.Mutex
	told   *told
}

// told is what the server has said about itself.
type told struct {
	version string
	durable result.Durability
}

var _ result.Store = (*Store)(nil)

// Open reads the URL and makes a client. It does not connect: the first call
// does, and says so when it cannot.
//
//	postgres://user:password@host:port/database[?expires=24h&sslmode=...]
//
// expires is how long a result is kept, 0 for ever; every other option is
// PostgreSQL's (sslmode, connect_timeout) or pgxpool's (pool_max_conns). What the
// URL leaves out is taken from the variables of libpq (PGPASSWORD). No error holds
// the password.
func Open(_ context.Context, rawURL string, opts result.Options) (*Store, error) {
	a, err := parseURL(rawURL, opts)
	if err != nil {
		return nil, err
	}
	life, die := context.WithCancel(context.Background())
	pool, err := a.pool(life)
	if err != nil {
		die()
		return nil, fmt.Errorf("result URL %s: %w", a.shown, err)
	}
	s := &Store{
		address: a, opts: opts, pool: pool, life: life, die: die, ended: make(chan struct{}),
		results: newTables(resultsText, "acklab_results"),
		chords:  newTables(chordsText, "acklab_chords", "acklab_chord_members"),
	}
	s.tidied.Store(time.Now().UnixNano())
	s.states = result.Gather[state, struct{}]{
		Do: s.putAll, Width: width, Most: most, Load: fullAt, Weigh: state.load, Apart: state.key, Patience: patience, Life: life,
	}
	s.news.store = s
	s.waiters.First = s.news.follow
	return s, nil
}

// Store implements result.Store.
func (s *Store) Store(ctx context.Context, r result.Result) error {
	text, err := result.Marshal(r)
	if err == nil {
		_, err = s.states.Ask(ctx, state{
			id: r.TaskID, state: string(r.State), retries: r.Retries, standing: r.Standing(), done: r.Done, text: text,
		})
	}
	if err != nil {
		return fmt.Errorf("store %s of task %s in %s: %w", r.State, r.TaskID, s.address.shown, err)
	}
	return nil
}

// Get implements result.Store.
func (s *Store) Get(ctx context.Context, id string) (result.Result, error) {
	err := result.CheckID(id)
	var text []byte
	if err == nil {
		text, err = s.fetch(ctx, id)
	}
	if err != nil {
		return result.Result{}, fmt.Errorf("get the result of task %s from %s: %w", id, s.address.shown, err)
	}
	return result.Read(id, text)
}

// Wait implements result.Store.
func (s *Store) Wait(ctx context.Context, id string) (result.Result, error) {
	return s.waiters.Await(ctx, id, func(ctx context.Context) (result.Result, error) { return s.Get(ctx, id) })
}

// Forget implements result.Store.
func (s *Store) Forget(ctx context.Context, id string) error {
	err := result.CheckID(id)
	if err == nil && s.life.Err() != nil {
		err = result.ErrClosed
	}
	if err == nil {
		ctx, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		err = s.unavailable(s.again(ctx, s.results, func() error {
			_, err := s.pool.Exec(ctx, "DELETE FROM acklab_results WHERE task_id = $1", id)
			return err
		}))
	}
	if err != nil {
		return fmt.Errorf("forget the result of task %s in %s: %w", id, s.address.shown, err)
	}
	return nil
}

// Traits implements result.Store. Durable: what fsync and synchronous_commit say.
func (s *Store) Traits(ctx context.Context) result.Traits {
	s.asking.Lock()
	defer s.asking.Unlock()
	t := result.Traits{Name: "postgres", Server: "postgresql", Durable: result.Unknown, Expires: s.address.expires}
	if s.told == nil && s.life.Err() == nil {
		ctx, cancel := context.WithTimeout(ctx, infoLimit)
		defer cancel()
		var err error
		if s.told, err = s.ask(ctx); err != nil {
			s.opts.Logger().Debug("the result store does not tell its version", "store", s.address.shown, "err", err)
		}
	}
	if s.told != nil {
		t.Version, t.Durable = s.told.version, s.told.durable
	}
	return t
}

// ask has the server describe itself.
func (s *Store) ask(ctx context.Context) (*told, error) {
	const question = "SELECT split_part(current_setting('server_version'), ' ', 1), current_setting('fsync'), current_setting('synchronous_commit')"
	var t told
	var fsync, commit string
	if err := s.pool.QueryRow(ctx, question).Scan(&t.version, &fsync, &commit); err != nil {
		return nil, err
	}
	switch {
	case commit == "off":
		t.durable = result.Delayed
	case fsync == "off":
		t.durable = result.Written
	default:
		t.durable = result.Synced
	}
	return &t, nil
}

// Close implements result.Store.
func (s *Store) Close(ctx context.Context) error {
	s.once.Do(func() {
		s.die() // ends every connection, and what waits for one
		s.waiters.Close()
		go func() {
			defer close(s.ended)
			s.states.Close()
			s.pool.Close()
			s.work.Wait()
		}()
	})
	select {
	case <-s.ended:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("close the client of %s: %w", s.address.shown, context.Cause(ctx))
	}
}
