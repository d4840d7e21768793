package task

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"time"
)

// wireSignature is the dictionary that Celery makes of a signature
// (celery/canvas.py, Signature.__init__). chord_size, on the callback of a chord,
// says how many members it has: Celery 5.0 and 5.1 wrote it there too, later ones
// keep the number in their result backend.
type wireSignature struct {
	Task      string                     `json:"task"`
	Args      []json.RawMessage          `json:"args"`
	Kwargs    map[string]json.RawMessage `json:"kwargs"`
	Options   map[string]json.RawMessage `json:"options"`
	Subtask   *string                    `json:"subtask_type"`
	Immutable bool                       `json:"immutable"`
	ChordSize *int                       `json:"chord_size,omitempty"`
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
	if o.Priority != 0 {
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

// UnmarshalJSON reads a signature of Celery's or of ours. Options that are not
// known here are kept and written again. The error says which part is wrong.
func (s *Signature) UnmarshalJSON(data []byte) error {
	var w wireSignature
	if err := json.Unmarshal(data, &w); err != nil {
		return fmt.Errorf("not a signature: %w", err)
	}
	*s = Signature{Name: w.Task, Args: w.Args, Kwargs: w.Kwargs, Immutable: w.Immutable}
	if len(s.Args) == 0 {
		s.Args = nil
	}
	if len(s.Kwargs) == 0 {
		s.Kwargs = nil
	}
	if w.ChordSize != nil && *w.ChordSize > 0 {
		s.chordSize = *w.ChordSize
	}
	var err error
	if w.Subtask != nil {
		err = s.readShape(*w.Subtask)
	}
	if err == nil && s.Shape == Single && s.Name == "" {
		err = fmt.Errorf("no task name")
	}
	if err == nil {
		err = s.readOptions(w.Options)
	}
	if err != nil {
		return fmt.Errorf("signature of %q: %w", w.Task, err)
	}
	return nil
}

// readShape takes the parts of a workflow out of the arguments.
func (s *Signature) readShape(kind string) error {
	if kind == "" {
		return nil
	}
	if singleKinds[kind] {
		s.kind = kind
		return nil
	}
	s.Shape = Shape(kind)
	if shapeTask[s.Shape] == "" {
		return fmt.Errorf("subtask_type %q is not one of chain, group, chord", kind)
	}
	s.Name = ""
	kwargs := s.Kwargs
	s.Kwargs = nil
	if s.Shape != ChordShape {
		return readList("tasks", kwargs["tasks"], &s.Tasks)
	}
	header := bytes.TrimSpace(kwargs["header"])
	if len(header) > 0 && header[0] == '{' {
		var group Signature
		if err := json.Unmarshal(header, &group); err != nil {
			return fmt.Errorf("header: %w", err)
		}
		if s.Tasks = group.Tasks; group.Shape == Single || group.Shape == ChordShape {
			s.Tasks = []*Signature{&group}
		}
		s.TaskID = group.TaskID
	} else if err := readList("header", header, &s.Tasks); err != nil {
		return err
	}
	if body := kwargs["body"]; len(body) > 0 && string(body) != "null" {
		s.Body = &Signature{}
		if err := json.Unmarshal(body, s.Body); err != nil {
			return fmt.Errorf("body: %w", err)
		}
	}
	return nil
}

// readList reads signatures: a list of them, one, or none (null).
func readList(what string, raw json.RawMessage, into *[]*Signature) error {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 || string(raw) == "null" {
		return nil
	}
	if raw[0] == '{' {
		raw = append(append([]byte{'['}, raw...), ']')
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	for i, s := range *into {
		if s == nil {
			return fmt.Errorf("%s: number %d is null", what, i+1)
		}
	}
	return nil
}

// readOptions takes what apply_async is called with.
func (s *Signature) readOptions(options map[string]json.RawMessage) error {
	for _, key := range sortedKeys(options) {
		raw := options[key]
		if string(raw) == "null" {
			continue
		}
		if err := s.readOption(key, raw); err != nil {
			return fmt.Errorf("option %q: %w", key, err)
		}
	}
	return nil
}

func (s *Signature) readOption(key string, raw json.RawMessage) error {
	o := &s.Options
	switch key {
	case "task_id":
		if s.Shape == ChordShape && s.TaskID != "" {
			return nil
		}
		return json.Unmarshal(raw, &s.TaskID)
	case "queue":
		return json.Unmarshal(raw, &o.Queue)
	case "root_id":
		return json.Unmarshal(raw, &o.RootID)
	case "parent_id":
		return json.Unmarshal(raw, &o.ParentID)
	case "group_id":
		return json.Unmarshal(raw, &o.GroupID)
	case "reply_to":
		return json.Unmarshal(raw, &o.ReplyTo)
	case "priority":
		return json.Unmarshal(raw, &o.Priority)
	case "retries":
		return json.Unmarshal(raw, &o.Retries)
	case "ignore_result":
		return json.Unmarshal(raw, &o.IgnoreResult)
	case "time_limit":
		return readSeconds(raw, &o.HardLimit)
	case "soft_time_limit":
		return readSeconds(raw, &o.SoftLimit)
	case "countdown":
		return readSeconds(raw, &s.Countdown)
	case "eta":
		return readMoment(raw, &o.ETA)
	case "expires":
		if raw[0] == '"' {
			return readMoment(raw, &o.Expires)
		}
		return readSeconds(raw, &s.ExpiresIn)
	case "link":
		return readList(key, raw, &s.Link)
	case "link_error":
		return readList(key, raw, &s.LinkError)
	case "chord":
		s.chord = &Signature{}
		return json.Unmarshal(raw, s.chord)
	case "headers":
		return s.readHeaders(raw)
	case groupIndex, "shadow", "argsrepr", "kwargsrepr":
		return s.readExtra(key, raw)
	}
	if s.more == nil {
		s.more = map[string]json.RawMessage{}
	}
	s.more[key] = raw
	return nil
}

// readHeaders takes the headers that the message is to have; those that a
// message has by itself say nothing here.
func (s *Signature) readHeaders(raw json.RawMessage) error {
	var headers map[string]json.RawMessage
	if err := json.Unmarshal(raw, &headers); err != nil {
		return err
	}
	for _, key := range sortedKeys(headers) {
		switch {
		case key == onceHeader:
			s.Options.Once = string(headers[key]) == "true"
		case headerKind(key) == unknown:
			if err := s.readExtra(key, headers[key]); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *Signature) readExtra(key string, raw json.RawMessage) error {
	sc := scanner{data: raw}
	v, err := sc.any()
	if err != nil {
		return err
	}
	if v, ok := canonical(v); ok && v != nil {
		s.Options.Extra = withExtra(s.Options.Extra, key, v)
	}
	return nil
}

func readMoment(raw json.RawMessage, into *time.Time) error {
	var text string
	err := json.Unmarshal(raw, &text)
	if err == nil {
		*into, err = parseTime(text)
	}
	return err
}

func readSeconds(raw json.RawMessage, into *time.Duration) error {
	var seconds float64
	if err := json.Unmarshal(raw, &seconds); err != nil {
		return err
	}
	if seconds < 0 || seconds > maxLimit.Seconds() {
		return fmt.Errorf("%v seconds is outside 0 to %v", seconds, maxLimit.Seconds())
	}
	*into = time.Duration(math.Round(seconds*1e6)) * time.Microsecond
	return nil
}
