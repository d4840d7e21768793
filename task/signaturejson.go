package task

import (
	"encoding/json"
	"time"
)

// wireSignature is the dictionary that Celery makes of a signature
// (celery/canvas.py, Signature.__init__). ChordSize is ours, on the callback of a chord:
// how many members it has. Celery 5.0 and 5.1 write theirs as chord_size, later ones
// keep the number in their result backend.
type wireSignature struct {
	Task      string                     `json:"task"`
	Args      []json.RawMessage          `json:"args"`
	Kwargs    map[string]json.RawMessage `json:"kwargs"`
	Options   map[string]json.RawMessage `json:"options"`
	Subtask   *string                    `json:"subtask_type"`
	Immutable bool                       `json:"immutable"`
	ChordSize *int                       `json:"acklab_chord_size,omitempty"`
}

// The tasks that Celery gives its workflows, and the single tasks with a
// subtask_type of their own.
var (
	shapeTask   = map[Shape]string{ChainShape: "celery.chain", GroupShape: "celery.group", ChordShape: "celery.chord"}
	singleKinds = map[string]bool{"xmap": true, "xstarmap": true}
)

// MarshalJSON writes the signature as Celery does.
func (s *Signature) MarshalJSON() ([]byte, error) {
	w := wireSignature{Task: s.Name, Args: s.Args, Kwargs: s.Kwargs, Immutable: s.Immutable}
	if w.Args == nil {
		w.Args = []json.RawMessage{}
	}
	if w.Kwargs == nil {
		w.Kwargs = map[string]json.RawMessage{}
	}
	kind := s.kind
	var err error
	if s.Shape != Single {
		kind, w.Task = string(s.Shape), shapeTask[s.Shape]
		w.Kwargs, err = s.parts()
	}
	if kind != "" {
		w.Subtask = &kind
	}
	if s.chordSize > 0 {
		w.ChordSize = &s.chordSize
	}
	if err == nil {
		w.Options, err = s.options()
	}
	if err != nil {
		return nil, err
	}
	return json.Marshal(w)
}

// parts are the arguments of Celery's own tasks for workflows.
func (s *Signature) parts() (map[string]json.RawMessage, error) {
	tasks := s.Tasks
	if tasks == nil {
		tasks = []*Signature{}
	}
	put := map[string]any{"tasks": tasks}
	if s.Shape == ChordShape {
		put = map[string]any{"header": Group(tasks...), "body": s.Body, "kwargs": struct{}{}}
		if s.TaskID != "" {
			put["header"] = &Signature{Shape: GroupShape, Tasks: tasks, TaskID: s.TaskID}
		}
	}
	return encodeAll(put)
}

// encodeAll encodes every value.
func encodeAll(values map[string]any) (map[string]json.RawMessage, error) {
	out := make(map[string]json.RawMessage, len(values))
	for key, v := range values {
		raw, err := json.Marshal(v)
		if err != nil {
			return nil, err
		}
		out[key] = raw
	}
	return out, nil
}

// options are those of Celery's apply_async that are not at their defaults.
func (s *Signature) options() (map[string]json.RawMessage, error) {
	put := map[string]any{}
	word := func(key, value string) {
		if value != "" {
			put[key] = value
		}
	}
	o := s.Options
	if s.Shape != ChordShape { // there it is the header's
		word("task_id", s.TaskID)
	}
	word("queue", o.Queue)
	word("root_id", o.RootID)
	word("parent_id", o.ParentID)
	word("group_id", o.GroupID)
	word("reply_to", o.ReplyTo)
	for key, d := range map[string]time.Duration{
		"time_limit": o.HardLimit, "soft_time_limit": o.SoftLimit, "countdown": s.Countdown, "expires": s.ExpiresIn,
	} {
		if d != 0 {
			put[key] = secondsOrNil(d)
		}
	}
	for key, t := range map[string]time.Time{"eta": o.ETA, "expires": o.Expires} {
		if !t.IsZero() {
			put[key] = formatTime(t)
		}
	}
	if o.Priority != 0 || o.PriorityGiven {
		put["priority"] = o.Priority
	}
	if o.Retries != 0 {
		put["retries"] = o.Retries
	}
	if o.IgnoreResult {
		put["ignore_result"] = true
	}
	headers := map[string]any{}
	if o.Once {
		headers[onceHeader] = true
	}
	for key, v := range o.Extra {
		if headerKind(key) == replaceable {
			put[key] = v
		} else {
			headers[key] = v
		}
	}
	if len(headers) > 0 {
		put["headers"] = headers
	}
	if len(s.Link) > 0 {
		put["link"] = s.Link
	}
	if len(s.LinkError) > 0 {
		put["link_error"] = s.LinkError
	}
	if s.chord != nil {
		put["chord"] = s.chord
	}
	out, err := encodeAll(put)
	for key, raw := range s.more {
		out[key] = raw
	}
	return out, err
}
