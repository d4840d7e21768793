package redisbroker

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"acklab/task"
)

// celerySent is what Celery put on a list, with kombu 5.2.4 (its ids shortened).
const celerySent = `{"body": "W1syLDNdLHt9LHsiY2FsbGJhY2tzIjpudWxsLCJlcnJiYWNrcyI6bnVsbCwiY2hhaW4iOm51bGwsImNob3JkIjpudWxsfV0=", "content-encoding": "utf-8", "content-type": "application/json", "headers": {"lang": "py", "task": "app.add", "id": "t1", "root_id": "t1", "parent_id": null, "group": null, "group_index": null, "shadow": null, "eta": null, "expires": null, "retries": 0, "timelimit": [null, null], "argsrepr": "(2, 3)", "kwargsrepr": "{}", "origin": "gen1@host", "ignore_result": false}, "properties": {"correlation_id": "t1", "reply_to": "r1", "delivery_mode": 2, "priority": 0, "body_encoding": "base64", "delivery_tag": "m1", "delivery_info": {"exchange": "", "routing_key": "celery"}}}`

func TestTheKeysAreKombus(t *testing.T) {
	t.Parallel()
	want := []string{"celery", "celery\x06\x163", "celery\x06\x166", "celery\x06\x169"}
	for priority := range 10 {
		if got := listKey("celery", priority); got != want[priority/3] {
			t.Errorf("priority %d is on %q; want %q", priority, got, want[priority/3])
		}
	}
	key, member := binding("celery")
	if key != "_kombu.binding.celery" || member != "celery\x06\x16\x06\x16celery" {
		t.Errorf("the binding is %q in %q", member, key)
	}
	if got := entryEnd(`grüße "😀"`); got != `,"","gr\u00fc\u00dfe \"\ud83d\ude00\""]` {
		t.Errorf("the end of an entry is %s", got)
	}
}

func TestAnEntryIsReadWhoeverWroteIt(t *testing.T) {
	t.Parallel()
	garbage := "\xff\xfe [\"x\", ,\"\",\"liar\"] {"
	for value, want := range map[string]entry{
		"[" + celerySent + entryEnd("celery"):             {message: []byte(celerySent), routingKey: "celery"},
		"[" + celerySent + `, "", "celery"]`:              {message: []byte(celerySent), routingKey: "celery"},
		"[" + celerySent + `, "tasks", "key"]`:            {message: []byte(celerySent), exchange: "tasks", routingKey: "key"},
		"[" + garbage + entryEnd("a,\"\",b"):              {message: []byte(garbage), routingKey: "a,\"\",b"},
		`[{"a":"b","c":["","x"]}, "", "q"]`:               {message: []byte(`{"a":"b","c":["","x"]}`), routingKey: "q"},
		"[" + entryEnd("empty"):                           {message: []byte{}, routingKey: "empty"},
		"[" + `["",""]` + entryEnd("nested"):              {message: []byte(`["",""]`), routingKey: "nested"},
		"[" + celerySent + entryEnd("grüße \x00 \" \\ ☂"): {message: []byte(celerySent), routingKey: "grüße \x00 \" \\ ☂"},
	} {
		got, err := readEntry([]byte(value))
		if err != nil || !bytes.Equal(got.message, want.message) || got.exchange != want.exchange || got.routingKey != want.routingKey {
			t.Errorf("%s: %q, %v; want %q", value, got, err, want)
		}
	}
	for _, value := range []string{"", "[", "]", "[]", "{}", `["a","b"]`, `["a","b",3]`, `["a",1,"c"]`, `[{},"",q]`, `x{},"","q"]`, `[{},"","q"`} {
		if e, err := readEntry([]byte(value)); err == nil {
			t.Errorf("%q is read as %+v", value, e)
		}
	}
}

func FuzzEntry(f *testing.F) {
	f.Add([]byte(celerySent), "celery")
	f.Add([]byte("\xff\xfe {"), `a,"",b`)
	f.Add([]byte(`["",""]`), "]")
	f.Fuzz(func(t *testing.T, message []byte, queue string) {
		if checkName(queue) != nil {
			return
		}
		e, err := readEntry(append(append([]byte{'['}, message...), entryEnd(queue)...))
		if err != nil || !bytes.Equal(e.message, message) || e.exchange != "" || e.routingKey != queue {
			t.Errorf("[%q + %q] is read as %q of %q, %v", message, entryEnd(queue), e.message, e.routingKey, err)
		}
		_, _ = readEntry(message) // anything may be there
		if back := marked(message); !json.Valid(back) && json.Valid(message) {
			t.Errorf("%q is marked as %q", message, back)
		}
		if dead := deadLetter(message, "tag", queue, "why", time.Unix(0, 0)); !json.Valid(dead) {
			t.Errorf("the dead letter of %q is %q", message, dead)
		}
	})
}

func TestAMarkedMessageIsTheSameWithKombusMarks(t *testing.T) {
	t.Parallel()
	back := marked([]byte(celerySent))
	m, again, err := task.UnmarshalDelivery(back)
	if err != nil || !again {
		t.Fatalf("%s: marked %t, %v", back, again, err)
	}
	was, _, err := task.UnmarshalDelivery([]byte(celerySent))
	if err != nil || m.Hash() != was.Hash() || m.ID != "m1" || m.Queue != "celery" {
		t.Errorf("%+v, %v; want %+v", m, err, was)
	}
	var whole, old map[string]any
	if json.Unmarshal(back, &whole) != nil || json.Unmarshal([]byte(celerySent), &old) != nil {
		t.Fatalf("%s is no JSON", back)
	}
	headers, properties := whole["headers"].(map[string]any), whole["properties"].(map[string]any)
	info := properties["delivery_info"].(map[string]any)
	if headers["redelivered"] != true || info["redelivered"] != true {
		t.Errorf("%s bears not both marks", back)
	}
	if twice := marked(back); !bytes.Equal(twice, back) {
		t.Errorf("marked again it is %s", twice)
	}
	for _, raw := range []string{"", "\xff", "[]", "null", `{"headers":[]}`, `{"properties":{"delivery_info":1}}`} {
		if got := marked([]byte(raw)); string(got) != raw {
			t.Errorf("%q becomes %q", raw, got)
		}
	}
}

func TestADeadLetterKeepsItsHistory(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)
	once := deadLetter([]byte(celerySent), "m1", "celery", `boom "it"`, at)
	twice := deadLetter(once, "m1", "celery", "again", at.Add(time.Second))
	m, _, reason, err := (&Broker{}).decode(twice, "", "celery", "")
	if err != nil || reason != "again" || m.ID != "m1" || len(m.Extra) != 0 {
		t.Errorf("%+v, %q, %v", m, reason, err)
	}
	var whole struct {
		Headers struct {
			History []map[string]string `json:"x-acklab-history"`
			Queue   string              `json:"x-acklab-queue"`
		} `json:"headers"`
	}
	if err := json.Unmarshal(twice, &whole); err != nil {
		t.Fatal(err)
	}
	if h := whole.Headers; len(h.History) != 2 || h.History[0]["reason"] != `boom "it"` || h.History[1]["time"] != "2026-01-02T03:04:06.000006Z" || h.Queue != "celery" {
		t.Errorf("its history is %v of queue %q", h.History, h.Queue)
	}
	foreign := deadLetter([]byte("\xff no JSON"), "made-up", "q", "malformed", at)
	m, _, reason, err = (&Broker{}).decode(foreign, "", "q", "")
	if err == nil || reason != "malformed" || m.ID != "made-up" {
		t.Errorf("%s: %+v, %q, %v", foreign, m, reason, err)
	}
}

func TestNamesThatAreNoQueueAreRefused(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"", " \t", "unacked", "unacked_index", "unacked_mutex", "_kombu.binding.celery", "q" + separator + "3", "\xff"} {
		if err := checkName(name); err == nil || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: %v", name, err)
		}
	}
}
