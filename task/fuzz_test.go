package task

import (
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"testing"
	"unicode/utf8"
)

// checkAccepted: what was read without an error must be writable, and come
// back the same.
func checkAccepted(t *testing.T, m *Message, err error) {
	t.Helper()
	if m == nil {
		t.Fatal("no message")
	}
	if err != nil {
		if !errors.Is(err, ErrMalformed) {
			t.Fatalf("an error that is not ErrMalformed: %v", err)
		}
		return
	}
	if err := checkRoundTrip(m); err != nil {
		t.Fatal(err)
	}
}

func FuzzUnmarshalEnvelope(f *testing.F) {
	f.Add(celery(f, celeryBody))
	f.Add(celery(f, `[[1.5e3, "x", null], {"k": [true]}, {"chain": [1]}]`, `"eta": null`, `"eta": "2026-11-21T07:31:43.594084+02:00"`))
	f.Add(celery(f, celeryBody, `"lang": "py"`, `"stamps": {"a": [1, 2.0, 1e300, -0]}, "redelivered": true`))
	f.Add(celery(f, celeryBody, `[null, null]`, `[3.5, 2]`, `"priority": 0`, `"priority": 255`))
	f.Add([]byte(`{"body": "[[],{},null]", "content-type": "application/json", "headers": {"task": "t", "id": "i"}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := UnmarshalEnvelope(data)
		if err == nil && !json.Valid(data) {
			t.Fatal("accepted what is not JSON")
		}
		checkAccepted(t, m, err)
	})
}

func FuzzDecode(f *testing.F) {
	w := celeryWire()
	headers, err := json.Marshal(w.Headers)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(headers, w.Body, w.ContentType, w.ContentEncoding, "", w.ReplyTo, uint8(0))
	f.Add(headers, []byte(`[[{"a": "\ud83d\ude00"}], {"": 1}, {"chord": {}}]`), w.ContentType, "", "id", "", uint8(200))
	f.Add([]byte(`{"task":"t","id":"i","retries":7,"timelimit":[1e9,0.000001],"expires":"0001-01-01"}`), []byte(`[[],{},{}]`), w.ContentType, "", "\x00", "", uint8(3))
	f.Add([]byte(`{}`), []byte(`{"task":"t","id":"i"}`), w.ContentType, "", "", "", uint8(3))
	f.Fuzz(func(t *testing.T, headers, body []byte, contentType, contentEncoding, id, replyTo string, priority uint8) {
		w := Wire{Body: body, ContentType: contentType, ContentEncoding: contentEncoding, MessageID: id, ReplyTo: replyTo, Priority: priority}
		if json.Unmarshal(headers, &w.Headers) != nil {
			w.Headers = map[string]any{"task": string(headers), "id": headers, "x": []any{math.NaN()}}
		}
		m, err := Decode(w)
		if err == nil && !json.Valid(body) {
			t.Fatal("accepted a body that is not JSON")
		}
		checkAccepted(t, m, err)
	})
}

// FuzzScanner holds the scanner against encoding/json.
func FuzzScanner(f *testing.F) {
	for _, seed := range []string{
		`{"a": [1, -0, 2.5e-3, true, false, null, "\u00e4\ud83d\ude00\\"]}`, `[]`, ` {} `, `01`, `1.`, `-`, `1e`, `[1,]`, `{"a" 1}`, `{"a":1,}`,
		`"\x"`, `"\u12g4"`, "\"\n\"", `nul`, `[[[[`, `9223372036854775808`, `1e400`, `"\ud800"`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if !utf8.Valid(data) {
			return
		}
		s := scanner{data: data}
		got, err := s.any()
		if err == nil {
			err = s.end()
		}
		if skipErr := checkJSON(data); (skipErr == nil) != (err == nil) {
			t.Fatalf("any says %v, skip says %v", err, skipErr)
		}
		if s.depth >= deepest {
			return
		}
		if (err == nil) != json.Valid(data) {
			t.Fatalf("the scanner says %v, encoding/json says %v", err, json.Valid(data))
		}
		var want any
		if err != nil || json.Unmarshal(data, &want) != nil || s.huge {
			return
		}
		if want, _ = canonical(want); !equalJSON(got, want) {
			t.Fatalf("got %#v, encoding/json gives %#v", got, want)
		}
		if back := appendJSON(nil, got); !json.Valid(back) {
			t.Fatalf("wrote %s", back)
		}
	})
}

// equalJSON compares, except that encoding/json loses digits of whole numbers.
func equalJSON(a, b any) bool {
	switch a := a.(type) {
	case int64:
		n, isInt := b.(int64)
		f, isFloat := b.(float64)
		return isInt && float64(n) == float64(a) || isFloat && f == float64(a)
	case []any:
		l, ok := b.([]any)
		if !ok || len(l) != len(a) {
			return false
		}
		for i := range a {
			if !equalJSON(a[i], l[i]) {
				return false
			}
		}
		return true
	case map[string]any:
		m, ok := b.(map[string]any)
		if !ok || len(m) != len(a) {
			return false
		}
		for k, v := range a {
			if w, has := m[k]; !has || !equalJSON(v, w) {
				return false
			}
		}
		return true
	}
	return reflect.DeepEqual(a, b)
}

// FuzzLinks reads what follows a task, and plans it: never a panic, and what can
// be planned can be read again.
func FuzzLinks(f *testing.F) {
	for _, embed := range []string{
		emptyEmbed,
		`{"chain": [{"task": "b", "options": {"task_id": "2"}}, {"task": "a", "subtask_type": null}]}`,
		`{"callbacks": [{"task": "celery.group", "subtask_type": "group", "kwargs": {"tasks": [{"task": "a"}]}}], "errbacks": {"task": "e"}}`,
		`{"chord": {"task": "a", "acklab_chord_size": 2, "options": {"link_error": [{"task": "e"}], "headers": {"acklab_once": true}}}}`,
		`{"chain": [{"task": "c"}, {"subtask_type": "chord", "kwargs": {"header": [{"task": "a"}], "body": {"task": "b"}}}]}`,
	} {
		f.Add([]byte(embed))
	}
	f.Fuzz(func(t *testing.T, embed []byte) {
		m := &Message{ID: "m", TaskID: "t", Name: "n", Options: Options{Queue: "q", GroupID: "g", Extra: map[string]any{groupIndex: int64(1)}, Embed: embed}}
		links, _ := m.Links() // what could be read is used
		plan, err := m.Successors(links, json.RawMessage("1"))
		if err != nil {
			return
		}
		if errbacks, err := m.Failing(links); err == nil {
			plan.First = append(plan.First, errbacks.First...)
		}
		for _, next := range plan.First {
			if _, err := next.Links(); err != nil {
				t.Errorf("%s: what follows %s cannot be read: %v", embed, next.TaskID, err)
			}
		}
		if c, _ := m.Member(links); c != nil {
			if _, err := c.CalledOff(); err == nil {
				_, err = c.Callback([]json.RawMessage{json.RawMessage("1")})
				if err != nil {
					t.Errorf("%s: the callback can be called off but not made: %v", embed, err)
				}
			}
		}
	})
}
