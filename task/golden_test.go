package task

import (
	"encoding/base64"
	"encoding/json"
	"errors"
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

func TestAMalformedMessageNamesOneReasonAndKeepsWhatCouldBeRead(t *testing.T) {
	t.Parallel()
	base64Body := base64.StdEncoding.EncodeToString([]byte(celeryBody))
	header := func(old, new string) []byte { return celery(t, celeryBody, old, new) }
	body := func(text string) []byte { return celery(t, text) }
	tests := []struct {
		name string
		data []byte
		want string
	}{
		{"cut off", celery(t, celeryBody)[:700], "the envelope is not JSON: at byte 701: the text ends"},
		{"two values", append(celery(t, celeryBody), '{'), "the envelope is not JSON: at byte"},
		{"not JSON", []byte("hello"), `the envelope is not a JSON object: at byte 1: want a value, found 'h'`},
		{"nothing", nil, "the envelope is not a JSON object: at byte 1: the text ends, want a value"},
		{"an array", []byte("[]"), "the envelope is not a JSON object: not an object"},
		{"an empty object", []byte("{}"), "the envelope has no body"},
		{"not UTF-8", []byte("{\"a\":\"\xff\"}"), "the envelope is not UTF-8"},
		{"body a number", header(`"`+base64Body+`"`, "5"), "the envelope's body is not a string"},
		{"not base64", header(base64Body, "%%%"), "the body is not base64"},
		{"cut base64", header(base64Body, base64Body[:9]), "the body is not base64"},
		{"body encoding", header(`"body_encoding": "base64"`, `"body_encoding": "rot13"`), `unknown body encoding "rot13"`},
		{"content type", header("application/json", "text/plain"), `unknown content type "text/plain"`},
		{"pickle", header("application/json", "application/x-python-serialize"), "pickle is never read"},
		{"content encoding", header(`"utf-8"`, `"latin-1"`), `unknown content encoding "latin-1"`},
		{"compressed", header(`"lang": "py"`, `"compression": "application/x-gzip"`), `compressed with "application/x-gzip"`},
		{"headers an array", header(`"headers": {`, `"headers": [], "h": {`), "the envelope's headers are not an object"},
		{"headers twice", header(`"properties": {`, `"headers": {}, "properties": {`), "the envelope has two headers"},
		{"body not JSON", body("[[2,3],{},"), "the body is not JSON: at byte 11: the text ends"},
		{"body NaN", body("[[NaN],{},{}]"), "the body is not JSON: at byte 3: want a value, found 'N'"},
		{"body a string", body(`"x"`), "the body is not [args, kwargs, embed]: not an array"},
		{"body empty", body(``), "the body is not [args, kwargs, embed]: at byte 1: the text ends"},
		{"body not UTF-8", body("[[\"\xff\"],{},{}]"), "the body is not UTF-8"},
		{"body of two", body(`[[2,3],{}]`), "the body is an array of 2"},
		{"body of four", body(`[[2,3],{},{},1]`), "the body is an array of 4"},
		{"args an object", body(`[{},{},{}]`), "the body's args are not an array"},
		{"kwargs an array", body(`[[],[],{}]`), "the body's kwargs are not an object"},
		{"embed an array", body(`[[],{},[]]`), "the body's embed is not an object"},
		{"body too deep", body(`[[` + strings.Repeat("[", 2000) + strings.Repeat("]", 2000) + `],{},{}]`), "nested more than 1000 deep"},
		{"body an object", body(`{"args": []}`), "the body is an object, want [args, kwargs, embed]"},
		{"no name", header(`"task": "app.add", `, ``), "no task name"},
		{"name null", header(`"task": "app.add"`, `"task": null`), "no task name"},
		{"name a number", header(`"task": "app.add"`, `"task": 7`), `"task": want a string, got the number 7`},
		{"name with a newline", header(`"task": "app.add"`, `"task": "app\nadd"`), "task name \"app\\nadd\" has a control character"},
		{"no id", header(`"id": "`+celeryID+`", `, ``), "no task id"},
		{"id too long", header(celeryTag, strings.Repeat("a", 256)), "message id is 256 bytes long"},
		{"eta no time", header(`"eta": null`, `"eta": "soon"`), `header "eta": "soon" is not an ISO 8601 time`},
		{"eta a number", header(`"eta": null`, `"eta": 1234`), `header "eta": want an ISO 8601 time, got the number 1234`},
		{"eta in the year 0", header(`"eta": null`, `"eta": "0000-01-01T00:00:00"`), `is outside 1 to 9999`},
		{"expires no time", header(`"expires": null`, `"expires": "2026-13-01"`), `header "expires": "2026-13-01" is not`},
		{"retries a string", header(`"retries": 0`, `"retries": "3"`), `header "retries": want a whole number, got a string`},
		{"retries a fraction", header(`"retries": 0`, `"retries": 0.5`), `header "retries": want a whole number, got the number 0.5`},
		{"retries negative", header(`"retries": 0`, `"retries": -1`), `header "retries": -1 is outside 0 to 2147483647`},
		{"retries huge", header(`"retries": 0`, `"retries": 2147483648`), `is outside 0 to 2147483647`},
		{"timelimit a number", header(`[null, null]`, `5`), `header "timelimit": want [hard, soft], got the number 5`},
		{"timelimit of one", header(`[null, null]`, `[5]`), `header "timelimit": want [hard, soft], got 1 elements`},
		{"timelimit negative", header(`[null, null]`, `[-1, 2]`), `-1 seconds is outside 0 to`},
		{"timelimit a string", header(`[null, null]`, `["5", 2]`), `header "timelimit": want seconds, got a string`},
		{"ignore_result a string", header(`"ignore_result": false`, `"ignore_result": "no"`), `header "ignore_result": want true or false`},
		{"priority a string", header(`"priority": 0`, `"priority": "high"`), `property "priority": want a whole number, got a string`},
		{"queue with a control character", header(`"celery"`, `"cel\u0006ery"`), "queue \"cel\\x06ery\" has a control character"},
		{"header out of range", header(`"lang": "py"`, `"n": 1e999`), "number out of range"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			m, err := UnmarshalEnvelope(tt.data)
			if m == nil {
				t.Fatal("no message")
			}
			if !errors.Is(err, ErrMalformed) || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("got error %v, want one with %q", err, tt.want)
			}
			if strings.Count(err.Error(), ErrMalformed.Error()) != 1 || strings.Contains(err.Error(), "\n") {
				t.Errorf("not one reason on one line: %v", err)
			}
			if strings.Contains(string(tt.data), `"app.add"`) && len(tt.data) > 1000 && tt.name != "headers an array" && m.Name != "app.add" {
				t.Errorf("the name was not kept: %+v", m)
			}
			if strings.Contains(string(tt.data), `"`+celeryTag+`"`) && m.ID != celeryTag {
				t.Errorf("the message id was not kept: %+v", m)
			}
		})
	}
}

func TestAMessageOfProtocol1IsNamedAndNotRun(t *testing.T) {
	t.Parallel()
	body := `{"task": "app.add", "id": "t1", "args": [1, 2], "kwargs": {}, "retries": 0, "eta": null}`
	envelope := `{"body": "` + base64.StdEncoding.EncodeToString([]byte(body)) + `", "content-encoding": "utf-8", "content-type": "application/json",
		"headers": {}, "properties": {"body_encoding": "base64", "delivery_tag": "d1", "delivery_info": {"exchange": "", "routing_key": "celery"}}}`
	m, err := UnmarshalEnvelope([]byte(envelope))
	if !errors.Is(err, ErrMalformed) || !strings.Contains(err.Error(), `protocol 1 (task "app.add", id "t1"), only protocol 2 is read`) {
		t.Errorf("error %v", err)
	}
	if m.ID != "d1" || m.TaskID != "t1" || m.Name != "app.add" || m.Queue != "celery" {
		t.Errorf("message %+v", m)
	}
	m, err = Decode(Wire{ContentType: "application/json", ContentEncoding: "utf-8", Body: []byte(body)})
	if err == nil || !strings.Contains(err.Error(), "protocol 1") || m.ID != "t1:0" {
		t.Errorf("AMQP: error %v, message %+v", err, m)
	}
}

func TestDecodeNamesOneReason(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		change func(w *Wire)
		want   string
	}{
		{"pickle", func(w *Wire) { w.ContentType = "application/x-python-serialize" }, "pickle is never read"},
		{"no content type", func(w *Wire) { w.ContentType = "" }, `unknown content type ""`},
		{"no headers", func(w *Wire) { w.Headers = nil }, "no task name"},
		{"a header that is no text", func(w *Wire) { w.Headers["task"] = []byte{0xff} }, `header "task": a []uint8 cannot be read`},
		{"a header of a strange type", func(w *Wire) { w.Headers["x"] = struct{}{} }, `header "x": a struct {} cannot be read`},
		{"a boolean for retries", func(w *Wire) { w.Headers["retries"] = true }, `header "retries": want a whole number, got true`},
		{"a broken body", func(w *Wire) { w.Body = []byte("[") }, "the body is not JSON"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := celeryWire()
			tt.change(&w)
			m, err := Decode(w)
			if m == nil || !errors.Is(err, ErrMalformed) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("message %+v, error %v, want %q", m, err, tt.want)
			}
		})
	}
}

func TestAMessageAboveTheSizeLimitIsNotRead(t *testing.T) {
	t.Parallel()
	m, _, err := decodeEnvelope(celery(t, celeryBody), 100)
	if m == nil || !errors.Is(err, ErrMalformed) || !strings.Contains(err.Error(), "at most 100 are read") {
		t.Errorf("envelope: %v", err)
	}
	m, err = decodeWire(celeryWire(), 10)
	if !errors.Is(err, ErrMalformed) || !strings.Contains(err.Error(), "at most 10 are read") {
		t.Errorf("AMQP: %v", err)
	}
	if m.Name != "app.add" {
		t.Errorf("the name was not kept: %+v", m)
	}
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
