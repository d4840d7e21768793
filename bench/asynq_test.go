package bench

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/hibiken/asynq"

	"acklab/internal/server"
	"acklab/internal/server/servertest"
	"acklab/task"
)

const (
	// producers publish at the same time.
	producers = 8
	// handlers run at the same time.
	handlers = 10
)

// BenchmarkRatioAsynq: enqueues, then a worker with late acknowledgement
// whose tasks do nothing, against asynq alone.
func BenchmarkRatioAsynq(b *testing.B) {
	r := servertest.Redis(b, server.RedisOptions{})
	bare := newBareAsynq(b, r, "bare")
	ours := newAcklab(b, acklab{server: r, scheme: "asynq", queue: "ours", books: true, slots: handlers, ahead: 1})
	silent := newAcklab(b, acklab{server: r, scheme: "asynq", queue: "silent", slots: handlers, ahead: 1})
	inBursts := newAcklab(b, acklab{server: r, scheme: "asynq", queue: "bursts", books: true, slots: handlers, ahead: 1})
	published, worked := make([]laps, 4), make([]laps, 3)
	for round := 0; b.Loop(); round++ {
		inTurns(round, []func() lap{
			bare.publish,
			func() lap { return ours.oneByOne(producers) },
			func() lap { return silent.oneByOne(producers) },
			func() lap { return inBursts.bursts(producers) },
		}, published)
		inTurns(round, []func() lap{bare.work, ours.work, silent.work}, worked)
		bare.forget("bursts")
	}
	results.add(b, "publish-x-of-bare", row{"asynq: enqueues, 8 goroutines, ours in bursts", published[0], published[3], 0.8})
	results.add(b, "tasks-x-of-bare", row{"asynq: no-op tasks, 10 at a time, late acks", worked[0], worked[1], 0.8})
	// Here nothing hides the two ledger lines of a publish.
	results.add(b, "one-by-one-x-of-bare", row{"asynq: enqueues, 8 goroutines, ours one by one", published[0], published[1], 0})
	results.add(b, "one-by-one-ledger-on-x-of-off", row{"asynq: the same one by one, ledger off", published[2], published[1], 0})
	results.add(b, "tasks-ledger-on-x-of-off", row{"asynq: the same tasks, ledger off", worked[2], worked[1], 0})
}

// bareAsynq does with asynq what our producer and worker do, with the same
// payload.
type bareAsynq struct {
	b       *testing.B
	redis   *server.Redis
	queue   string
	payload []byte
}

func newBareAsynq(b *testing.B, r *server.Redis, queue string) *bareAsynq {
	m, err := task.New("noop", task.Options{Queue: queue, Origin: origin})
	if err != nil {
		b.Fatal(err)
	}
	payload, err := m.MarshalEnvelope()
	if err != nil {
		b.Fatal(err)
	}
	return &bareAsynq{b: b, redis: r, queue: queue, payload: payload}
}

func (a *bareAsynq) publish() lap {
	c := a.redis.Client()
	defer c.Close()
	client := asynq.NewClientFromRedisClient(c)
	return spread(a.redis, tasks, producers, func() {
		if _, err := client.EnqueueContext(context.Background(), asynq.NewTask("noop", a.payload), asynq.Queue(a.queue)); err != nil {
			a.b.Error(err)
		}
	})
}

// work runs a server from its start until all tasks have run.
func (a *bareAsynq) work() lap {
	c := a.redis.Client()
	defer c.Close()
	var done atomic.Int64
	all := make(chan lap, 1)
	var watch stopwatch
	mux := asynq.NewServeMux()
	mux.HandleFunc("noop", func(context.Context, *asynq.Task) error {
		if done.Add(1) == tasks {
			all <- watch.stop()
		}
		return nil
	})
	s := asynq.NewServerFromRedisClient(c, asynq.Config{Concurrency: handlers, Queues: map[string]int{a.queue: 1}, LogLevel: asynq.FatalLevel})
	watch = start(a.redis)
	if err := s.Start(mux); err != nil {
		a.b.Fatal(err)
	}
	took := <-all
	s.Shutdown()
	return took
}

// forget deletes what waits in a queue.
func (a *bareAsynq) forget(queue string) {
	c := a.redis.Client()
	defer c.Close()
	n, err := asynq.NewInspectorFromRedisClient(c).DeleteAllPendingTasks(queue)
	if err != nil || n != tasks {
		a.b.Fatalf("%d tasks deleted, want %d: %v", n, tasks, err)
	}
}
