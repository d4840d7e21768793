package result

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"

	"acklab/task"
)

// meta is what Celery's result backends store (celery/backends/base.py,
// _get_result_meta), in Celery's order of keys. Those that Celery leaves out
// where they do not apply are left out here: group_id and parent_id, and name to
// queue, which Celery writes with result_extended.
type meta struct {
	Status    task.State      `json:"status"`
	Result    json.RawMessage `json:"result"`
	Traceback *string         `json:"traceback"`
	Children  []child         `json:"children"`
	DateDone  *string         `json:"date_done"`
	GroupID   string          `json:"group_id,omitempty"`
	ParentID  string          `json:"parent_id,omitempty"`
	Name      string          `json:"name,omitempty"`
	Worker    string          `json:"worker,omitempty"`
	Retries   int             `json:"retries,omitempty"`
	Queue     string          `json:"queue,omitempty"`
	TaskID    string          `json:"task_id"`
}

// exception is a failure in the key result. exc_message holds the arguments, or,
// of an old Celery, a text.
type exception struct {
	Type    string          `json:"exc_type"`
	Message json.RawMessage `json:"exc_message"`
	Module  *string         `json:"exc_module"`
}

// child is a task's id in Celery's tuple form of results: [[id, parent], null],
// or of a group, [[id, parent], [members]].
type child string

// MarshalJSON writes the tuple of a child without a parent.
func (c child) MarshalJSON() ([]byte, error) {
	return fmt.Appendf(nil, "[[%s,null],null]", quote(string(c))), nil
}

// UnmarshalJSON reads the id out of a tuple.
func (c *child) UnmarshalJSON(data []byte) error {
	var outer, inner []json.RawMessage
	if err := json.Unmarshal(data, &outer); err != nil || len(outer) == 0 {
		return fmt.Errorf("a child is %.40q", data)
	}
	if err := json.Unmarshal(outer[0], &inner); err != nil || len(inner) == 0 {
		return fmt.Errorf("a child is %.40q", data)
	}
	return json.Unmarshal(inner[0], (*string)(c))
}

// Marshal writes a valid result as the JSON that Celery's Redis backend stores
// and its AsyncResult reads. The same result is always the same text. Text that
// is not UTF-8 becomes it, with U+FFFD for what is not.
func Marshal(r Result) ([]byte, error) {
	if err := r.Validate(); err != nil {
		return nil, err
	}
	return Encode(r)
}

// Encode is Marshal for results that were read, to be shown: also what no store
// here takes, such as a state that a Celery task has made up. The error wraps
// ErrInvalid: a value that is no JSON.
func Encode(r Result) ([]byte, error) {
	m := meta{
		Status: r.State, Result: r.Value, Children: []child{},
		GroupID: r.GroupID, ParentID: r.ParentID, Name: r.Name, Worker: r.Worker, Retries: r.Retries, Queue: r.Queue, TaskID: r.TaskID,
	}
	for _, id := range r.Children {
		m.Children = append(m.Children, child(id))
	}
	if r.State.Finished() && !r.Done.IsZero() {
		done := formatDate(r.Done)
		m.DateDone = &done
	}
	if f := r.Error; f != nil {
		args := f.Args
		if args == nil {
			args = []json.RawMessage{}
		}
		x := exception{Type: f.Type}
		if f.Module != "" {
			x.Module = &f.Module
		}
		var err error
		if x.Message, err = encode(args); err == nil {
			m.Result, err = encode(x)
		}
		if err != nil {
			return nil, r.invalid("%v", err)
		}
		if f.Traceback != "" {
			m.Traceback = &f.Traceback
		}
	}
	text, err := encode(m)
	if err != nil {
		return nil, r.invalid("%v", err)
	}
	return text, nil
}

// encode is json.Marshal that leaves <, > and & as they are.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// quote is a string as JSON.
func quote(s string) json.RawMessage {
	text, err := encode(s)
	if err != nil {
		return json.RawMessage(`""`) // a string is always JSON
	}
	return text
}

// Unmarshal reads what Marshal or Celery has written, of the versions that write
// date_done naive or with a zone, and exc_message as a list or a text. A failure
// in another form than Celery's becomes one without a type. The error wraps
// ErrMalformed: no JSON (Python's NaN and Infinity are none), or another
// program's.
func Unmarshal(data []byte) (Result, error) {
	var m meta
	if !utf8.Valid(data) {
		return Result{}, fmt.Errorf("%w: not UTF-8", ErrMalformed)
	}
	if err := json.Unmarshal(data, &m); err != nil {
		return Result{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if m.Status == "" {
		return Result{}, fmt.Errorf("%w: no status in it", ErrMalformed)
	}
	if m.Retries < 0 || m.Retries > maxRetries {
		return Result{}, fmt.Errorf("%w: %d retries", ErrMalformed, m.Retries)
	}
	r := Result{
		TaskID: m.TaskID, State: m.Status, Retries: m.Retries,
		Name: m.Name, Worker: m.Worker, Queue: m.Queue, ParentID: m.ParentID, GroupID: m.GroupID,
	}
	for _, id := range m.Children {
		r.Children = append(r.Children, string(id))
	}
	if m.DateDone != nil {
		var err error
		if r.Done, err = parseDate(*m.DateDone); err != nil {
			return Result{}, fmt.Errorf("%w: date_done: %w", ErrMalformed, err)
		}
	}
	if isNull(m.Result) {
		m.Result = nil
	}
	failed := r.State.Failed() || r.State == task.Retry && m.Result != nil
	if !failed {
		r.Value = m.Result
		return r, nil
	}
	r.Error = readFailure(m.Result)
	if m.Traceback != nil {
		r.Error.Traceback = *m.Traceback
	}
	return r, nil
}

func isNull(v json.RawMessage) bool { return strings.TrimSpace(string(v)) == "null" }

// readFailure reads the key result of a state that failed.
func readFailure(data json.RawMessage) *Failure {
	var x exception
	if err := json.Unmarshal(data, &x); err != nil || x.Type == "" {
		if data == nil {
			return &Failure{}
		}
		return &Failure{Args: []json.RawMessage{data}}
	}
	f := &Failure{Type: x.Type}
	if x.Module != nil {
		f.Module = *x.Module
	}
	if json.Unmarshal(x.Message, &f.Args) != nil && !isNull(x.Message) && len(x.Message) > 0 {
		f.Args = []json.RawMessage{x.Message}
	}
	if len(f.Args) == 0 {
		f.Args = nil
	}
	return f
}

// Read is what a store holds of a task as a result: PENDING where that is
// nothing. Only drivers need it.
func Read(id string, data []byte) (Result, error) {
	if len(data) == 0 {
		return Result{TaskID: id, State: task.Pending}, nil
	}
	r, err := Unmarshal(data)
	if err != nil {
		return Result{}, fmt.Errorf("result of task %s: %w", id, err)
	}
	r.TaskID = id
	return r, nil
}
