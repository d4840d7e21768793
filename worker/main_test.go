package worker_test

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"acklab/broker"
	"acklab/broker/memorybroker"
	"acklab/internal/ledger"
	"acklab/task"
	"acklab/worker"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// queue is the one of tests that need only one.
const queue = "q"

// bench is one worker over an in-memory queue. It lives in a synctest bubble:
// settle waits until nothing moves any more, and waiting takes no time.
type bench struct {
	t      *testing.T
	server *memorybroker.Server
	client broker.Broker // the test's own
	cfg    worker.Config
	path   string // of the ledger

	stop   context.CancelFunc
	now    chan struct{}
	resume chan struct{}
	ended  chan error
	over   bool
}

// inBubble runs the test in a bubble with a bench, and stops its worker after it.
func inBubble(t *testing.T, test func(*bench)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		test(b)
		b.end()
	})
}

func newBench(t *testing.T) *bench {
	b := &bench{
		t: t, server: memorybroker.NewServer(), path: filepath.Join(t.TempDir(), "worker.jsonl"),
		now: make(chan struct{}), resume: make(chan struct{}), ended: make(chan error, 1),
	}
	b.client = b.server.Open(broker.Options{})
	w, err := ledger.Create(b.path, map[string]string{"name": "worker"})
	b.must("create the ledger", err)
	t.Cleanup(func() { w.Close() })
	b.cfg = newConfig()
	b.cfg.Open = func(_ context.Context, o broker.Options) (broker.Broker, error) { return b.server.Open(o), nil }
	b.cfg.Resume, b.cfg.Ledger = b.resume, w
	b.cfg.Registry.Register("noop", func(context.Context, *task.Call) (any, error) { return nil, nil })
	b.cfg.Registry.Register("sleep", sleepTask)
	b.must("declare", b.client.Declare(t.Context(), queue))
	return b
}

// newConfig is complete and valid; its queue is of nobody else's.
func newConfig() worker.Config {
	return worker.Config{
		Open:     func(_ context.Context, o broker.Options) (broker.Broker, error) { return memorybroker.New(o), nil },
		Registry: task.NewRegistry(), Sources: []broker.Source{{Queue: queue}}, Concurrency: 1, PrefetchMultiplier: 4,
		Ack: worker.Early, Grace: 10 * time.Second,
	}
}

// sleepTask takes the seconds of its argument, or less when it is stopped.
func sleepTask(ctx context.Context, c *task.Call) (any, error) {
	var seconds float64
	if err := c.Bind(&seconds); err != nil {
		return nil, err
	}
	return nil, task.Work(ctx, time.Duration(seconds*float64(time.Second)))
}

func (b *bench) must(what string, err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatalf("%s: %v", what, err)
	}
}

// handler registers a task.
func (b *bench) handler(name string, h func(context.Context) error) {
	b.cfg.Registry.Register(name, func(ctx context.Context, _ *task.Call) (any, error) { return nil, h(ctx) })
}

// publish puts one task on the queue.
func (b *bench) publish(name string, args ...any) *task.Message {
	b.t.Helper()
	return b.publishWith(task.Options{Queue: queue}, name, args...)
}

func (b *bench) publishWith(o task.Options, name string, args ...any) *task.Message {
	b.t.Helper()
	m, err := task.New(name, o, args...)
	b.must("make a message", err)
	b.must("publish", b.client.Publish(b.t.Context(), m)[0])
	return m
}

// start runs the worker and waits until it has nothing to do at once.
func (b *bench) start() {
	b.t.Helper()
	w, err := worker.New(b.cfg)
	b.must("new worker", err)
	ctx, cancel := context.WithCancel(b.t.Context())
	b.stop = cancel
	go func() { b.ended <- w.Run(ctx, b.now) }()
	b.settle()
}

func (b *bench) settle() { synctest.Wait() }

// sleep lets time pass, and what it brings happen.
func (b *bench) sleep(d time.Duration) {
	time.Sleep(d)
	b.settle()
}

// wait waits for the end of the worker and returns what Run said.
func (b *bench) wait() error {
	b.t.Helper()
	select {
	case err := <-b.ended:
		b.over = true
		return err
	case <-time.After(time.Hour):
		b.t.Fatal("the worker does not end")
		return nil
	}
}

// end stops the worker if it is not over.
func (b *bench) end() {
	b.t.Helper()
	if b.stop == nil || b.over {
		return
	}
	b.stop()
	if err := b.wait(); err != nil {
		b.t.Errorf("the worker ended with: %v", err)
	}
}

// hasEnded tells whether Run has returned.
func (b *bench) hasEnded() bool { return len(b.ended) > 0 }

// lines are those of the ledger, all of them or of one event.
func (b *bench) lines(events ...ledger.Event) []ledger.Line {
	b.t.Helper()
	f, err := ledger.Read(b.path)
	b.must("read the ledger", err)
	if f.Damage != "" || f.Torn {
		b.t.Fatalf("the ledger is damaged: %s", f.Damage)
	}
	if len(events) == 0 {
		return f.Lines
	}
	return slices.DeleteFunc(f.Lines, func(l ledger.Line) bool { return !slices.Contains(events, l.Event) })
}

// life are the events of one task, in the order of the ledger.
func (b *bench) life(m *task.Message) []ledger.Event {
	b.t.Helper()
	var life []ledger.Event
	for _, l := range b.lines() {
		if l.Task == m.TaskID {
			life = append(life, l.Event)
		}
	}
	return life
}

// lived checks the life of one task.
func (b *bench) lived(m *task.Message, want ...ledger.Event) {
	b.t.Helper()
	if got := b.life(m); !slices.Equal(got, want) {
		b.t.Errorf("the ledger says of task %s: %v; want %v", m.Name, got, want)
	}
}

// one is the only line of the event.
func (b *bench) one(event ledger.Event) ledger.Line {
	b.t.Helper()
	lines := b.lines(event)
	if len(lines) != 1 {
		b.t.Fatalf("%d lines %s; want one:\n%+v", len(lines), event, lines)
	}
	return lines[0]
}

// holds checks what the broker has of the queue, by state.
func (b *bench) holds(ready, unacked, dead int) {
	b.t.Helper()
	b.holdsOf(queue, ready, unacked, dead)
}

func (b *bench) holdsOf(name string, ready, unacked, dead int) {
	b.t.Helper()
	d, err := b.client.Depth(b.t.Context(), name)
	b.must("depth", err)
	if *d.Ready != ready || *d.Unacked != unacked || *d.Dead != dead {
		b.t.Errorf("queue %s holds %d ready, %d unacked, %d dead; want %d, %d, %d", name, *d.Ready, *d.Unacked, *d.Dead, ready, unacked, dead)
	}
}

// deadReasons are the reasons of the dead letters.
func (b *bench) deadReasons() []string {
	b.t.Helper()
	var reasons []string
	for h, err := range b.client.Census(b.t.Context(), queue) {
		b.must("census", err)
		if h.State == broker.Dead {
			reasons = append(reasons, h.Reason)
		}
	}
	return reasons
}

// meddled opens the server through a broker whose consumers are changed.
func (b *bench) meddled(change func(broker.Consumer) broker.Consumer) {
	open := b.cfg.Open
	b.cfg.Open = func(ctx context.Context, o broker.Options) (broker.Broker, error) {
		inner, err := open(ctx, o)
		return &meddler{inner, change}, err
	}
}

type meddler struct {
	broker.Broker
	change func(broker.Consumer) broker.Consumer
}

func (m *meddler) Consume(ctx context.Context, s broker.Subscription) (broker.Consumer, error) {
	c, err := m.Broker.Consume(ctx, s)
	if err != nil {
		return nil, err
	}
	return m.change(c), nil
}

var errBoom = errors.New("boom")
