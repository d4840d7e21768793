package task

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"
)

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
