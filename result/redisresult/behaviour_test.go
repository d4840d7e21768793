package redisresult_test

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"acklab/internal/server"
	"acklab/internal/server/servertest"
	"acklab/result"
	"acklab/task"
)

var done = time.Date(2026, 11, 21, 7, 31, 43, 594084000, time.UTC)

func TestAURLIsReadOrRefusedWithoutItsPassword(t *testing.T) {
	t.Parallel()
	refused(t, map[string]string{
		"redis://:s3cret@/0":              "names no host",
		"redis://h/zero":                  "no number from 0",
		"redis://h/-1":                    "no number from 0",
		"redis://h:12/s3cret@host/0":      "no number from 0",
		"redis://h:12?s3cret@host/0":      "@",
		"redis://bob@h/0":                 "user without a password",
		"redis://h/0?ttl=1h":              `unknown option "ttl"`,
		"redis://h/0?expires=1":           "expires=1",
		"redis://h:0/0":                   "port",
		"redis://:s3%zzcret@h/0":          "cannot be read",
		"redis://:s3#cret@h/0":            "", // whatever is said, not the password
		"redis://h/0#x":                   "fragment",
		"asynq://:s3cret@h/0?expires=24h": `scheme "asynq"`,
	})
	for _, raw := range []string{"redis://h", "redis://h/", "rediss://u:s3cret@h:1/15?expires=0", "redis://:s3cret@[::1]:6379/0?expires=24h"} {
		open(t, raw, result.Options{})
	}
}

// The key, the channel and the text are what Celery's clients look for.
func TestRedisHoldsAndPublishesWhatCelerysClientsLookFor(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	r := servertest.Redis(t, server.RedisOptions{})
	s := open(t, r.URL("")+"?expires=24h", result.Options{})
	c := r.Client()
	defer c.Close()
	sub := c.Subscribe(ctx, "celery-task-meta-t1")
	defer sub.Close()
	if _, err := sub.Receive(ctx); err != nil {
		t.Fatal(err)
	}
	if err := s.Store(ctx, result.Result{TaskID: "t1", State: task.Success, Value: json.RawMessage("9"), Done: done}); err != nil {
		t.Fatal(err)
	}
	const want = `{"status":"SUCCESS","result":9,"traceback":null,"children":[],"date_done":"2026-11-21T07:31:43.594084","task_id":"t1"}`
	if got := c.Get(ctx, "celery-task-meta-t1").Val(); got != want {
		t.Errorf("held\n%s\nwant\n%s", got, want)
	}
	if ttl := c.TTL(ctx, "celery-task-meta-t1").Val(); ttl <= 24*time.Hour-time.Minute || ttl > 24*time.Hour {
		t.Errorf("it lives for %v", ttl)
	}
	m, err := sub.ReceiveMessage(ctx)
	if err != nil || m.Payload != want {
		t.Errorf("published %v, %v", m, err)
	}
	if err := s.Forget(ctx, "t1"); err != nil || c.Exists(ctx, "celery-task-meta-t1").Val() != 0 {
		t.Errorf("forget: %v, and the key is there", err)
	}
}

func TestAResultWithoutExpiryHasNone(t *testing.T) {
	t.Parallel()
	r := servertest.Redis(t, server.RedisOptions{})
	s := open(t, r.URL("")+"?expires=0", result.Options{})
	if err := s.Store(t.Context(), result.Result{TaskID: "t1", State: task.Started}); err != nil {
		t.Fatal(err)
	}
	c := r.Client()
	defer c.Close()
	if ttl := c.TTL(t.Context(), "celery-task-meta-t1").Val(); ttl != -1 {
		t.Errorf("it lives for %v", ttl)
	}
}

// Python writes blanks after colons and commas, and another program may write the
// keys in another order.
func TestWhatCeleryHasFinishedIsNotReplaced(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	r := servertest.Redis(t, server.RedisOptions{})
	s := open(t, r.URL(""), result.Options{})
	c := r.Client()
	defer c.Close()
	started := result.Result{TaskID: "t1", State: task.Started}
	for text, want := range map[string]error{
		`{"status": "SUCCESS", "result": {"status": "STARTED"}, "traceback": null, "children": [], "date_done": "2026-11-21T07:31:43.594084", "task_id": "t1"}`:      result.ErrFinished,
		`{"task_id": "t1", "result": null, "padding": "0123456789012345678901234567890123456789012345678901234567890123456789", "status": "REVOKED"}`:                result.ErrFinished,
		`{"status": "FAILURE", "result": {"exc_type": "E", "exc_message": ["\u00e4"], "exc_module": "m"}, "traceback": "t", "children": [], "date_done": null}`:      result.ErrFinished,
		`{"status": "RETRY", "result": {"exc_type": "E", "exc_message": [], "exc_module": "m"}, "traceback": null, "children": [], "date_done": null, "retries": 1}`: result.ErrOutdated,
		`{"status": "STARTED", "result": {"pid": 7, "hostname": "h", "status": "SUCCESS"}, "traceback": null, "children": [], "date_done": null, "retries": null}`:   nil,
		`{"status": "PROGRESS", "result": {"done": 3}, "traceback": null, "children": null, "date_done": null, "task_id": "t1"}`:                                     nil,
		`{"status": "PENDING"}`: nil, `not JSON`: nil, `{"status": 5}`: nil, `"SUCCESS"`: nil, `{"status":"\u0053UCCESS"}`: result.ErrFinished,
	} {
		if err := c.Set(ctx, "celery-task-meta-t1", text, 0).Err(); err != nil {
			t.Fatal(err)
		}
		if err := s.Store(ctx, started); !errors.Is(err, want) || (err == nil) != (want == nil) {
			t.Errorf("STARTED over %s: %v; want %v", text, err, want)
		}
		if got := c.Get(ctx, "celery-task-meta-t1").Val(); (got == text) != (want != nil) {
			t.Errorf("after STARTED over %s there is %s", text, got)
		}
	}
	if err := c.Set(ctx, "celery-task-meta-t1", `{"status": "PROGRESS", "result": {"done": 3}, "traceback": null, "children": null, "date_done": null}`, 0).Err(); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Get(ctx, "t1"); err != nil || got.State != "PROGRESS" || string(got.Value) != `{"done": 3}` {
		t.Errorf("a state of Celery's own making: %+v, %v", got, err)
	}
}

func TestRedisThatHasForgottenItsScriptsIsToldAgain(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	r := servertest.Redis(t, server.RedisOptions{})
	s := open(t, r.URL(""), result.Options{})
	c := r.Client()
	defer c.Close()
	for i := range 3 {
		if err := s.Store(ctx, result.Result{TaskID: "t1", State: task.Started, Retries: i}); err != nil {
			t.Errorf("store %d: %v", i, err)
		}
		if err := c.ScriptFlush(ctx).Err(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestARedisThatRefusesIsUnavailableAndItsPasswordIsNotShown(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	r := servertest.Redis(t, server.RedisOptions{Password: "s3cret"})
	one := result.Result{TaskID: "t1", State: task.Started}
	if err := open(t, r.URL(""), result.Options{}).Store(ctx, one); err != nil {
		t.Error(err)
	}
	for _, url := range []string{"redis://" + r.Addr() + "/0", "redis://:other@" + r.Addr() + "/0"} {
		if err := open(t, url, result.Options{}).Store(ctx, one); !errors.Is(err, result.ErrUnavailable) {
			t.Errorf("with a wrong password: %v", err)
		}
	}
	full := servertest.Redis(t, server.RedisOptions{Args: []string{"--maxmemory", "1", "--maxmemory-policy", "noeviction"}})
	if err := open(t, full.URL(""), result.Options{}).Store(ctx, one); !errors.Is(err, result.ErrUnavailable) {
		t.Errorf("a full server: %v", err)
	}
}

func TestTraitsTellWhatOutlivesRedis(t *testing.T) {
	t.Parallel()
	for mode, want := range map[server.Persistence]result.Durability{
		server.None: result.Volatile, server.RDB: result.Volatile, server.AOFEverySec: result.Written, server.AOFAlways: result.Synced,
	} {
		r := servertest.Redis(t, server.RedisOptions{Persistence: mode})
		s := open(t, r.URL(""), result.Options{})
		if got := s.Traits(t.Context()); got.Durable != want || got.Version != r.Version(t.Context()) {
			t.Errorf("%s: %+v; want %s", mode, got, want)
		}
	}
	if got := open(t, "redis://127.0.0.1:1/0", result.Options{}).Traits(t.Context()); got.Durable != result.Unknown || got.Version != "" {
		t.Errorf("nobody there: %+v", got)
	}
}
