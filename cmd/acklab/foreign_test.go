package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"syscall"
	"testing"

	"github.com/google/uuid"
	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/redis/go-redis/v9"

	"acklab/broker"
	"acklab/internal/ledger"
)

// foreign is what another program put on a queue and a worker cannot run.
type foreign struct {
	name        string
	contentType string // empty: JSON
	headers     map[string]any
	body        string
	raw         string // all that lies in a Redis list, where it is no envelope
	want        string // the reason in the dead letters
}

// ofCelery are headers that Celery would write.
func ofCelery(name string) map[string]any {
	return map[string]any{"lang": "py", "task": name, "id": uuid.NewString(), "retries": 0}
}

const emptyBody = `[[], {}, {}]`

// foreigners can come over any broker.
func foreigners() []foreign {
	pickle := "\x80\x04\x95\x0b\x00\x00\x00\x00\x00\x00\x00(]}}t."
	return []foreign{
		{name: "a body that is no JSON", headers: ofCelery("noop"), body: "what is this", want: "the body is not [args, kwargs, embed]: at byte 1"},
		{name: "an unknown content type", contentType: "text/plain", headers: ofCelery("noop"), body: emptyBody, want: `unknown content type "text/plain"`},
		{name: "pickle", contentType: "application/x-python-serialize", headers: ofCelery("noop"), body: pickle, want: "pickle is never read"},
		{name: "a body of another shape", headers: ofCelery("noop"), body: `[[], {}]`, want: "the body is an array of 2"},
		{name: "protocol 1", headers: map[string]any{}, body: `{"task": "noop", "id": "of-protocol-1", "args": [], "kwargs": {}, "retries": 0}`, want: "protocol 1"},
		{name: "an unknown task", headers: ofCelery("app.of_somebody_else"), body: emptyBody, want: `unknown task "app.of_somebody_else"`},
		{name: "a message of nobody", headers: map[string]any{}, body: emptyBody, want: "no task name"},
	}
}

// strangers can lie in a Redis list only.
func strangers() []foreign {
	return []foreign{
		{name: "no JSON", raw: "what is this", want: "the envelope is not a JSON object"},
		{name: "no text", raw: "\xff\x00\xfe", want: "the envelope is not UTF-8"},
		{name: "no base64", raw: strings.Replace(foreign{headers: ofCelery("noop")}.envelope(), `"body":"`, `"body":"%`, 1), want: "the body is not base64"},
		{name: "no envelope", raw: `{"task": "noop"}`, want: "the envelope has no body"},
	}
}

// envelope is the message as kombu writes it to Redis.
func (f foreign) envelope() string {
	if f.raw != "" {
		return f.raw
	}
	text, err := json.Marshal(map[string]any{
		"body": base64.StdEncoding.EncodeToString([]byte(f.body)), "content-encoding": "utf-8", "content-type": f.mime(), "headers": f.headers,
		"properties": map[string]any{"body_encoding": "base64", "delivery_mode": 2, "delivery_tag": uuid.NewString()},
	})
	if err != nil {
		panic(err)
	}
	return string(text)
}

func (f foreign) mime() string {
	if f.contentType == "" {
		return "application/json"
	}
	return f.contentType
}

func TestWhatAWorkerOnRedisCannotRunIsDeadWithItsReasonAndTheNextTaskRuns(t *testing.T) {
	t.Parallel()
	for db, late := range map[int]bool{4: false, 5: true} { // each has its own hash unacked
		t.Run(fmt.Sprintf("late %t", late), func(t *testing.T) {
			t.Parallel()
			raw := redis.NewClient(&redis.Options{Addr: redisAddr(t), DB: db, MaxRetries: -1, DisableIdentity: true})
			t.Cleanup(func() { raw.Close() })
			url := fmt.Sprintf("redis://%s/%d?visibility=10m", redisAddr(t), db)
			all := append(strangers(), foreigners()...)
			q := surviveForeigners(t, url, late, all, func(q string, f foreign) error {
				return raw.LPush(within(t), q, f.envelope()).Err()
			})

			letters, err := raw.LRange(within(t), q+".dead", 0, -1).Result() // LPUSH: the last is first
			if err != nil || len(letters) != len(all) {
				t.Fatalf("%d dead letters, %v; want %d", len(letters), err, len(all))
			}
			for i, f := range all {
				var letter struct{ Headers map[string]any }
				if err := json.Unmarshal([]byte(letters[len(all)-1-i]), &letter); err != nil {
					t.Errorf("%s: its dead letter is no JSON: %v", f.name, err)
				} else if why, _ := letter.Headers["x-acklab-reason"].(string); !strings.Contains(why, f.want) {
					t.Errorf("%s: its dead letter says %q; want %q in it", f.name, why, f.want)
				}
			}
			for key, count := range map[string]*redis.IntCmd{
				"unacked": raw.HLen(within(t), "unacked"), "unacked_index": raw.ZCard(within(t), "unacked_index"), q: raw.LLen(within(t), q),
			} {
				if n, err := count.Result(); n != 0 || err != nil {
					t.Errorf("%s holds %d, %v", key, n, err)
				}
			}
		})
	}
}

func TestWhatAWorkerOnRabbitMQCannotRunIsDeadWithItsReasonAndTheNextTaskRuns(t *testing.T) {
	t.Parallel()
	for _, late := range []bool{false, true} {
		t.Run(fmt.Sprintf("late %t", late), func(t *testing.T) {
			t.Parallel()
			url := "amqp://guest:guest@" + rabbitAddr(t) + "/"
			conn, err := amqp.Dial(url)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { conn.Close() })
			raw, err := conn.Channel()
			if err != nil {
				t.Fatal(err)
			}
			surviveForeigners(t, url, late, foreigners(), func(q string, f foreign) error {
				return raw.PublishWithContext(within(t), "", q, true, false, amqp.Publishing{
					Headers: amqp.Table(f.headers), ContentType: f.mime(), ContentEncoding: "utf-8", Body: []byte(f.body),
				})
			})
		})
	}
}

// surviveForeigners gives a worker one foreign message after the other, each
// followed by a task that it must run, and returns the queue.
func surviveForeigners(t *testing.T, url string, late bool, all []foreign, push func(queue string, f foreign) error) string {
	t.Helper()
	b, c := newBox(t), dial(t, url)
	q, log := c.newQueue(), b.path("worker.jsonl")
	w := b.start("worker", "-b", url, "-Q", q, "-c", "1", fmt.Sprintf("--acks-late=%t", late), "--ledger", log)
	w.await(log, ledger.Consuming, 1)
	for i, f := range all {
		if err := push(q, f); err != nil {
			t.Fatalf("%s: %v", f.name, err)
		}
		rejected := w.await(log, ledger.Rejected, i+1)[i]
		next := c.put(q, "noop")
		if l := w.await(log, ledger.Finished, i+1)[i]; l.Task != next {
			t.Errorf("after %s it finished %+v; want task %s", f.name, l, next)
		}
		why := lines(t, log, ledger.Rejecting)[i]
		if why.Message != rejected.Message || !strings.Contains(why.Reason, f.want) {
			t.Errorf("%s: rejecting %+v; want %q in the reason; rejected %+v", f.name, why, f.want, rejected)
		}
	}
	w.signal(syscall.SIGTERM)
	w.ended(0)
	if ran := lines(t, log, ledger.Started); len(ran) != len(all) {
		t.Errorf("it ran %d tasks; want %d", len(ran), len(all))
	}
	if bad := lines(t, log, ledger.AckUnsure, ledger.StaleAck, ledger.Lost, ledger.Requeued); len(bad) > 0 {
		t.Errorf("its ledger has %+v", bad)
	}
	var reasons []string
	for h, err := range c.Census(within(t), q) {
		if err != nil {
			t.Fatal(err)
		}
		if h.State != broker.Dead {
			t.Errorf("the broker holds %+v in state %s", h.Message, h.State)
		}
		reasons = append(reasons, h.Reason)
	}
	said := strings.Join(reasons, "\n")
	for _, f := range all {
		if !strings.Contains(said, f.want) {
			t.Errorf("%s: no dead letter says %q", f.name, f.want)
		}
	}
	if len(reasons) != len(all) {
		t.Errorf("%d dead letters; want %d", len(reasons), len(all))
	}
	return q
}
