package bench

import (
	"bytes"
	"cmp"
	"context"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"acklab/broker"
	"acklab/internal/connect"
	"acklab/internal/ledger"
	"acklab/internal/metrics"
	"acklab/internal/server"
	"acklab/producer"
	"acklab/task"
	"acklab/task/demo"
	"acklab/worker"
)

// origin is the header that says who published a task.
const origin = "acklab@bench:1"

// acklab is our side of a contest: producer and worker as the command line
// makes them, with metrics, on a queue of their own.
type acklab struct {
	b       *testing.B
	server  server.Server
	scheme  string // of the broker's URL
	queue   string
	books   bool // whether a ledger is kept
	watched bool // whether a Prometheus scrapes them and the server
	blind   bool // whether no metrics are kept
	slots   int
	ahead   int  // prefetch multiplier
	early   bool // whether acknowledgements are
	count   int  // tasks of a lap; 0: as everywhere
	broker  broker.Broker
	metrics *metrics.Metrics
	ledgers int

	registry   *prometheus.Registry
	prometheus *server.Prometheus
}

func newAcklab(b *testing.B, a acklab) *acklab {
	a.b = b
	a.count = cmp.Or(a.count, tasks)
	client, err := connect.Open(context.Background(), a.server.URL(a.scheme), broker.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { client.Close(context.Background()) })
	if err := client.Declare(context.Background(), a.queue); err != nil {
		b.Fatal(err)
	}
	a.broker = client
	if !a.blind {
		a.registry = prometheus.NewRegistry()
		a.metrics = metrics.New(a.registry)
	}
	if a.watched {
		a.watch()
	}
	return &a
}

// keepBooks runs do with a ledger of its own, and checks what do says it has
// written there.
func (a *acklab) keepBooks(event ledger.Event, do func(*ledger.Writer) lap) lap {
	a.b.Helper()
	defer a.scraped()()
	if !a.books {
		return do(nil)
	}
	a.ledgers++
	path := filepath.Join(a.b.TempDir(), strconv.Itoa(a.ledgers)+".jsonl")
	w, err := ledger.Create(path, nil)
	if err != nil {
		a.b.Fatal(err)
	}
	took := do(w)
	if err := w.Close(); err != nil {
		a.b.Fatal(err)
	}
	written, err := os.ReadFile(path)
	if err != nil {
		a.b.Fatal(err)
	}
	if n := bytes.Count(written, []byte(`"event":"`+string(event)+`"`)); n != a.count {
		a.b.Fatalf("the ledger has %d lines of %s, want %d", n, event, a.count)
	}
	if err := os.Remove(path); err != nil {
		a.b.Fatal(err)
	}
	return took
}

// bursts publishes all tasks as acklab producer does without a rate, from
// several goroutines.
func (a *acklab) bursts(goroutines int) lap {
	return a.keepBooks(ledger.Confirmed, func(w *ledger.Writer) lap {
		p := producer.New(producer.Config{Broker: a.broker, Ledger: w, Metrics: a.metrics})
		load := producer.Load{Count: a.count / goroutines, Name: "noop", Options: task.Options{Queue: a.queue, Origin: origin}}
		return spread(a.server, int64(goroutines), goroutines, func() {
			if tally, err := p.Run(context.Background(), load, nil); err != nil || tally.Confirmed != load.Count {
				a.b.Error(tally.Summary(), err)
			}
		}).of(a.count)
	})
}

// oneByOne publishes all tasks in calls of one, from several goroutines.
func (a *acklab) oneByOne(goroutines int) lap {
	return a.keepBooks(ledger.Confirmed, func(w *ledger.Writer) lap {
		p := producer.New(producer.Config{Broker: a.broker, Ledger: w, Metrics: a.metrics})
		return spread(a.server, int64(a.count), goroutines, func() {
			m, err := task.New("noop", task.Options{Queue: a.queue, Origin: origin})
			if err != nil {
				a.b.Error(err)
				return
			}
			if tally, _, err := p.Publish(context.Background(), m); err != nil || tally.Confirmed != 1 {
				a.b.Error(tally.Summary(), err)
			}
		}).of(a.count)
	})
}

// work runs a worker from its start until all tasks have run. Stopping it is
// not counted, but whether it leaves something behind is checked.
func (a *acklab) work() lap {
	return a.keepBooks(ledger.Finished, func(w *ledger.Writer) lap {
		ctx, stop := context.WithCancel(context.Background())
		defer stop()
		var watch stopwatch
		var took lap
		var done atomic.Int64
		registry := task.NewRegistry()
		registry.Register("noop", func(ctx context.Context, c *task.Call) (any, error) {
			result, err := demo.Noop(ctx, c)
			if done.Add(1) == int64(a.count) {
				took = watch.stop().of(a.count)
				stop()
			}
			return result, err
		})
		mode := worker.Late
		if a.early {
			mode = worker.Early
		}
		worker, err := worker.New(worker.Config{
			Open: func(ctx context.Context, o broker.Options) (broker.Broker, error) {
				return connect.Open(ctx, a.server.URL(a.scheme), o)
			},
			Registry: registry, Sources: []broker.Source{{Queue: a.queue}},
			Concurrency: a.slots, PrefetchMultiplier: a.ahead, Ack: mode, Grace: time.Minute,
			Ledger: w, Metrics: a.metrics,
		})
		if err != nil {
			a.b.Fatal(err)
		}
		watch = start(a.server)
		if err := worker.Run(ctx, nil); err != nil {
			a.b.Fatal(err)
		}
		a.nothingLeft()
		return took
	})
}

func (a *acklab) nothingLeft() {
	a.b.Helper()
	depth, err := a.broker.Depth(context.Background(), a.queue)
	if err != nil {
		a.b.Fatal(err)
	}
	if depth.Ready == nil || *depth.Ready != 0 {
		a.b.Fatalf("left in the queue: %+v", depth)
	}
}

// spread does something a number of times from several goroutines.
func spread(s server.Server, times int64, goroutines int, do func()) lap {
	var left atomic.Int64
	left.Store(times)
	var all sync.WaitGroup
	watch := start(s)
	for range goroutines {
		all.Go(func() {
			for left.Add(-1) >= 0 {
				do()
			}
		})
	}
	all.Wait()
	return watch.stop()
}
