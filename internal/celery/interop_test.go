package celery_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"acklab/broker"
	"acklab/internal/celery"
	"acklab/internal/connect"
	"acklab/internal/ledger"
	"acklab/internal/server"
	"acklab/internal/server/servertest"
	"acklab/result"
	"acklab/task"
	"acklab/task/demo"
	"acklab/worker"
)

// order is one message that Python is asked to publish.
type order struct {
	Task    string         `json:"task,omitempty"`
	Args    []any          `json:"args,omitempty"`
	Kwargs  map[string]any `json:"kwargs,omitempty"`
	Options map[string]any `json:"options,omitempty"`
	Wait    float64        `json:"wait,omitempty"`
	// Workflow, when it is there, is published instead: Celery's own word for it.
	Workflow *task.Signature `json:"workflow,omitempty"`
}

// answer is what it says of it.
type answer struct {
	ID     string
	Result any
	Error  string
}

// send has a Python producer publish the orders, and returns its answers and its
// ledger.
func (b *bench) send(t *testing.T, queue, result string, orders ...order) ([]answer, ledger.File) {
	t.Helper()
	return b.sendAt(t, b.url, queue, result, orders...)
}

// sendAt is send with another URL of the same broker.
func (b *bench) sendAt(t *testing.T, url, queue, result string, orders ...order) ([]answer, ledger.File) {
	t.Helper()
	dir := t.TempDir()
	path, out, log := filepath.Join(dir, "producer.jsonl"), filepath.Join(dir, "out"), filepath.Join(dir, "log")
	p, err := b.minder.Run(b.app.Sender(url, result, queue, "producer", dir, path, out, log))
	if err != nil {
		t.Fatal(err)
	}
	defer p.Kill(context.Background())
	for _, o := range orders {
		line, err := json.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		if err := p.WriteStdin(append(line, '\n')); err != nil {
			t.Fatal(err)
		}
	}
	var answers []answer
	until(t, func() bool {
		answers = answers[:0]
		text, _ := os.ReadFile(out)
		for line := range strings.Lines(string(text)) {
			var a answer
			if json.Unmarshal([]byte(line), &a) == nil {
				answers = append(answers, a)
			}
		}
		if len(answers) < len(orders) && !p.Alive() {
			said, _ := os.ReadFile(log)
			t.Fatalf("the Python producer ended with %v:\n%s", p.Exit(), said)
		}
		return len(answers) >= len(orders)
	}, func() string { return "the Python producer does not answer" })
	f, err := ledger.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	return answers, f
}

// ours runs a worker of ours until the test ends. Its results go to the Redis at
// the URL; empty: nowhere.
func (b *bench) ours(t *testing.T, queue, results string) func() ledger.File {
	t.Helper()
	return b.oursTrying(t, queue, results, nil)
}

// oursTrying is ours with retry policies that are changed; nil: as they are.
func (b *bench) oursTrying(t *testing.T, queue, results string, retry func(task.RetryPolicy) task.RetryPolicy) func() ledger.File {
	t.Helper()
	var store result.Store
	if results != "" {
		var err error
		if store, err = connect.OpenResult(t.Context(), results, result.Options{}); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { store.Close(context.Background()) })
	}
	path := filepath.Join(t.TempDir(), "ours.jsonl")
	book, err := ledger.Create(path, map[string]string{"name": "ours"})
	if err != nil {
		t.Fatal(err)
	}
	registry := task.NewRegistry()
	demo.Register(registry)
	w, err := worker.New(worker.Config{
		Open: func(ctx context.Context, o broker.Options) (broker.Broker, error) {
			return connect.Open(ctx, b.url, o)
		},
		Registry: registry, Sources: []broker.Source{{Queue: queue}}, Concurrency: 2, PrefetchMultiplier: 4, Ack: worker.Late,
		Grace: 5 * time.Second, Ledger: book, Results: store, Retry: retry,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx, nil) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("our worker: %v", err)
		}
		book.Close()
	})
	t.Cleanup(func() {
		if t.Failed() {
			lines, _ := os.ReadFile(path)
			t.Logf("the ledger of our worker:\n%s", lines)
		}
	})
	return func() ledger.File {
		f, err := ledger.Read(path)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
}

var long = strings.Repeat("payload ", 1<<17) // 1 MiB

func TestOurWorkerRunsWhatPythonPublishes(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		orders := []order{
			{Task: "add", Args: []any{4, 4}},
			{Task: "add", Kwargs: map[string]any{"y": 1.5, "x": 2}},
			{Task: "send_email", Args: []any{`"Grüße 😀" <ü@example.jp>`}, Kwargs: map[string]any{"ms": 1}},
			{Task: "panic", Args: []any{long}},
			{Task: "noop", Options: map[string]any{"priority": 9, "retries": 2}},
			{Task: "noop", Options: map[string]any{"countdown": 0.3}},
			{Task: "noop", Options: map[string]any{"expires": -60}},
			{Task: "no_such_task"},
		}
		file := b.ours(t, "interop", "")
		answers, sent := b.send(t, "interop", "", orders...)
		ends := []ledger.Event{ledger.Finished, ledger.Finished, ledger.Finished, ledger.Failed, ledger.Finished, ledger.Finished, ledger.Expired, ledger.Rejected}
		expired := 1
		if b.rabbit != nil {
			// Celery's producer also tells RabbitMQ when a message expires. What
			// has expired is dropped unless a consumer can take it at once.
			expired, ends[6] = 0, ""
		}
		finished := func(f ledger.File) bool {
			return count(f, ledger.Finished) >= 5 && count(f, ledger.Failed) >= 1 && count(f, ledger.Expired) >= expired && count(f, ledger.Rejected) >= 1
		}
		until(t, func() bool { return finished(file()) }, func() string { return "our worker is not done" })
		f := file()
		for i, a := range answers {
			if a.Error != "" {
				t.Errorf("order %d: %s", i, a.Error)
			}
			if ends[i] == "" {
				if got := first(f, a.ID, ledger.Started); got.Seq != 0 {
					t.Errorf("order %d began though it had expired: %+v", i, got)
				}
				continue
			}
			if events(f, a.ID, ends[i]) != string(ends[i]) {
				t.Errorf("order %d, %s: no %s; it has %s", i, orders[i].Task, ends[i], events(f, a.ID, ledger.Received, ledger.Postponed, ledger.Started, ledger.Finished, ledger.Failed, ledger.Rejected, ledger.Expired))
			}
			published, received := first(sent, a.ID, ledger.Attempted), first(f, a.ID, ledger.Received)
			if published.Hash == "" || published.Hash != received.Hash || published.Message != received.Message || published.Name != received.Name || published.Retries != received.Retries {
				t.Errorf("order %d was published as %+v and received as %+v", i, published, received)
			}
		}
		if l := first(f, answers[4].ID, ledger.Received); l.Retries != 2 {
			t.Errorf("its retry number is %d, want 2", l.Retries)
		}
		if eta, begun := first(sent, answers[5].ID, ledger.Attempted).ETA, first(f, answers[5].ID, ledger.Started).Mono; eta == 0 || begun < eta {
			t.Errorf("began %v before its time", time.Duration(eta-begun))
		}
	})
}

// first is the first line of the event about the task.
func first(f ledger.File, id string, event ledger.Event) ledger.Line {
	for _, l := range f.Lines {
		if l.Task == id && l.Event == event {
			return l
		}
	}
	return ledger.Line{}
}

func TestCeleryRunsWhatWePublishAndStoresItsResult(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		results := b.redis
		if results == nil { // RabbitMQ as the broker, Redis for results: the usual pair
			results = servertest.Redis(t, server.RedisOptions{}).Client()
			defer results.Close()
		}
		queue := "results"
		now := time.Now()
		cases := []struct {
			m      *task.Message
			status string
			result any
		}{
			{message(t, "add", 4, 4), "SUCCESS", 8.0},
			{message(t, "send_email", "ü😀@example.jp", 1), "SUCCESS", "sent to ü😀@example.jp"},
			{with(message(t, "add"), func(m *task.Message) {
				m.Kwargs = map[string]json.RawMessage{"x": json.RawMessage("1"), "y": json.RawMessage("0.5")}
			}), "SUCCESS", 1.5},
			{message(t, "panic", long), "FAILURE", nil},
			{message(t, "daily_report", "2026-11-21"), "SUCCESS", ourResult(t, "daily_report", "2026-11-21")},
			{message(t, "web_scrape", "http://a:secret@example.org/x"), "SUCCESS", ourResult(t, "web_scrape", "http://a:secret@example.org/x")},
			{message(t, "process_payment", "o-1", 12.25), "SUCCESS", ourResult(t, "process_payment", "o-1", 12.25)},
			{with(message(t, "fail_n_times", 2), func(m *task.Message) { m.Retries = 2 }), "SUCCESS", 3.0},
			{with(message(t, "noop"), func(m *task.Message) { m.ETA = now.Add(500 * time.Millisecond) }), "SUCCESS", nil},
			{with(message(t, "noop"), func(m *task.Message) { m.Expires = now.Add(-time.Minute) }), "REVOKED", nil},
			{with(message(t, "sleep", 60), func(m *task.Message) { m.HardLimit = time.Second }), "FAILURE", nil},
			{message(t, "no_such_task"), "FAILURE", nil},
		}
		var all []*task.Message
		for _, c := range cases {
			all = append(all, c.m)
		}
		b.publish(t, queue, all...)
		w := b.start(t, queue, celery.Options{Result: "redis://" + results.Options().Addr + "/0", Concurrency: 2, Multiplier: 10, AcksLate: true, TrackStarted: true})
		for _, c := range cases {
			var meta struct {
				Status string
				Result any
			}
			until(t, func() bool {
				text, _ := results.Get(t.Context(), "celery-task-meta-"+c.m.TaskID).Bytes()
				return json.Unmarshal(text, &meta) == nil && meta.Status != "STARTED"
			}, func() string { return "no result of " + c.m.Name })
			if meta.Status != c.status {
				t.Errorf("%s: %s, want %s", c.m.Name, meta.Status, c.status)
			}
			if got, want := inJSON(t, meta.Result), inJSON(t, c.result); c.status == "SUCCESS" && got != want {
				t.Errorf("%s: result %s, want %s", c.m.Name, got, want)
			}
		}
		w.await(ledger.AckSent, len(cases)-1)
		f := w.stop()
		for i, c := range cases {
			if got := events(f, c.m.TaskID, ledger.ResultStored); !strings.HasSuffix(got, "result-stored") {
				t.Errorf("case %d, %s: the ledger knows of no result", i, c.m.Name)
			}
		}
		// STARTED is stored before the function begins.
		if got, want := events(f, all[0].TaskID, ledger.Started, ledger.Finished, ledger.ResultStored, ledger.AckSent), "result-stored started finished result-stored ack-sent"; got != want {
			t.Errorf("the first: %s, want %s", got, want)
		}
		if got := events(f, all[9].TaskID, ledger.Received, ledger.Expired, ledger.Started, ledger.AckSent); got != "received expired ack-sent" {
			t.Errorf("what had expired: %s", got)
		}
		if l := first(f, all[10].TaskID, ledger.Failed); !l.Final || !strings.Contains(l.Reason, "time limit") {
			t.Errorf("what took too long failed as %+v", l)
		}
		if eta := ledger.MonoAt(all[8].ETA); first(f, all[8].TaskID, ledger.Started).Mono < eta {
			t.Error("it began before its time")
		}
	})
}

func TestPythonToPython(t *testing.T) {
	t.Parallel()
	b := onRedis(t)
	w := b.start(t, "pair", celery.Options{Result: b.url, Multiplier: 4})
	answers, sent := b.send(t, "pair", b.url, order{Task: "add", Args: []any{1, 2}, Wait: 30}, order{Task: "no_such_task", Wait: 30})
	if answers[0].Result != 3.0 || answers[0].Error != "" || !strings.Contains(answers[1].Error, "NotRegistered") {
		t.Errorf("answers %+v, want 3 and an error of an unregistered task", answers)
	}
	f := w.stop()
	for _, a := range []ledger.Event{ledger.Attempted, ledger.Confirmed} {
		if count(sent, a) != 2 {
			t.Errorf("%d x %s, want 2", count(sent, a), a)
		}
	}
	if p, r := sent.Lines[1], f.Lines[3]; r.Event != ledger.Received || p.Hash != r.Hash || p.Message != r.Message {
		t.Errorf("published as %+v, received as %+v", p, r)
	}
}

func with(m *task.Message, change func(*task.Message)) *task.Message {
	change(m)
	return m
}

// ourResult is what our handler returns for the same arguments.
func ourResult(t *testing.T, name string, args ...any) any {
	t.Helper()
	registry := task.NewRegistry()
	demo.Register(registry)
	h, err := registry.Lookup(name)
	if err != nil {
		t.Fatal(err)
	}
	result, err := h(t.Context(), &task.Call{Message: message(t, name, args...)})
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// inJSON makes values comparable that went through JSON.
func inJSON(t *testing.T, v any) string {
	t.Helper()
	var plain any
	b, err := json.Marshal(v)
	if err == nil {
		err = json.Unmarshal(b, &plain)
	}
	if err == nil {
		b, err = json.Marshal(plain)
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
