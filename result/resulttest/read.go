package resulttest

import (
	"encoding/json"
	"strings"

	"acklab/result"
	"acklab/task"
)

func readTests() []test {
	return []test{
		{"an unknown task reads PENDING", nil, func(p *probe) {
			id := p.id()
			p.wantGet(p.client(), result.Result{TaskID: id, State: task.Pending})
		}},
		{"what is stored is read as it was", nil, wholeResult},
		{"every state is read as it was stored", nil, func(p *probe) {
			s := p.client()
			for _, state := range task.States() {
				r := of(p.id(), state)
				p.store(s, r)
				p.wantGet(s, r)
			}
		}},
		{"a failure is read with its type, arguments and traceback", nil, failures},
		{"text in any script is read as it was", nil, func(p *probe) {
			s := p.client()
			for _, value := range []string{`"ä 漢字 🎉 \u0000 \ud83c\udf89"`, `{"a":[1,2.50,1e400,12345678901234567890],"":null}`, `"<&>\u2028"`, `[]`, `false`, `0`, `""`} {
				r := of(p.id(), task.Success)
				r.Value, r.Name = json.RawMessage(value), "app.größe"
				p.store(s, r)
				p.wantGet(s, r)
			}
		}},
		{"a value of one megabyte is read byte for byte", nil, func(p *probe) {
			s := p.client()
			r := of(p.id(), task.Success)
			r.Value = json.RawMessage(`"` + strings.Repeat("0123456789abcdef", 1<<16) + `"`)
			p.store(s, r)
			p.wantGet(s, r)
			p.wantIs(s.Store(p.soon(), try(of(r.TaskID, task.Retry), 1)), "RETRY after it", result.ErrFinished)
			p.wantWaited(p.wait(s, r.TaskID, p.h.Patience), r)
		}},
		{"no value and null are the same", nil, func(p *probe) {
			s := p.client()
			r := of(p.id(), task.Success)
			r.Value = json.RawMessage("null")
			p.store(s, r)
			r.Value = nil
			p.wantGet(s, r)
			p.store(s, r)
		}},
		{"what cannot be stored is refused as invalid and not stored", nil, invalid},
		{"a task that is forgotten is PENDING and can be stored again", nil, func(p *probe) {
			s := p.client()
			r := of(p.id(), task.Success)
			p.store(s, r)
			for range 2 { // the second time there is nothing
				if err := s.Forget(p.soon(), r.TaskID); err != nil {
					p.Fatalf("forget: %v", err)
				}
				p.wantGet(s, of(r.TaskID, task.Pending))
			}
			p.store(s, of(r.TaskID, task.Started), of(r.TaskID, task.Failure))
			p.wantGet(s, of(r.TaskID, task.Failure))
		}},
		{"what another program wrote in its place is malformed", []need{needRaw}, func(p *probe) {
			s := p.client()
			for _, text := range []string{`[1]`, `{"status":7}`, `{}`} {
				id := p.id()
				p.store(s, of(id, task.Started)) // so that the place is there
				if err := p.server.PutRaw(p.soon(), id, []byte(text)); err != nil {
					p.Fatalf("put: %v", err)
				}
				_, err := s.Get(p.soon(), id)
				p.wantIs(err, "get of "+text, result.ErrMalformed)
				_, err = s.Wait(p.soon(), id)
				p.wantIs(err, "wait for "+text, result.ErrMalformed)
				p.store(s, of(id, task.Success)) // it is in nobody's way
				p.wantGet(s, of(id, task.Success))
			}
		}},
	}
}

func wholeResult(p *probe) {
	s, other := p.client(), p.client()
	r := result.Result{
		TaskID: p.id(), State: task.Success, Value: json.RawMessage(`{"sum":[8,null],"text":"<ok>"}`), Retries: 3, Done: done,
		Name: "app.add", Worker: "worker1@host", Queue: "high", ParentID: p.id(), GroupID: p.id(), Children: []string{p.id(), p.id()},
	}
	p.store(s, r)
	p.wantGet(s, r)
	p.wantGet(other, r)
	r.TaskID, r.Done = "task with blanks / ä : {x} *", done.Truncate(1e9)
	p.store(s, r)
	p.wantGet(other, r)
}

func failures(p *probe) {
	s := p.client()
	traceback := "Traceback (most recent call last):\n  File \"app.py\", line 3, in größe\n\tdef\x00\x01\nValueError: boom\n"
	for _, f := range []*result.Failure{
		{Type: "ValueError", Module: "builtins", Args: []json.RawMessage{json.RawMessage(`"boom"`)}, Traceback: traceback},
		{Type: "HTTPError", Module: "app.errors", Args: []json.RawMessage{json.RawMessage(`404`), json.RawMessage(`{"url":"/"}`)}},
		{Type: "KeyboardInterrupt"},
	} {
		for _, state := range []task.State{task.Failure, task.Revoked, task.Retry} {
			r := of(p.id(), state)
			r.Error = f
			p.store(s, r)
			p.wantGet(s, r)
		}
	}
}

func invalid(p *probe) {
	s := p.client()
	id := p.id()
	change := func(state task.State, f func(*result.Result)) result.Result {
		r := of(id, state)
		f(&r)
		return r
	}
	for what, r := range map[string]result.Result{
		"an unknown state":         {TaskID: id, State: "DONE"},
		"no id":                    of("", task.Success),
		"a long id":                of(strings.Repeat("x", 600), task.Success),
		"an id with a zero":        of("a\x00b", task.Success),
		"no moment":                {TaskID: id, State: task.Success},
		"a value that is not JSON": change(task.Success, func(r *result.Result) { r.Value = json.RawMessage("{") }),
		"no JSON at all":           change(task.Success, func(r *result.Result) { r.Value = json.RawMessage("") }),
		"a value not in UTF-8":     change(task.Success, func(r *result.Result) { r.Value = json.RawMessage("\"\xff\"") }),
		"SUCCESS with an error":    change(task.Success, func(r *result.Result) { r.Value, r.Error = nil, result.NewFailure("E", "e") }),
		"FAILURE without one":      change(task.Failure, func(r *result.Result) { r.Error = nil }),
		"an error without a type":  change(task.Failure, func(r *result.Result) { r.Error = &result.Failure{} }),
		"negative retries":         change(task.Started, func(r *result.Result) { r.Retries = -1 }),
	} {
		p.wantIs(s.Store(p.soon(), r), "store of "+what, result.ErrInvalid)
	}
	p.wantGet(s, of(id, task.Pending))
	_, err := s.Get(p.soon(), "")
	p.wantIs(err, "get of no id", result.ErrInvalid)
	_, err = s.Wait(p.soon(), "")
	p.wantIs(err, "wait for no id", result.ErrInvalid)
	p.wantIs(s.Forget(p.soon(), ""), "forget of no id", result.ErrInvalid)
}
