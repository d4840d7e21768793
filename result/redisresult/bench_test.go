package redisresult_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"acklab/internal/server"
	"acklab/internal/server/servertest"
	"acklab/result"
	"acklab/task"
)

// The benchmark compares this package with go-redis doing the same on the same
// server, in turns, and reports our throughput as a part of go-redis's. Bare
// go-redis compares nothing: it sends SETEX and PUBLISH in a transaction, as Celery
// does. Both write and read the JSON.

const (
	callers = 8
	each    = 500 // calls of a caller in a turn
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
	r := servertest.Redis(b, server.RedisOptions{})
	bare := r.Client()
	defer bare.Close()
	s := open(b, r.URL(""), result.Options{})
	one := result.Result{TaskID: "t", State: task.Success, Value: json.RawMessage("9"), Done: done}
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour) // as a caller has a deadline
	defer cancel()
	b.Run("store", func(b *testing.B) {
		ratio(b, func(id string) error {
			text, err := json.Marshal(celeryOf(id))
			if err != nil {
				return err
			}
			_, err = bare.TxPipelined(ctx, func(tx redis.Pipeliner) error {
				tx.SetEx(ctx, "bare-"+id, text, 24*time.Hour)
				tx.Publish(ctx, "bare-"+id, text)
				return nil
			})
			return err
		}, func(id string) error {
			own := one
			own.TaskID = id
			return s.Store(ctx, own)
		})
	})
	b.Run("fetch", func(b *testing.B) {
		if err := s.Store(ctx, one); err != nil {
			b.Fatal(err)
		}
		ratio(b, func(string) error {
			text, err := bare.Get(ctx, "celery-task-meta-t").Bytes()
			if err != nil {
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
