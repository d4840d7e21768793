package asynqbroker_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/hibiken/asynq"

	"acklab/broker"
	"acklab/internal/server"
	"acklab/internal/server/servertest"
	"acklab/task"
)

// The benchmarks compare this package with asynq used directly, on the same
// server, with the same payload. On a busy machine compare cpu-ns/op, the
// processor time of this process; ns/op holds what others took.

const producers = 8

func BenchmarkEnqueue(b *testing.B) {
	r := servertest.Redis(b, server.RedisOptions{})
	ctx := context.Background()
	payload, err := message(b, "bench", "0123456789012345678901234567890123456789").MarshalEnvelope()
	if err != nil {
		b.Fatal(err)
	}
	b.Run("asynq", func(b *testing.B) {
		c := r.Client()
		defer c.Close()
		client := asynq.NewClientFromRedisClient(c)
		defer cpu(b)()
		spread(b, producers, func() {
			if _, err := client.EnqueueContext(ctx, asynq.NewTask("noop", payload), asynq.Queue("bench")); err != nil {
				b.Error(err)
			}
		})
		run(b, r, "flushall")
	})
	q := open(b, r.Addr(), broker.Options{})
	b.Run("asynqbroker", func(b *testing.B) {
		defer cpu(b)()
		spread(b, producers, func() {
			if err := q.Publish(ctx, message(b, "bench", "0123456789012345678901234567890123456789"))[0]; err != nil {
				b.Error(err)
			}
		})
		run(b, r, "flushall")
	})
	for _, size := range []int{8, 100} {
		b.Run(fmt.Sprintf("asynqbroker-batches-of-%d", size), func(b *testing.B) {
			defer cpu(b)()
			for n := 0; n < b.N; n += size {
				msgs := make([]*task.Message, min(size, b.N-n))
				for i := range msgs {
					msgs[i] = message(b, "bench", "0123456789012345678901234567890123456789")
				}
				for _, err := range q.Publish(ctx, msgs...) {
					if err != nil {
						b.Error(err)
					}
				}
			}
			run(b, r, "flushall")
		})
	}
}

func BenchmarkConsume(b *testing.B) {
	r := servertest.Redis(b, server.RedisOptions{})
	const slots = 10
	fill := func(b *testing.B, q broker.Broker, queue string) {
		for n := 0; n < b.N; n += 100 {
			var msgs []*task.Message
			for range min(100, b.N-n) {
				msgs = append(msgs, message(b, queue))
			}
			for _, err := range q.Publish(context.Background(), msgs...) {
				if err != nil {
					b.Fatal(err)
				}
			}
		}
	}
	q := open(b, r.Addr(), broker.Options{})
	b.Run("asynq", func(b *testing.B) {
		fill(b, q, "bare")
		c := r.Client()
		defer c.Close()
		var done atomic.Int64
		all := make(chan struct{})
		srv := asynq.NewServerFromRedisClient(c, asynq.Config{Concurrency: slots, Queues: map[string]int{"bare": 1}, LogLevel: asynq.FatalLevel})
		b.ResetTimer()
		defer cpu(b)()
		if err := srv.Start(asynq.HandlerFunc(func(context.Context, *asynq.Task) error {
			if done.Add(1) == int64(b.N) {
				close(all)
			}
			return nil
		})); err != nil {
			b.Fatal(err)
		}
		<-all
		b.StopTimer()
		srv.Shutdown()
	})
	b.Run("asynqbroker", func(b *testing.B) {
		fill(b, q, "ours")
		b.ResetTimer()
		defer cpu(b)()
		c, err := q.Consume(context.Background(), broker.Subscription{Sources: []broker.Source{{Queue: "ours"}}, Prefetch: slots})
		if err != nil {
			b.Fatal(err)
		}
		var done atomic.Int64
		var work sync.WaitGroup
		ctx, all := context.WithCancel(context.Background())
		for range slots {
			work.Go(func() {
				for {
					d, err := c.Receive(ctx)
					if err != nil {
						return
					}
					if err := d.Ack(ctx); err != nil {
						b.Error(err)
					}
					if done.Add(1) == int64(b.N) {
						all()
					}
				}
			})
		}
		work.Wait()
		if err := c.Flush(context.Background()); err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		all()
		if err := c.Close(context.Background()); err != nil {
			b.Fatal(err)
		}
	})
}

// spread runs f b.N times on n goroutines.
func spread(b *testing.B, n int, f func()) {
	var left atomic.Int64
	left.Store(int64(b.N))
	var all sync.WaitGroup
	b.ResetTimer()
	for range n {
		all.Go(func() {
			for left.Add(-1) >= 0 {
				f()
			}
		})
	}
	all.Wait()
	b.StopTimer()
}

// cpu reports the processor time that this process takes until the result is
// called.
func cpu(b *testing.B) func() {
	before := used(b)
	return func() { b.ReportMetric(float64(used(b)-before)/float64(b.N), "cpu-ns/op") }
}

func used(b *testing.B) int64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return u.Utime.Nano() + u.Stime.Nano()
}
