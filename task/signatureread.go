package task

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"
)

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
		err = errors.New("no task name")
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
		o.PriorityGiven = true
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
