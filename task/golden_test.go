package task

import (
	"encoding/base64"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"
)

// What Celery 5 wrote into a Redis list for app.add.delay(2, 3), with the
// UUIDs replaced.
const (
	celeryBody     = `[[2, 3], {}, {"callbacks": null, "errbacks": null, "chain": null, "chord": null}]`
	celeryEnvelope = `{"body": "BODY", "content-encoding": "utf-8", "content-type": "application/json",
 "headers": {"lang": "py", "task": "app.add", "id": "5f3c1f0e-0a52-4f5e-8f6c-b0a1c2d3e4f5", "root_id": "5f3c1f0e-0a52-4f5e-8f6c-b0a1c2d3e4f5",
   "parent_id": null, "group": null, "group_index": null,
   "shadow": null, "eta": null, "expires": null, "retries": 0, "timelimit": [null, null], "argsrepr": "(2, 3)", "kwargsrepr": "{}",
   "origin": "gen1@host", "ignore_result": false},
 "properties": {"correlation_id": "5f3c1f0e-0a52-4f5e-8f6c-b0a1c2d3e4f5", "reply_to": "0d9a3f7e-1111-3222-8333-944455566677", "delivery_mode": 2,
   "priority": 0, "body_encoding": "base64",
   "delivery_tag": "7e1b9b9a-6d5c-4b3a-9291-808f7e6d5c4b", "delivery_info": {"exchange": "", "routing_key": "celery"}}}`
	celeryID  = "5f3c1f0e-0a52-4f5e-8f6c-b0a1c2d3e4f5"
	celeryTag = "7e1b9b9a-6d5c-4b3a-9291-808f7e6d5c4b"
)

// celery is celeryEnvelope with a body, and with some texts replaced, in
// pairs of old and new. A pair that replaces nothing fails the test.
func celery(tb testing.TB, body string, pairs ...string) []byte {
	tb.Helper()
	text := strings.Replace(celeryEnvelope, "BODY", base64.StdEncoding.EncodeToString([]byte(body)), 1)
	for i := 0; i < len(pairs); i += 2 {
		next := strings.Replace(text, pairs[i], pairs[i+1], 1)
		if next == text {
			tb.Fatalf("the envelope has no %q", pairs[i])
		}
		text = next
	}
	return []byte(text)
}

// celeryWire is the same message as AMQP carries it.
func celeryWire() Wire {
	return Wire{
		Headers: map[string]any{
			"lang": "py", "task": "app.add", "id": celeryID, "root_id": celeryID, "parent_id": nil, "group": nil, "group_index": nil,
			"shadow": nil, "eta": nil, "expires": nil, "retries": int32(0), "timelimit": []any{nil, nil},
			"argsrepr": "(2, 3)", "kwargsrepr": "{}", "origin": "gen1@host", "ignore_result": false,
		},
		ContentType: "application/json", ContentEncoding: "utf-8", CorrelationID: celeryID,
		ReplyTo: "0d9a3f7e-1111-3222-8333-944455566677", DeliveryMode: 2, Body: []byte(celeryBody),
	}
}

func raws(values ...string) []json.RawMessage {
	var out []json.RawMessage
	for _, v := range values {
		out = append(out, json.RawMessage(v))
	}
	return out
}

func celeryMessage() *Message {
	return &Message{ID: celeryTag, TaskID: celeryID, Name: "app.add", Args: raws("2", "3"),
		Options: Options{Queue: "celery", ReplyTo: "0d9a3f7e-1111-3222-8333-944455566677", Origin: "gen1@host"}}
}

func mustEqual(t *testing.T, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%#v\nwant\n%#v", got, want)
	}
}

func TestCelerysEnvelopeIsRead(t *testing.T) {
	t.Parallel()
	m, err := UnmarshalEnvelope(celery(t, celeryBody))
	if err != nil {
		t.Fatal(err)
	}
	mustEqual(t, m, celeryMessage())
}

func TestCelerysAMQPMessageIsReadAndGetsAMessageID(t *testing.T) {
	t.Parallel()
	m, err := Decode(celeryWire())
	if err != nil {
		t.Fatal(err)
	}
	want := celeryMessage()
	want.ID, want.Queue = celeryID+":0", ""
	mustEqual(t, m, want)

	w := celeryWire()
	w.Headers["retries"] = int64(4)
	again, err := Decode(w)
	if err != nil || again.ID != celeryID+":4" || again.Retries != 4 {
		t.Errorf("retry 4: id %q, retries %d, error %v", again.ID, again.Retries, err)
	}
}

func TestCelerys56HeadersAreKeptAndWrittenBack(t *testing.T) {
	t.Parallel()
	m, err := UnmarshalEnvelope(celery(t, celeryBody, `"shadow": null`,
		`"shadow": "alias", "replaced_task_nesting": 0, "stamped_headers": ["x"], "stamps": {"x": [1, 2.5, null]}, "group_index": 3`))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"shadow": "alias", "replaced_task_nesting": int64(0), "group_index": int64(3),
		"stamped_headers": []any{"x"}, "stamps": map[string]any{"x": []any{int64(1), 2.5, nil}},
	}
	mustEqual(t, m.Extra, want)
	w, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	for key, value := range want {
		mustEqual(t, w.Headers[key], value)
	}
}

func TestEncodeWritesTheHeadersThatCeleryWrites(t *testing.T) {
	t.Parallel()
	m := celeryMessage()
	m.ETA = time.Date(2026, 11, 21, 9, 30, 0, 123456789, time.FixedZone("", 3600))
	m.Expires = time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	m.Retries, m.Priority, m.HardLimit, m.SoftLimit = 2, 7, 60*time.Second, 1500*time.Millisecond
	w, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	want := Wire{
		MessageID: celeryTag, ContentType: "application/json", ContentEncoding: "utf-8",
		CorrelationID: celeryID, ReplyTo: m.ReplyTo, Priority: 7, DeliveryMode: 2,
		Body: []byte(`[[2,3],{},{"callbacks":null,"errbacks":null,"chain":null,"chord":null}]`),
		Headers: map[string]any{
			"lang": "go", "task": "app.add", "id": celeryID, "root_id": celeryID, "parent_id": nil, "group": nil, "group_index": nil,
			"shadow": nil, "eta": "2026-11-21T08:30:00.123456+00:00", "expires": "2026-11-22T00:00:00.000000+00:00",
			"retries": int32(2), "timelimit": []any{int64(60), 1.5},
			"argsrepr": "(2, 3)", "kwargsrepr": "{}", "origin": "gen1@host", "ignore_result": false,
		},
	}
	mustEqual(t, w, want)
}

func TestMarshalEnvelopeWritesTheShapeThatKombuReads(t *testing.T) {
	t.Parallel()
	data, err := celeryMessage().MarshalEnvelope()
	if err != nil {
		t.Fatal(err)
	}
	var got, want any
	if err := json.Unmarshal(data, &got); err != nil {
		t.Fatalf("%v in %s", err, data)
	}
	compact := `[[2,3],{},{"callbacks":null,"errbacks":null,"chain":null,"chord":null}]`
	if err := json.Unmarshal(celery(t, compact, `"lang": "py"`, `"lang": "go"`), &want); err != nil {
		t.Fatal(err)
	}
	mustEqual(t, got, want)
}

func TestPythonsWaysOfWritingAreRead(t *testing.T) {
	t.Parallel()
	moment := time.Date(2026, 11, 21, 7, 31, 43, 594084000, time.UTC)
	tests := []struct {
		name  string
		pairs []string
		check func(m *Message) bool
	}{
		{"an eta without a zone is UTC", []string{`"eta": null`, `"eta": "2026-11-21T07:31:43.594084"`}, func(m *Message) bool { return m.ETA.Equal(moment) }},
		{"an eta with an offset", []string{`"eta": null`, `"eta": "2026-11-21T09:31:43.594084+02:00"`}, func(m *Message) bool { return m.ETA.Equal(moment) }},
		{"an eta with Z", []string{`"eta": null`, `"eta": "2026-11-21T07:31:43.594084Z"`}, func(m *Message) bool { return m.ETA.Equal(moment) }},
		{"an eta with a blank and a short offset", []string{`"eta": null`, `"eta": "2026-11-21 05:31:43.594084-0200"`}, func(m *Message) bool { return m.ETA.Equal(moment) }},
		{"an eta without microseconds", []string{`"eta": null`, `"eta": "2026-11-21T07:31:43+00:00"`}, func(m *Message) bool { return m.ETA.Equal(moment.Truncate(time.Second)) }},
		{"expires", []string{`"expires": null`, `"expires": "2026-11-21T07:31:43.594084+00:00"`}, func(m *Message) bool { return m.Expires.Equal(moment) }},
		{"time limits as floats", []string{`[null, null]`, `[3.0, 0.25]`}, func(m *Message) bool { return m.HardLimit == 3*time.Second && m.SoftLimit == 250*time.Millisecond }},
		{"no time limits at all", []string{`[null, null]`, `null`}, func(m *Message) bool { return m.HardLimit == 0 && m.SoftLimit == 0 }},
		{"retries as a float", []string{`"retries": 0`, `"retries": 3.0`}, func(m *Message) bool { return m.Retries == 3 }},
		{"retries null", []string{`"retries": 0`, `"retries": null`}, func(m *Message) bool { return m.Retries == 0 }},
		{"another root and a parent", []string{`"root_id": "5f3c1f0e`, `"root_id": "6f3c1f0e`, `"parent_id": null`, `"parent_id": "p"`},
			func(m *Message) bool {
				return m.RootID == "6f3c1f0e-0a52-4f5e-8f6c-b0a1c2d3e4f5" && m.ParentID == "p"
			}},
		{"a member of a group", []string{`"group": null`, `"group": "g1"`}, func(m *Message) bool { return m.GroupID == "g1" }},
		{"ignore_result", []string{`"ignore_result": false`, `"ignore_result": true`}, func(m *Message) bool { return m.IgnoreResult }},
		{"a priority above 9 is 9", []string{`"priority": 0`, `"priority": 20`}, func(m *Message) bool { return m.Priority == 9 }},
		{"a priority below 0 is 0", []string{`"priority": 0`, `"priority": -4`}, func(m *Message) bool { return m.Priority == 0 }},
		{"a priority of null is 0", []string{`"priority": 0`, `"priority": null`}, func(m *Message) bool { return m.Priority == 0 }},
		{"no delivery tag", []string{`"delivery_tag": "7e1b9b9a-6d5c-4b3a-9291-808f7e6d5c4b", `, ``}, func(m *Message) bool { return m.ID == celeryID+":0" }},
		{"escapes in a name", []string{`"app.add"`, `"app.\u00e4dd"`}, func(m *Message) bool { return m.Name == "app.ädd" }},
		{"escapes in base64", []string{`"body": "W`, `"body": "\u0057`}, func(m *Message) bool { return len(m.Args) == 2 }},
		{"an encoding in capitals", []string{`"content-encoding": "utf-8"`, `"content-encoding": "UTF-8"`}, func(m *Message) bool { return len(m.Args) == 2 }},
		{"a hidden argument stays hidden", []string{`"(2, 3)"`, `"(<secret>)"`}, func(m *Message) bool {
			w, err := m.Again().Encode()
			return err == nil && w.Headers["argsrepr"] == "(<secret>)"
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			m, err := UnmarshalEnvelope(celery(t, celeryBody, tt.pairs...))
			if err != nil || !tt.check(m) {
				t.Errorf("error %v, message %+v", err, m)
			}
		})
	}
}

func TestABodyWithoutAnEncodingIsPlainJSON(t *testing.T) {
	t.Parallel()
	plain, _ := json.Marshal(celeryBody)
	encoded := base64.StdEncoding.EncodeToString([]byte(celeryBody))
	for _, encoding := range []string{`"body_encoding": null`, `"body_encoding": ""`} {
		m, err := UnmarshalEnvelope(celery(t, celeryBody, `"`+encoded+`"`, string(plain), `"body_encoding": "base64"`, encoding))
		if err != nil {
			t.Fatal(err)
		}
		mustEqual(t, m, celeryMessage())
	}
}

func TestCallbacksAreKeptAndWrittenBack(t *testing.T) {
	t.Parallel()
	embed := `{"callbacks": [{"task": "app.log"}], "errbacks": null, "chain": null, "chord": null}`
	m, err := UnmarshalEnvelope(celery(t, `[[2], {"b": [1, 2]}, `+embed+`]`, "(2, 3)", "(2,)"))
	if err != nil {
		t.Fatal(err)
	}
	if string(m.Embed) != embed || string(m.Kwargs["b"]) != "[1, 2]" {
		t.Errorf("embed %s, kwargs %s", m.Embed, m.Kwargs)
	}
	w, err := m.Encode()
	if err != nil || string(w.Body) != `[[2],{"b":[1, 2]},`+embed+`]` {
		t.Errorf("error %v, body %s", err, w.Body)
	}
}

func TestAnEmptyEmbedIsNil(t *testing.T) {
	t.Parallel()
	for _, embed := range []string{`{}`, `null`, `{"chain":null}`} {
		m, err := UnmarshalEnvelope(celery(t, `[[2, 3], {}, `+embed+`]`))
		if err != nil || m.Embed != nil {
			t.Errorf("%s: error %v, embed %s", embed, err, m.Embed)
		}
	}
}

func TestKombusMarkOfARedeliveryIsToldAndNotKept(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		pairs []string
		want  bool
	}{
		"none":            {nil, false},
		"in the headers":  {[]string{`"lang": "py"`, `"lang": "py", "redelivered": true`}, true},
		"in the delivery": {[]string{`"exchange": ""`, `"exchange": "", "redelivered": true`}, true},
		"false":           {[]string{`"exchange": ""`, `"exchange": "", "redelivered": false`}, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, redelivered, err := UnmarshalDelivery(celery(t, celeryBody, tt.pairs...))
			if err != nil || redelivered != tt.want {
				t.Errorf("redelivered %v, want %v; error %v", redelivered, tt.want, err)
			}
			mustEqual(t, m, celeryMessage())
		})
	}
}

func TestHeadersAboutOneDeliveryAreNotKept(t *testing.T) {
	t.Parallel()
	type table map[string]any // as amqp.Table: a type of its own
	w := celeryWire()
	w.Headers["x-death"] = []any{table{"count": int64(1), "at": time.Now()}}
	w.Headers["x-first-death-queue"] = "q"
	w.Headers["x-delivery-count"] = int64(2)
	w.Headers["x-mine"] = table{"n": int16(5), "list": []any{table{"f": float32(0.5)}}}
	m, err := Decode(w)
	if err != nil {
		t.Fatal(err)
	}
	mustEqual(t, m.Extra, map[string]any{"x-mine": map[string]any{"n": int64(5), "list": []any{map[string]any{"f": 0.5}}}})
}

func TestAMQPNumbersOfEverySizeAreRead(t *testing.T) {
	t.Parallel()
	for _, n := range []any{int8(3), int16(3), int32(3), int64(3), int(3), uint8(3), uint16(3), uint32(3), uint64(3), float32(3), float64(3), json.Number("3")} {
		w := celeryWire()
		w.Headers["retries"] = n
		if m, err := Decode(w); err != nil || m.Retries != 3 {
			t.Errorf("%T: retries %d, error %v", n, m.Retries, err)
		}
	}
}

func TestTheMessageKeepsNoPartOfWhatItWasReadFrom(t *testing.T) {
	t.Parallel()
	data := celery(t, celeryBody)
	w := celeryWire()
	a, errA := UnmarshalEnvelope(data)
	b, errB := Decode(w)
	if errA != nil || errB != nil {
		t.Fatal(errA, errB)
	}
	clear(data)
	clear(w.Body)
	mustEqual(t, a, celeryMessage())
	mustEqual(t, b.Args, raws("2", "3"))
	if first := append(a.Args[0], "999"...); string(first) != "2999" || string(a.Args[1]) != "3" {
		t.Errorf("appending to one argument changed another: %s", a.Args)
	}
}
