package result_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"testing"
	"time"

	"acklab/result"
	"acklab/task"
)

var done = time.Date(2026, 11, 21, 7, 31, 43, 594084000, time.UTC)

// golden pairs what Celery writes with what it means. Marshal gives exactly the
// text, but for the blanks and \u escapes of Python's json.
var golden = []struct {
	name, text string
	result     result.Result
}{
	{"success", `{"status":"SUCCESS","result":9,"traceback":null,"children":[],"date_done":"2026-11-21T07:31:43.594084","task_id":"t1"}`,
		result.Result{TaskID: "t1", State: task.Success, Value: json.RawMessage("9"), Done: done}},
	{"failure", `{"status":"FAILURE","result":{"exc_type":"ValueError","exc_message":["boom"],"exc_module":"builtins"},"traceback":"Traceback (most recent call last):\nValueError: boom\n","children":[],"date_done":"2026-11-21T07:31:43.594084","task_id":"t1"}`,
		result.Result{TaskID: "t1", State: task.Failure, Done: done, Error: &result.Failure{Type: "ValueError", Module: "builtins", Args: []json.RawMessage{json.RawMessage(`"boom"`)}, Traceback: "Traceback (most recent call last):\nValueError: boom\n"}}},
	{"revoked", `{"status":"REVOKED","result":{"exc_type":"TaskRevokedError","exc_message":["terminated"],"exc_module":"celery.exceptions"},"traceback":null,"children":[],"date_done":"2026-11-21T07:31:43","task_id":"t1"}`,
		result.Result{TaskID: "t1", State: task.Revoked, Done: done.Truncate(time.Second), Error: &result.Failure{Type: "TaskRevokedError", Module: "celery.exceptions", Args: []json.RawMessage{json.RawMessage(`"terminated"`)}}}},
	{"started", `{"status":"STARTED","result":{"pid":7,"hostname":"w@h"},"traceback":null,"children":[],"date_done":null,"task_id":"t1"}`,
		result.Result{TaskID: "t1", State: task.Started, Value: json.RawMessage(`{"pid":7,"hostname":"w@h"}`)}},
	{"member of a group", `{"status":"SUCCESS","result":null,"traceback":null,"children":[[["t2",null],null]],"date_done":"2026-11-21T07:31:43.594084","group_id":"g1","parent_id":"p1","task_id":"t1"}`,
		result.Result{TaskID: "t1", State: task.Success, Done: done, GroupID: "g1", ParentID: "p1", Children: []string{"t2"}}},
	{"extended", `{"status":"RETRY","result":{"exc_type":"Retry","exc_message":["in 3s",null],"exc_module":"celery.exceptions"},"traceback":null,"children":[],"date_done":null,"name":"app.add","worker":"w@h","retries":2,"queue":"high","task_id":"t1"}`,
		result.Result{TaskID: "t1", State: task.Retry, Retries: 2, Name: "app.add", Worker: "w@h", Queue: "high",
			Error: &result.Failure{Type: "Retry", Module: "celery.exceptions", Args: []json.RawMessage{json.RawMessage(`"in 3s"`), json.RawMessage(`null`)}}}},
}

func TestTheTextIsCelerys(t *testing.T) {
	t.Parallel()
	for _, c := range golden {
		text, err := result.Marshal(c.result)
		if err != nil || string(text) != c.text {
			t.Errorf("%s: %v\n%s\nwant\n%s", c.name, err, text, c.text)
		}
		back, err := result.Unmarshal([]byte(c.text))
		if err != nil || !reflect.DeepEqual(back, c.result) {
			t.Errorf("%s reads %+v, %v\nwant %+v", c.name, back, err, c.result)
		}
	}
}

func TestOtherFormsOfCelerysAreRead(t *testing.T) {
	t.Parallel()
	boom := []json.RawMessage{json.RawMessage(`"boom"`)}
	for text, want := range map[string]result.Result{
		`{"status": "SUCCESS", "result": 9, "traceback": null, "children": null, "date_done": "2026-11-21T07:31:43.594084+00:00", "task_id": "t1"}`:                                                      {TaskID: "t1", State: task.Success, Value: json.RawMessage("9"), Done: done},
		`{"status": "SUCCESS", "result": 9, "date_done": "2026-11-21 08:31:43.594084+01:00", "group_id": null, "name": null, "args": [1], "kwargs": {}, "worker": null, "retries": null, "queue": null}`: {State: task.Success, Value: json.RawMessage("9"), Done: done},
		`{"status": "FAILURE", "result": {"exc_type": "E", "exc_message": "boom", "exc_module": null}, "traceback": null, "date_done": null}`:                                                            {State: task.Failure, Error: &result.Failure{Type: "E", Args: boom}},
		`{"status": "FAILURE", "result": {"exc_type": "E"}}`:                                       {State: task.Failure, Error: &result.Failure{Type: "E"}},
		`{"status": "FAILURE", "result": "boom"}`:                                                  {State: task.Failure, Error: &result.Failure{Args: boom}},
		`{"status": "FAILURE", "result": null}`:                                                    {State: task.Failure, Error: &result.Failure{}},
		`{"status": "RETRY", "result": null}`:                                                      {State: task.Retry},
		`{"status": "SUCCESS", "result": 1, "children": [[["g1", null], [[["t2", null], null]]]]}`: {State: task.Success, Value: json.RawMessage("1"), Children: []string{"g1"}},
		`{"status": "PROGRESS", "result": {"done": 3}}`:                                            {State: "PROGRESS", Value: json.RawMessage(`{"done": 3}`)},
	} {
		got, err := result.Unmarshal([]byte(text))
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s\nreads %+v, %v\nwant  %+v", text, got, err, want)
		}
	}
}

func TestWhatIsNoResultIsMalformed(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"", "null", "[]", "{}", `{"status":""}`, `{"status":7}`, `{"status":"SUCCESS","result":NaN}`, `{"status":"SUCCESS"`, `{"status":"SUCCESS","date_done":"yesterday"}`,
		`{"status":"SUCCESS","children":[1]}`, `{"status":"SUCCESS","children":[[]]}`, `{"status":"SUCCESS","children":[[[7,null],null]]}`, `{"status":"RETRY","retries":-1}`, "{\"status\":\"\xff\"}",
		`{"status":"SUCCESS","date_done":"0000-01-01T00:00:00"}`,
	} {
		if r, err := result.Unmarshal([]byte(text)); !errors.Is(err, result.ErrMalformed) {
			t.Errorf("%q reads %+v, %v", text, r, err)
		}
	}
}

func TestAFailureReadsAsInPython(t *testing.T) {
	t.Parallel()
	raw := func(texts ...string) (all []json.RawMessage) {
		for _, text := range texts {
			all = append(all, json.RawMessage(text))
		}
		return all
	}
	for want, f := range map[string]*result.Failure{
		"ValueError: boom":    result.NewFailure("ValueError", "boom"),
		"KeyboardInterrupt":   {Type: "KeyboardInterrupt"},
		"HTTPError: 404, <x>": {Type: "HTTPError", Args: raw("404", `"<x>"`)},
		"boom":                {Args: raw(`"boom"`)},
	} {
		if got := f.Error(); got != want {
			t.Errorf("%q; want %q", got, want)
		}
	}
}

func FuzzUnmarshal(f *testing.F) {
	for _, c := range golden {
		f.Add([]byte(c.text))
	}
	f.Add([]byte(`{"status": "FAILURE", "result": {"exc_type": "E", "exc_message": "x"}, "children": [[["g", null], []]]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := result.Unmarshal(text)
		if err != nil {
			if !errors.Is(err, result.ErrMalformed) {
				t.Fatalf("%q: %v", text, err)
			}
			return
		}
		if r.TaskID == "" {
			r.TaskID = "t"
		}
		again, err := result.Marshal(r)
		if errors.Is(err, result.ErrInvalid) {
			return // Celery may write what we do not
		}
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		back, err := result.Unmarshal(again)
		if err != nil {
			t.Fatalf("%q was read, written as %q, and not read again: %v", text, again, err)
		}
		third, err := result.Marshal(back)
		if err != nil || string(third) != string(again) {
			t.Fatalf("%q becomes %q and then %q (%v)", text, again, third, err)
		}
	})
}

func TestStandingsOrderALife(t *testing.T) {
	t.Parallel()
	life := []result.Standing{
		result.StandingOf(task.Pending, 0), result.StandingOf(task.Received, 0), result.StandingOf(task.Started, 0), result.StandingOf(task.Retry, 0),
		result.StandingOf(task.Pending, 1), result.StandingOf("PROGRESS", 1), result.StandingOf(task.Retry, 1<<30), result.Final, result.Best,
	}
	for i, a := range life {
		for j, b := range life {
			want := error(nil)
			if i < j || i == j && a >= result.Final {
				want = result.ErrOutdated
				if b >= result.Final {
					want = result.ErrFinished
				}
			}
			if got := a.Over(b); !errors.Is(got, want) || (got == nil) != (want == nil) {
				t.Errorf("%d over %d: %v; want %v", i, j, got, want)
			}
		}
	}
	if result.StandingOf(task.Failure, 7) != result.StandingOf(task.Revoked, 0) {
		t.Error("FAILURE and REVOKED do not stand at one height")
	}
}
