package celery_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"acklab/broker"
	"acklab/internal/celery"
	"acklab/internal/connect"
	"acklab/internal/ledger"
	"acklab/internal/minder"
	"acklab/internal/server"
	"acklab/internal/server/servertest"
	"acklab/task"
)

func TestMain(m *testing.M) {
	servertest.BeMinder()
	os.Exit(m.Run())
}

// patience is for a busy machine; nothing here takes it when all is well.
const patience = 60 * time.Second

// installed finds Celery once for all tests.
var installed = sync.OnceValues(func() (celery.Installation, error) { return celery.Find(context.Background()) })

// find skips the test where there is no Celery.
func find(t testing.TB) celery.Installation {
	t.Helper()
	found, err := installed()
	if err != nil {
		t.Skip(err, "; make test installs it")
	}
	return found
}

// bench is what a test works with: a broker, and workers on it.
type bench struct {
	name   string
	minder *minder.Minder
	app    celery.App
	dir    string
	url    string // the broker, in the laboratory's words
	redis  *redis.Client
	rabbit *server.Rabbit
	client broker.Broker // of RabbitMQ
}

func newBench(t *testing.T, name string) *bench {
	t.Helper()
	b := &bench{name: name, minder: servertest.Minder(t), dir: t.TempDir()}
	app, err := find(t).Prepare(b.dir)
	if err != nil {
		t.Fatal(err)
	}
	b.app = app
	return b
}

func onRedis(t *testing.T) *bench {
	t.Helper()
	b := newBench(t, "redis")
	r := servertest.Redis(t, server.RedisOptions{})
	b.url, b.redis = "redis://"+r.Addr()+"/0", r.Client()
	t.Cleanup(func() { b.redis.Close() })
	return b
}

func onRabbit(t *testing.T) *bench {
	t.Helper()
	b := newBench(t, "rabbitmq")
	b.rabbit = servertest.Rabbit(t, server.RabbitOptions{})
	b.url = "amqp://guest:guest@" + b.rabbit.Addr() + "/"
	client, err := connect.Open(t.Context(), b.url, broker.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close(context.Background()) })
	b.client = client
	return b
}

// publish sends messages as our producer does.
func (b *bench) publish(t *testing.T, queue string, msgs ...*task.Message) {
	t.Helper()
	for _, m := range msgs {
		m.Queue = queue
	}
	if b.redis != nil {
		for _, m := range msgs {
			raw, err := m.MarshalEnvelope()
			if err == nil {
				err = b.redis.LPush(t.Context(), queue, raw).Err()
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		return
	}
	if err := b.client.Declare(t.Context(), queue); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(b.client.Publish(t.Context(), msgs...)...); err != nil {
		t.Fatal(err)
	}
}

// held is how many messages the broker holds, in whatever state.
func (b *bench) held(t *testing.T, queue string) int {
	t.Helper()
	if b.rabbit != nil {
		q, err := b.rabbit.Queue(t.Context(), queue)
		if err != nil {
			t.Fatal(err)
		}
		return q.Ready + q.Unacked
	}
	ready := b.redis.LLen(t.Context(), queue).Val()
	return int(ready + b.redis.HLen(t.Context(), queue+".unacked").Val())
}

// awaitHeld waits until the broker has n messages left, and no consumer.
func (b *bench) awaitHeld(t *testing.T, queue string, n int) {
	t.Helper()
	got := 0
	until(t, func() bool {
		if b.rabbit != nil {
			q, err := b.rabbit.Queue(t.Context(), queue)
			if err != nil || q.Consumers > 0 {
				return false
			}
		}
		got = b.held(t, queue)
		return true
	}, func() string { return "the consumer of the dead worker stays" })
	if got != n {
		t.Errorf("the broker holds %d messages, want %d", got, n)
	}
}

// member is a worker that a test has started.
type member struct {
	*minder.Process
	t      *testing.T
	ledger string
	log    string
}

func (b *bench) start(t *testing.T, queue string, o celery.Options) *member {
	t.Helper()
	return b.startAt(t, b.url, queue, o)
}

// startAt is start with another URL of the same broker.
func (b *bench) startAt(t *testing.T, url, queue string, o celery.Options) *member {
	t.Helper()
	o.Broker = url
	o.Queues = []string{queue}
	if b.redis != nil { // one Redis serves several tests: each has its own table of what is not acknowledged
		o.Transport = map[string]any{"unacked_key": queue + ".unacked", "unacked_index_key": queue + ".index", "unacked_mutex_key": queue + ".mutex"}
		if o.Result == "" && o.CrashAt == "result-stored" {
			o.Result = b.url
		}
	} else if o.CrashAt == "result-stored" {
		o.Result = "rpc://"
	}
	return b.run(t, func(dir, ledger, log string) (minder.Spec, error) { return b.app.Worker(o, "worker", dir, ledger, log) })
}

// run starts a process of Celery's.
func (b *bench) run(t *testing.T, how func(dir, ledger, log string) (minder.Spec, error)) *member {
	t.Helper()
	dir := t.TempDir()
	w := &member{t: t, ledger: filepath.Join(dir, "worker.jsonl"), log: filepath.Join(dir, "worker.log")}
	spec, err := how(dir, w.ledger, w.log)
	if err != nil {
		t.Fatal(err)
	}
	if w.Process, err = b.minder.Run(spec); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		w.Kill(context.Background())
		if t.Failed() {
			log, _ := os.ReadFile(w.log)
			lines, _ := os.ReadFile(w.ledger)
			t.Logf("the worker's log:\n%s\nits ledger:\n%s", log, lines)
		}
	})
	return w
}

// read is the ledger so far.
func (w *member) read() ledger.File {
	w.t.Helper()
	f, err := ledger.Read(w.ledger)
	if errors.Is(err, os.ErrNotExist) {
		return ledger.File{}
	}
	if err != nil {
		w.t.Fatal(err)
	}
	return f
}

// await waits until the ledger has n lines of the event.
func (w *member) await(event ledger.Event, n int) {
	w.t.Helper()
	until(w.t, func() bool {
		alive := w.Alive()
		if count(w.read(), event) >= n {
			return true
		}
		if !alive {
			w.t.Fatalf("the worker ended (%v) before it wrote %d x %s", w.Exit(), n, event)
		}
		return false
	}, func() string { return fmt.Sprintf("it has not written %d x %s", n, event) })
}

// stop is SIGTERM; the ledger must be whole and closed.
func (w *member) stop() ledger.File {
	w.t.Helper()
	w.send(syscall.SIGTERM)
	return w.ended()
}

func (w *member) send(s syscall.Signal) {
	w.t.Helper()
	if err := w.Signal(s); err != nil {
		w.t.Fatal(err)
	}
}

// ended waits for a polite end. A second SIGTERM would make Celery leave at once.
func (w *member) ended() ledger.File {
	w.t.Helper()
	select {
	case <-w.Done():
	case <-time.After(patience):
		w.t.Fatal("the worker does not end")
	}
	if exit := w.Exit(); exit.Code != 0 || exit.Signal != 0 {
		w.t.Errorf("the worker ended with %v, want exit status 0", exit)
	}
	f := w.read()
	if f.Torn || f.Damage != "" || !f.Closed() {
		w.t.Errorf("the ledger is not whole: torn %v, damage %q, closed %v", f.Torn, f.Damage, f.Closed())
	}
	return f
}

// crashed waits for the end by signal 9 and checks the last words.
func (w *member) crashed(point string) ledger.File {
	w.t.Helper()
	select {
	case <-w.Done():
	case <-time.After(patience):
		w.t.Fatalf("the worker did not crash at %s", point)
	}
	if w.Exit().Signal != syscall.SIGKILL {
		w.t.Errorf("the worker ended with %v, want signal 9", w.Exit())
	}
	f := w.read()
	if f.Torn || f.Damage != "" {
		w.t.Errorf("the ledger is not whole: torn %v, damage %q", f.Torn, f.Damage)
	}
	if last := f.Lines[len(f.Lines)-1]; last.Event != ledger.Checkpoint || last.Point != point {
		w.t.Errorf("the last line is %s %s, want checkpoint %s", last.Event, last.Point, point)
	}
	return f
}

func count(f ledger.File, event ledger.Event) (n int) {
	for _, l := range f.Lines {
		if l.Event == event {
			n++
		}
	}
	return n
}

// events are those of one task that are named, in order.
func events(f ledger.File, id string, named ...ledger.Event) string {
	var words []string
	for _, l := range f.Lines {
		if l.Task == id && slices.Contains(named, l.Event) {
			words = append(words, string(l.Event))
		}
	}
	return strings.Join(words, " ")
}

// until looks until it is so.
func until(t *testing.T, so func() bool, why func() string) {
	t.Helper()
	for end := time.Now().Add(patience); !so(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal(why())
		}
	}
}

// message makes one of our own.
func message(t testing.TB, name string, args ...any) *task.Message {
	t.Helper()
	m, err := task.New(name, task.Options{}, args...)
	if err != nil {
		t.Fatal(err)
	}
	return m
}
