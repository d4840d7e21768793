package task

import (
	"errors"
	"fmt"
	"math"
	"time"
	"unicode/utf8"
)

const (
	// MaxPriority is the largest Options.Priority.
	MaxPriority = 9
	// maxID is the longest id or queue in bytes: an AMQP short string.
	maxID = 255
	// maxLimit bounds SoftLimit and HardLimit, so that they survive their way
	// through a number of seconds.
	maxLimit = 100 * 365 * 24 * time.Hour
)

// Validate says why m must not be published, or returns nil. It finds what
// the wire format cannot express (no name, no id, no queue, control
// characters or more than 255 bytes in one of these, a priority outside 0 to
// 9, negative retries or time limits, arguments that are not JSON, extra
// headers that are not extra) and what
// can never be run (it expires before its ETA). How large a message may be
// and how long a queue's name is the driver's matter.
func Validate(m *Message) error {
	if err := validate(m); err != nil {
		return fmt.Errorf("message %q of task %q: %w", m.ID, m.Name, err)
	}
	return nil
}

func validate(m *Message) error {
	if err := m.checkOptions(); err != nil {
		return err
	}
	if m.Queue == "" {
		return errors.New("no queue")
	}
	if !m.Expires.IsZero() && m.Expires.Before(m.ETA) {
		return fmt.Errorf("expires %s, before its eta %s", formatTime(m.Expires), formatTime(m.ETA))
	}
	if err := m.checkBody(); err != nil {
		return err
	}
	return m.putExtra(func(string, any) {})
}

// checkOptions finds what the headers and properties cannot express. Decode
// holds messages of others to the same, so that each can be written again.
func (m *Message) checkOptions() error {
	switch {
	case m.Name == "":
		return errors.New("no task name")
	case m.TaskID == "":
		return errors.New("no task id")
	case m.ID == "":
		return errors.New("no message id")
	case m.Priority < 0 || m.Priority > MaxPriority:
		return fmt.Errorf("priority %d is outside 0 to %d", m.Priority, MaxPriority)
	case m.Retries < 0:
		return fmt.Errorf("retries %d is negative", m.Retries)
	case m.Retries > math.MaxInt32:
		return fmt.Errorf("retries %d is above %d", m.Retries, math.MaxInt32)
	case !expressible(m.ETA):
		return errors.New("the year of eta is outside 1 to 9999")
	case !expressible(m.Expires):
		return errors.New("the year of expires is outside 1 to 9999")
	}
	for _, f := range [...]struct{ what, value string }{
		{"task name", m.Name}, {"task id", m.TaskID}, {"message id", m.ID}, {"queue", m.Queue},
		{"root id", m.RootID}, {"parent id", m.ParentID}, {"group", m.GroupID}, {"reply_to", m.ReplyTo},
	} {
		if err := checkWord(f.what, f.value); err != nil {
			return err
		}
	}
	if !utf8.ValidString(m.Origin) {
		return errors.New("origin is not UTF-8")
	}
	for _, l := range [...]struct {
		what  string
		value time.Duration
	}{{"soft", m.SoftLimit}, {"hard", m.HardLimit}} {
		if l.value < 0 || l.value > maxLimit {
			return fmt.Errorf("%s time limit %s is outside 0 to %s", l.what, l.value, maxLimit)
		}
	}
	return nil
}

// checkWord holds an id or a name to what every broker can carry.
func checkWord(what, value string) error {
	if len(value) > maxID {
		return fmt.Errorf("%s is %d bytes long, at most %d are possible", what, len(value), maxID)
	}
	if !utf8.ValidString(value) {
		return fmt.Errorf("%s %q is not UTF-8", what, value)
	}
	for i := range len(value) {
		if value[i] < ' ' || value[i] == 0x7f {
			return fmt.Errorf("%s %q has a control character", what, value)
		}
	}
	return nil
}

// checkBody finds arguments that are not JSON.
func (m *Message) checkBody() error {
	for i, raw := range m.Args {
		if err := checkJSON(raw); err != nil {
			return fmt.Errorf("argument %d is not JSON: %w", i, err)
		}
	}
	for name, raw := range m.Kwargs {
		if !utf8.ValidString(name) {
			return fmt.Errorf("argument name %q is not UTF-8", name)
		}
		if err := checkJSON(raw); err != nil {
			return fmt.Errorf("argument %q is not JSON: %w", name, err)
		}
	}
	if m.Embed == nil {
		return nil
	}
	if err := checkJSON(m.Embed); err != nil {
		return fmt.Errorf("embed is not JSON: %w", err)
	}
	if s := (scanner{data: m.Embed}); s.peek() != '{' {
		return errors.New("embed is not a JSON object")
	}
	return nil
}

// checkJSON checks that raw is exactly one JSON value.
func checkJSON(raw []byte) error {
	if !utf8.Valid(raw) {
		return errors.New("not UTF-8")
	}
	s := scanner{data: raw}
	if err := s.skip(); err != nil {
		return err
	}
	return s.end()
}
