package postgresresult

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"acklab/result"
)

// state is one state on its way to the table.
type state struct {
	id       string
	state    string
	retries  int
	standing result.Standing
	done     time.Time
	text     []byte
}

func (s state) key() string { return s.id }

// load is what a state weighs in a round trip.
func (s state) load() int { return len(s.text) }

// putText stores many states as one transaction, each unless what is there stands
// higher (result.Standing) and has not expired, and answers with the ids of those
// that it has stored. Those who wait are notified when it is committed, of
// finished states only: a transaction that notifies takes a lock that no other one
// may hold while it commits.
const putText = `
WITH put AS (
	INSERT INTO acklab_results AS r (task_id, state, retries, standing, done, stored, expires, meta)
	SELECT n.task_id, n.state, n.retries, n.standing, n.done, now(), now() + make_interval(secs => $7::float8), n.meta::json
	FROM unnest($1::text[], $2::text[], $3::int4[], $4::int8[], $5::timestamptz[], $6::text[]) AS n (task_id, state, retries, standing, done, meta)
	ON CONFLICT (task_id) DO UPDATE SET state = excluded.state, retries = excluded.retries, standing = excluded.standing,
		done = excluded.done, stored = excluded.stored, expires = excluded.expires, meta = excluded.meta
	WHERE r.standing < excluded.standing OR r.standing = excluded.standing AND r.standing < $8 OR r.expires <= now()
	RETURNING task_id, standing
)
SELECT task_id, CASE WHEN standing >= $8 THEN pg_notify('acklab_results', task_id) END FROM put`

// whyText says what stands in the way of states that were not stored.
const whyText = `
SELECT r.task_id, r.standing, r.meta::text = n.meta
FROM unnest($1::text[], $2::text[]) AS n (task_id, meta) JOIN acklab_results AS r USING (task_id)`

// putAll stores states in one round trip. Where the server refuses the whole for
// one of them, each is tried alone.
func (s *Store) putAll(ctx context.Context, states []state) []result.Answer[struct{}] {
	answers := make([]result.Answer[struct{}], len(states))
	errs := s.puts(ctx, states)
	for i := range states {
		err := errs[i]
		if _, refused := errors.AsType[*pgconn.PgError](err); refused && len(states) > 1 {
			err = s.puts(ctx, states[i:i+1])[0]
		}
		answers[i].Err = err
	}
	s.tidy()
	return answers
}

// puts stores states of different tasks and returns an error for each.
func (s *Store) puts(ctx context.Context, states []state) []error {
	errs := make([]error, len(states))
	kept := map[string]bool{}
	err := s.again(ctx, s.results, func() error {
		clear(kept)
		return s.put(ctx, states, kept)
	})
	if err != nil {
		for i := range errs {
			errs[i] = s.unavailable(err)
		}
		return errs
	}
	var refused []int
	for i, one := range states {
		if !kept[one.id] {
			refused = append(refused, i)
		}
	}
	if len(refused) > 0 {
		s.explain(ctx, states, refused, errs)
	}
	return errs
}

// put runs the statement. The rows are in the order of their ids, so that two of
// these cannot wait for each other.
func (s *Store) put(ctx context.Context, states []state, kept map[string]bool) error {
	sorted := slices.SortedFunc(slices.Values(states), func(a, b state) int { return cmp.Compare(a.id, b.id) })
	var ids, words, texts []string
	var retries []int32
	var standings []int64
	var done []*time.Time
	for _, one := range sorted {
		ids, words, texts = append(ids, one.id), append(words, one.state), append(texts, string(one.text))
		retries, standings = append(retries, int32(one.retries)), append(standings, int64(one.standing))
		var at *time.Time
		if !one.done.IsZero() {
			at = &one.done
		}
		done = append(done, at)
	}
	rows, err := s.pool.Query(ctx, putText, ids, words, retries, standings, done, texts, s.seconds(), int64(result.Final))
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var id string
		if err := rows.Scan(&id, nil); err != nil {
			return err
		}
		kept[id] = true
	}
	return rows.Err()
}

// seconds is how long what is stored is kept; nil: for ever.
func (s *Store) seconds() *float64 {
	if s.address.expires == 0 {
		return nil
	}
	n := s.address.expires.Seconds()
	return &n
}

// explain says why the states that refused names were not stored. One that is
// exactly what is there was: its first reply had been lost.
func (s *Store) explain(ctx context.Context, states []state, refused []int, errs []error) {
	var ids, texts []string
	for _, i := range refused {
		ids, texts = append(ids, states[i].id), append(texts, string(states[i].text))
	}
	type reason struct {
		ID       string
		Standing int64
		Same     bool
	}
	reasons := map[string]reason{}
	err := s.again(ctx, s.results, func() error {
		rows, err := s.pool.Query(ctx, whyText, ids, texts)
		if err != nil {
			return err
		}
		all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[reason])
		for _, one := range all {
			reasons[one.ID] = one
		}
		return err
	})
	for _, i := range refused {
		why, known := reasons[states[i].id]
		switch {
		case err != nil:
			errs[i] = s.unavailable(err)
		case !known:
			errs[i] = result.Unavailable(errors.New("what stood in the way has gone meanwhile"))
		case why.Same:
		default:
			errs[i] = states[i].standing.Over(result.Standing(why.Standing))
			if errs[i] == nil {
				errs[i] = result.Unavailable(fmt.Errorf("what stood in the way has changed meanwhile"))
			}
		}
	}
}

// getText fetches the result of a task.
const getText = `SELECT meta::text FROM acklab_results WHERE task_id = $1 AND (expires IS NULL OR expires > now())`

// fetch is the text of a task's result; empty: there is none.
func (s *Store) fetch(ctx context.Context, id string) (text []byte, err error) {
	err = s.bounded(ctx, s.results, func(ctx context.Context) error {
		err := s.pool.QueryRow(ctx, getText, id).Scan(&text)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		return err
	})
	return text, err
}
