package postgresresult_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"acklab/internal/server"
	"acklab/internal/server/servertest"
	"acklab/result"
	"acklab/task"
)

// The benchmark compares this package with pgx doing the same on the same server,
// in turns, and reports our throughput as a part of pgx's. Bare pgx makes the same
// row with an upsert of its own, and notifies, without comparing anything; it has a
// connection for each caller. Both write and read the JSON. Every commit is synced to disk.

const (
	callers = 8
	each    = 100 // calls of a caller in a turn
)

// celery is what Celery stores, as a program without this package would have it.
type celery struct {
	Status    string          `json:"status"`
	Result    json.RawMessage `json:"result"`
	Traceback *string         `json:"traceback"`
	Children  []any           `json:"children"`
	DateDone  string          `json:"date_done"`
	TaskID    string          `json:"task_id"`
}

func celeryOf(id string) celery {
	return celery{Status: "SUCCESS", Result: json.RawMessage("9"), Children: []any{}, DateDone: moment.Format("2006-01-02T15:04:05.000000"), TaskID: id}
}

var moment = time.Date(2026, 11, 21, 7, 31, 43, 594084000, time.UTC)

func BenchmarkRatio(b *testing.B) {
	p := servertest.Postgres(b, server.PostgresOptions{})
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour) // as a caller has a deadline
	defer cancel()
	config, err := pgxpool.ParseConfig(p.URL(""))
	if err != nil {
		b.Fatal(err)
	}
	config.MinConns, config.MaxConns = callers, callers
	bare, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		b.Fatal(err)
	}
	defer bare.Close()
	s := open(b, p.URL(""), result.Options{})
	one := result.Result{TaskID: "t", State: task.Success, Value: json.RawMessage("9"), Done: time.Date(2026, 11, 21, 7, 31, 43, 0, time.UTC)}
	if err := s.Store(ctx, one); err != nil { // makes the table
		b.Fatal(err)
	}
	const upsert = `
WITH put AS (
	INSERT INTO acklab_results (task_id, state, retries, standing, done, stored, expires, meta)
	VALUES ($1, 'SUCCESS', 0, $2, $3, now(), now() + interval '1 day', $4::text::json)
	ON CONFLICT (task_id) DO UPDATE SET state = excluded.state, retries = excluded.retries, standing = excluded.standing,
		done = excluded.done, stored = excluded.stored, expires = excluded.expires, meta = excluded.meta
	RETURNING task_id
)
SELECT pg_notify('acklab_results', task_id) FROM put`
	b.Run("store", func(b *testing.B) {
		ratio(b, func(id string) error {
			text, err := json.Marshal(celeryOf(id))
			if err != nil {
				return err
			}
			_, err = bare.Exec(ctx, upsert, "bare-"+id, int64(result.Best), one.Done, string(text))
			return err
		}, func(id string) error {
			own := one
			own.TaskID = id
			return s.Store(ctx, own)
		})
	})
	b.Run("fetch", func(b *testing.B) {
		ratio(b, func(string) error {
			var text []byte
			if err := bare.QueryRow(ctx, "SELECT meta::text FROM acklab_results WHERE task_id = $1", "t").Scan(&text); err != nil {
				return err
			}
			return json.Unmarshal(text, &celery{})
		}, func(string) error {
			_, err := s.Get(ctx, "t")
			return err
		})
	})
}

// ratio runs both in turns.
func ratio(b *testing.B, bare, ours func(id string) error) {
	var n atomic.Int64
	turn := func(f func(string) error) time.Duration {
		began := time.Now()
		var all sync.WaitGroup
		for range callers {
			all.Go(func() {
				for range each {
					if err := f(fmt.Sprint("task-", n.Add(1))); err != nil {
						b.Error(err)
						return
					}
				}
			})
		}
		all.Wait()
		return time.Since(began)
	}
	turn(bare)
	turn(ours)
	var theirs, own time.Duration
	for b.Loop() {
		theirs += turn(bare)
		own += turn(ours)
	}
	calls := float64(callers * each * b.N)
	b.ReportMetric(calls/own.Seconds(), "ours/s")
	b.ReportMetric(calls/theirs.Seconds(), "bare/s")
	b.ReportMetric(theirs.Seconds()/own.Seconds(), "ratio")
	b.ReportMetric(0, "ns/op")
	fmt.Fprintf(os.Stderr, "%s: %.2f of the bare client's throughput\n", b.Name(), theirs.Seconds()/own.Seconds())
}
