package redisbroker_test

import (
	"context"
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"acklab/broker"
	"acklab/internal/server"
	"acklab/internal/server/servertest"
	"acklab/task"
)

// celerySent is what Celery puts on a list, with NAME for its message id.
const celerySent = `{"body": "W1syLDNdLHt9LHsiY2FsbGJhY2tzIjpudWxsLCJlcnJiYWNrcyI6bnVsbCwiY2hhaW4iOm51bGwsImNob3JkIjpudWxsfV0=", "content-encoding": "utf-8", "content-type": "application/json", "headers": {"lang": "py", "task": "app.add", "id": "t-NAME", "root_id": "t-NAME", "parent_id": null, "group": null, "group_index": null, "shadow": null, "eta": null, "expires": null, "retries": 0, "timelimit": [null, null], "argsrepr": "(2, 3)", "kwargsrepr": "{}", "origin": "gen1@host", "ignore_result": false}, "properties": {"correlation_id": "t-NAME", "reply_to": "r1", "delivery_mode": 2, "priority": 0, "body_encoding": "base64", "delivery_tag": "NAME", "delivery_info": {"exchange": "", "routing_key": "celery"}}}`

func sent(name string) string { return strings.ReplaceAll(celerySent, "NAME", name) }

func TestWhatLiesInRedisIsWhatACeleryWorkerExpects(t *testing.T) {
	t.Parallel()
	r := servertest.Redis(t, server.RedisOptions{})
	c := dial(t, r)
	ctx := within(t, patience)
	b := open(t, r.Addr(), "", broker.Options{})
	if err := b.Declare(ctx, "celery"); err != nil {
		t.Fatal(err)
	}
	if got := c.SMembers(ctx, "_kombu.binding.celery").Val(); !slices.Equal(got, []string{"celery\x06\x16\x06\x16celery"}) {
		t.Errorf("the binding is %q", got)
	}
	m := message(t, "celery", 2, 3)
	low := message(t, "celery")
	low.Priority = 4 // 6 on the wire
	confirm(t, b, m, low)
	if n := c.LLen(ctx, "celery\x06\x166").Val(); n != 1 {
		t.Errorf("%d messages of priority 4 are in step 6", n)
	}
	on := c.LRange(ctx, "celery", 0, -1).Val()
	if len(on) != 1 {
		t.Fatalf("the list holds %q", on)
	}
	var envelope struct {
		Properties struct {
			Tag  string         `json:"delivery_tag"`
			Info map[string]any `json:"delivery_info"`
		} `json:"properties"`
	}
	if err := json.Unmarshal([]byte(on[0]), &envelope); err != nil {
		t.Fatal(err)
	}
	if p := envelope.Properties; p.Tag != m.ID || p.Info["exchange"] != "" || p.Info["routing_key"] != "celery" {
		t.Errorf("the properties are %+v", p)
	}
	before := time.Now()
	consumer := consume(t, b, "celery", 1)
	d := receive(t, consumer)
	entries := c.HGetAll(ctx, "unacked").Val()
	if want := "[" + on[0] + `,"","celery"]`; len(entries) != 1 || entries[m.ID] != want {
		t.Errorf("unacked holds %q; want %q", entries, want)
	}
	index := c.ZRangeWithScores(ctx, "unacked_index", 0, -1).Val()
	if len(index) != 1 || index[0].Member != m.ID || math.Abs(index[0].Score-float64(before.UnixMicro())/1e6) > patience.Seconds() {
		t.Errorf("unacked_index holds %v", index)
	}
	ack(t, d)
	ack(t, receive(t, consumer))
	flush(t, consumer)
	if n := c.Exists(ctx, "unacked", "unacked_index", "celery").Val(); n != 0 {
		t.Errorf("%d of the keys are left", n)
	}
}

func TestCelerysProducerIsServed(t *testing.T) {
	t.Parallel()
	r := servertest.Redis(t, server.RedisOptions{})
	b := open(t, r.Addr(), "", broker.Options{})
	c := consume(t, b, "celery", 10)
	run(t, r, "lpush", "celery", sent("m1"))
	d := receive(t, c)
	if d.Malformed != nil || d.Message.ID != "m1" || d.Message.Name != "app.add" || len(d.Message.Args) != 2 || d.Seen != broker.SeenFirst {
		t.Errorf("received %+v, %+v", d, d.Message)
	}
	if err := d.Requeue(t.Context()); err != nil {
		t.Fatal(err)
	}
	again := receive(t, c)
	if again.Message.ID != "m1" || again.Seen != broker.SeenAgain {
		t.Errorf("it came back as %+v", again)
	}
	ack(t, again)
	flush(t, c)
	wantIDs(t, b, "celery", 0)
}

// TestWhatADeadCeleryWorkerHeldIsRestored writes what kombu writes, for a queue
// that is bound to an exchange of another name too, and an index without a
// message.
func TestWhatADeadCeleryWorkerHeldIsRestored(t *testing.T) {
	t.Parallel()
	r := servertest.Redis(t, server.RedisOptions{})
	long := strconv.FormatInt(time.Now().Add(-2*time.Hour).Unix(), 10) + ".25"
	now := strconv.FormatInt(time.Now().Unix(), 10)
	run(t, r, "sadd", "_kombu.binding.tasks", "key\x06\x16\x06\x16celery")
	run(t, r, "hset", "unacked", "m1", "["+sent("m1")+`, "", "celery"]`, "m2", "["+sent("m2")+`, "tasks", "key"]`, "m3", "["+sent("m3")+`, "", "celery"]`, "odd", "nobody can read this")
	run(t, r, "zadd", "unacked_index", long, "m1", long, "m2", now, "m3", long, "gone", long, "odd")
	b := open(t, r.Addr(), "", broker.Options{}) // with Celery's hour
	c := consume(t, b, "celery", 10)
	got := map[string]broker.Seen{}
	for range 2 {
		d := receive(t, c)
		got[d.Message.ID] = d.Seen
		ack(t, d)
	}
	if got["m1"] != broker.SeenAgain || got["m2"] != broker.SeenAgain {
		t.Errorf("received %v; want m1 and m2, marked", got)
	}
	flush(t, c)
	client := dial(t, r)
	eventually(t, "only what is young, and what cannot be read, is left", func() bool {
		left := client.ZRange(t.Context(), "unacked_index", 0, -1).Val()
		slices.Sort(left)
		return slices.Equal(left, []string{"m3", "odd"})
	})
	for _, err := range b.Census(t.Context(), "celery") {
		if err != nil {
			return // what cannot be read may be of this queue
		}
	}
	t.Error("a census with an entry that nobody can read says it is complete")
}

func TestPrioritiesAreServedInFourSteps(t *testing.T) {
	t.Parallel()
	r := servertest.Redis(t, server.RedisOptions{})
	sent := []int{9, 5, 0, 3, 8, 2, 6, 7, 1, 4}
	for _, c := range []struct {
		query string
		wire  [10]int // by priority
		want  []int
	}{
		{"priority=on", [10]int{9, 8, 7, 6, 5, 4, 3, 2, 1, 0}, []int{9, 8, 7, 5, 6, 4, 3, 2, 1, 0}},
		{"", [10]int{0, 9, 8, 7, 6, 5, 4, 3, 2, 1}, []int{9, 0, 8, 5, 6, 7, 3, 2, 4, 1}}, // what has none is where Celery puts it
	} {
		b := open(t, r.Addr(), c.query, broker.Options{})
		queue := "q-" + c.query
		for _, priority := range sent {
			m := message(t, queue, priority)
			m.Priority = priority
			confirm(t, b, m)
			list := queue + stepOf(c.wire[priority])
			var wire struct {
				Properties struct{ Priority int }
			}
			if err := json.Unmarshal([]byte(dial(t, r).LIndex(t.Context(), list, 0).Val()), &wire); err != nil || wire.Properties.Priority != c.wire[priority] {
				t.Errorf("%s: priority %d is %+v on list %q, %v", c.query, priority, wire, list, err)
			}
		}
		all := consume(t, b, queue, len(sent)) // and what is given back finds its list
		for range sent {
			if err := receive(t, all).Requeue(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if err := all.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		for step, want := range map[int]int64{0: 3, 3: 3, 6: 3, 9: 1} {
			if n := dial(t, r).LLen(t.Context(), queue+stepOf(step)).Val(); n != want {
				t.Errorf("%s: step %d holds %d; want %d", c.query, step, n, want)
			}
		}
		consumer := consume(t, b, queue, 1)
		var got []int
		for range sent {
			d := receive(t, consumer)
			got = append(got, d.Message.Priority)
			ack(t, d)
		}
		for i := range got { // given back, what is of one step comes in any order
			got[i] = c.wire[got[i]] / 3
			c.want[i] = c.wire[c.want[i]] / 3
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: received priorities %v; want %v", c.query, got, c.want)
		}
	}
}

// stepOf is what kombu appends to the name of a queue.
func stepOf(wire int) string {
	return [...]string{"", "\x06\x163", "\x06\x166", "\x06\x169"}[wire/3]
}

func TestForeignBytesAreParkedWithTheirReason(t *testing.T) {
	t.Parallel()
	r := servertest.Redis(t, server.RedisOptions{})
	b := open(t, r.Addr(), "", broker.Options{})
	bodies := []string{
		"\xff\xfe no JSON {", "", "[]", "null", `{"neither": "args nor kwargs"}`, `{"properties":{"delivery_tag":7}}`,
		`{"headers":{"delivery_tag":"header"},"properties":{"delivery_tag":"real"}}`, `"delivery_tag":"x" and "delivery_tag":"y"`,
		`{"properties":[],"headers":3}`, `{"a":"\"delivery_tag\":\"in a string\""}`,
	}
	for _, body := range bodies {
		if err := putRaw(t.Context(), r, "q", []byte(body)); err != nil {
			t.Fatal(err)
		}
	}
	c := consume(t, b, "q", 100)
	ids := map[string]bool{}
	for range bodies {
		d := receive(t, c)
		if d.Malformed == nil || d.Message.ID == "" || ids[d.Message.ID] {
			t.Errorf("received %+v, %+v", d, d.Message)
		}
		ids[d.Message.ID] = true
		if err := d.Reject(t.Context(), "cannot be read"); err != nil {
			t.Error(err)
		}
	}
	if !ids["real"] {
		t.Errorf("the ids are %v; want the delivery tag of the properties among them", ids)
	}
	flush(t, c)
	n := 0
	for h, err := range b.Census(t.Context(), "q") {
		if err != nil || h.State != broker.Dead || h.Reason != "cannot be read" || !ids[h.Message.ID] {
			t.Errorf("held: %+v, %+v, %v", h, h.Message, err)
		}
		n++
	}
	if n != len(bodies) {
		t.Errorf("%d of %d are dead", n, len(bodies))
	}
}

func TestAKeyOfAnotherKindLosesNothing(t *testing.T) {
	t.Parallel()
	r := servertest.Redis(t, server.RedisOptions{})
	run(t, r, "set", "unacked", "of another kind")
	b := open(t, r.Addr(), "", broker.Options{})
	msgs := []*task.Message{message(t, "q", 1), message(t, "q", 2), message(t, "q", 3)}
	confirm(t, b, msgs...)
	c := consume(t, b, "q", 2)
	client := dial(t, r)
	eventually(t, "the pop has failed", func() bool { return calls(t, r, "rpush") > 0 })
	if n := client.LLen(t.Context(), "q").Val(); n != 3 {
		t.Errorf("%d messages are on the list", n)
	}
	run(t, r, "del", "unacked")
	for _, m := range msgs {
		d := receive(t, c)
		if d.Message.ID != m.ID {
			t.Errorf("received %s; want %s", d.Message.ID, m.ID)
		}
		ack(t, d)
	}
	flush(t, c)
	wantIDs(t, b, "q", 0)
	if err := client.ZCard(context.Background(), "unacked_index").Err(); err != nil && err != redis.Nil {
		t.Error(err)
	}
}
