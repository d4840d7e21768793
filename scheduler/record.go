package scheduler

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// field reads one setting of a schedule from JSON, and gives it back as it is
// written; nil: it is not written.
type field struct {
	name string
	set  func(*Schedule, json.RawMessage) error
	get  func(Schedule) any
}

// fields are all settings, in the order in which they are written.
var fields = []field{
	text("name", func(s *Schedule) *string { return &s.Name }),
	text("task", func(s *Schedule) *string { return &s.Task }),
	{"args", func(s *Schedule, raw json.RawMessage) error { return read(raw, &s.Args, "a list") },
		func(s Schedule) any { return unless(len(s.Args) == 0, s.Args) }},
	{"kwargs", func(s *Schedule, raw json.RawMessage) error { return read(raw, &s.Kwargs, "names with values") },
		func(s Schedule) any { return unless(len(s.Kwargs) == 0, s.Kwargs) }},
	text("queue", func(s *Schedule) *string { return &s.Queue }),
	{"priority", setPriority, func(s Schedule) any { return unless(s.Priority == 0 && !s.PriorityGiven, s.Priority) }},
	span("every", func(s *Schedule) *time.Duration { return &s.Every }),
	span("phase", func(s *Schedule) *time.Duration { return &s.Phase }),
	text("cron", func(s *Schedule) *string { return &s.Cron }),
	text("zone", func(s *Schedule) *string { return &s.Zone }),
	{"at", setAt, func(s Schedule) any { return unless(s.At.IsZero(), s.At.Format(time.RFC3339Nano)) }},
	span("expires", func(s *Schedule) *time.Duration { return &s.Expires }),
	span("jitter", func(s *Schedule) *time.Duration { return &s.Jitter }),
	{"enabled", func(s *Schedule, raw json.RawMessage) error { return read(raw, &s.Enabled, "true or false") },
		func(s Schedule) any { return unless(s.Enabled, false) }},
	text("catch_up", func(s *Schedule) *string { return (*string)(&s.CatchUp) }),
	span("window", func(s *Schedule) *time.Duration { return &s.Window }),
	text("overlap", func(s *Schedule) *string { return (*string)(&s.Overlap) }),
	number("max_runs", func(s *Schedule) *int { return &s.MaxRuns }),
}

// NewSchedule has the default of every field.
func NewSchedule() Schedule {
	return Schedule{Enabled: true, CatchUp: CatchUpOnce, Overlap: OverlapAllow}
}

// Set changes one field, by its name in JSON and YAML, to a JSON value. It does not
// check what the schedule then is. Errors are *FieldError.
func (s *Schedule) Set(name string, value json.RawMessage) error {
	for _, f := range fields {
		if f.name == name {
			if err := f.set(s, value); err != nil {
				return &FieldError{Field: name, Err: err}
			}
			return nil
		}
	}
	return wrong(name, "unknown, there are %s", strings.Join(FieldNames(), ", "))
}

// FieldNames are the names that Set takes.
func FieldNames() []string {
	var names []string
	for _, f := range fields {
		names = append(names, f.name)
	}
	return names
}

// MarshalJSON writes the schedule as one object, without what has its default.
func (s Schedule) MarshalJSON() ([]byte, error) {
	out := []byte{'{'}
	for _, f := range fields {
		v := f.get(s)
		if v == nil {
			continue
		}
		raw, err := json.Marshal(v)
		if err != nil {
			return nil, &FieldError{Field: f.name, Err: err}
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(append(append(out, '"'), f.name...), `":`...)
		out = append(out, raw...)
	}
	return append(out, '}'), nil
}

// UnmarshalJSON reads one object; what it does not mention has its default. Unknown
// fields and null are refused.
func (s *Schedule) UnmarshalJSON(data []byte) error {
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(data, &raw); err != nil {
		return fmt.Errorf("a schedule is a JSON object: %w", err)
	}
	*s = NewSchedule()
	names := FieldNames()
	for name, value := range raw {
		if !slices.Contains(names, name) {
			return s.Set(name, nil)
		}
		if err := s.Set(name, value); err != nil {
			return err
		}
	}
	return nil
}

// read decodes JSON; want says what it should be.
func read(raw json.RawMessage, into any, want string) error {
	if string(raw) == "null" || json.Unmarshal(raw, into) != nil {
		return fmt.Errorf("%.80s is not %s", bytes.TrimSpace(raw), want)
	}
	return nil
}

// unless is v, or nil when it is not to be written.
func unless(left bool, v any) any {
	if left {
		return nil
	}
	return v
}

func text(name string, at func(*Schedule) *string) field {
	return field{name,
		func(s *Schedule, raw json.RawMessage) error { return read(raw, at(s), "a text") },
		func(s Schedule) any { d := NewSchedule(); return unless(*at(&s) == *at(&d), *at(&s)) }}
}

func number(name string, at func(*Schedule) *int) field {
	return field{name,
		func(s *Schedule, raw json.RawMessage) error { return read(raw, at(s), "a whole number") },
		func(s Schedule) any { return unless(*at(&s) == 0, *at(&s)) }}
}

func span(name string, at func(*Schedule) *time.Duration) field {
	set := func(s *Schedule, raw json.RawMessage) error {
		var word string
		err := json.Unmarshal(raw, &word)
		if err == nil {
			*at(s), err = time.ParseDuration(word)
		}
		if err != nil {
			return fmt.Errorf("%.80s is not a duration such as 10s, 5m or 1h30m", raw)
		}
		return nil
	}
	return field{name, set, func(s Schedule) any { return unless(*at(&s) == 0, at(&s).String()) }}
}

func setPriority(s *Schedule, raw json.RawMessage) error {
	s.PriorityGiven = true
	return read(raw, &s.Priority, "a whole number")
}

func setAt(s *Schedule, raw json.RawMessage) error {
	var word string
	var err error
	if json.Unmarshal(raw, &word) == nil {
		s.At, err = time.Parse(time.RFC3339, word)
		s.At = s.At.UTC()
	} else {
		err = errors.New("no text")
	}
	if err != nil {
		return fmt.Errorf("%.80s is no moment: want date, time and zone, such as 2026-11-21T07:31:43+01:00", raw)
	}
	return nil
}
