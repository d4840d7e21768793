package task

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// onceHeader carries Options.Once.
const onceHeader = "acklab_once"

// headers calls put with every header of m, in the order in which Celery
// writes them (celery/app/amqp.py, as_task_v2), then the extra ones by name.
// The values are nil, bool, string, int32, int64, float64, []any and
// map[string]any.
func (m *Message) headers(put func(key string, value any)) error {
	put("lang", "go")
	put("task", m.Name)
	put("id", m.TaskID)
	if m.RootID != "" {
		put("root_id", m.RootID)
	} else {
		put("root_id", m.TaskID)
	}
	put("parent_id", orNil(m.ParentID))
	put("group", orNil(m.GroupID))
	m.putOr(put, "group_index", func() any { return nil })
	m.putOr(put, "shadow", func() any { return nil })
	put("eta", timeOrNil(m.ETA))
	put("expires", timeOrNil(m.Expires))
	put("retries", int32(m.Retries))
	put("timelimit", []any{secondsOrNil(m.HardLimit), secondsOrNil(m.SoftLimit)})
	m.putOr(put, "argsrepr", func() any { return string(appendArgsRepr(nil, m.Args)) })
	m.putOr(put, "kwargsrepr", func() any { return string(appendKwargsRepr(nil, m.Kwargs)) })
	put("origin", m.Origin)
	put("ignore_result", m.IgnoreResult)
	if m.Once {
		put(onceHeader, true)
	}
	return m.putExtra(put)
}

// putOr puts the extra header of that name, or else what fallback gives.
func (m *Message) putOr(put func(string, any), key string, fallback func() any) {
	if v, ok := canonical(m.Extra[key]); ok && v != nil {
		put(key, v)
	} else {
		put(key, fallback())
	}
}

// putExtra puts the headers that this program does not know.
func (m *Message) putExtra(put func(string, any)) error {
	for _, key := range sortedKeys(m.Extra) {
		switch headerKind(key) {
		case replaceable:
			if _, ok := canonical(m.Extra[key]); !ok {
				return fmt.Errorf("extra header %q: a %T cannot be written", key, m.Extra[key])
			}
		case unknown:
			if err := checkWord("extra header", key); err != nil {
				return err
			}
			v, ok := canonical(m.Extra[key])
			if !ok {
				return fmt.Errorf("extra header %q: a %T cannot be written", key, m.Extra[key])
			}
			put(key, v)
		default:
			return fmt.Errorf("extra header %q is not extra: this program writes it itself", key)
		}
	}
	return nil
}

// kind says how a header is treated.
type kind int

const (
	unknown     kind = iota // kept in Extra and written back
	field                   // a field of Message
	replaceable             // written by this program unless Extra has it
	transport               // about one delivery, not about the message: never kept
)

func headerKind(key string) kind {
	switch key {
	case "task", "id", "root_id", "parent_id", "group", "eta", "expires", "retries", "timelimit",
		"origin", "ignore_result", "lang", "compression", onceHeader:
		return field
	case "argsrepr", "kwargsrepr", "shadow", "group_index":
		return replaceable
	case "redelivered", "x-death", "x-delivery-count", "x-acquired-count":
		return transport
	}
	if strings.HasPrefix(key, "x-first-death-") || strings.HasPrefix(key, "x-last-death-") {
		return transport
	}
	return unknown
}

// header takes one header, whose value must be canonical, into the message.
func (d *decoder) header(key string, value any) {
	m := d.m
	switch key {
	case "task":
		d.word(key, value, &m.Name)
	case "id":
		d.word(key, value, &m.TaskID)
	case "root_id":
		d.word(key, value, &m.RootID)
	case "parent_id":
		d.word(key, value, &m.ParentID)
	case "group":
		d.word(key, value, &m.GroupID)
	case "origin":
		d.word(key, value, &m.Origin)
	case "compression":
		d.word(key, value, &d.compression)
	case "eta":
		d.moment(key, value, &m.ETA)
	case "expires":
		d.moment(key, value, &m.Expires)
	case "retries":
		m.Retries = d.count(key, value)
	case "timelimit":
		d.timelimit(value)
	case "ignore_result":
		d.flag(key, value, &m.IgnoreResult)
	case onceHeader:
		d.flag(key, value, &m.Once)
	case "redelivered":
		d.redelivered = d.redelivered || value == true
	case "argsrepr":
		d.argsrepr = value
	case "kwargsrepr":
		d.kwargsrepr = value
	case "lang":
	case "shadow", "group_index":
		if value != nil {
			d.extra(key, value)
		}
	default:
		if headerKind(key) == transport {
			return
		}
		if err := checkWord("header name", key); err != nil {
			d.fail("%w", err)
			return
		}
		d.extra(key, value)
	}
}

func (d *decoder) extra(key string, value any) {
	if d.m.Extra == nil {
		d.m.Extra = make(map[string]any, 4)
	}
	d.m.Extra[key] = value
}

func (d *decoder) word(key string, value any, into *string) {
	switch v := value.(type) {
	case string:
		*into = v
	case nil:
		*into = ""
	default:
		d.fail("%q: want a string, got %s", key, describe(value))
	}
}

func (d *decoder) flag(key string, value any, into *bool) {
	switch v := value.(type) {
	case bool:
		*into = v
	case nil:
		*into = false
	default:
		d.fail("header %q: want true or false, got %s", key, describe(value))
	}
}

func (d *decoder) moment(key string, value any, into *time.Time) {
	switch v := value.(type) {
	case string:
		t, err := parseTime(v)
		if err != nil {
			d.fail("header %q: %w", key, err)
			return
		}
		*into = t
	case nil:
		*into = time.Time{}
	default:
		d.fail("header %q: want an ISO 8601 time, got %s", key, describe(value))
	}
}

func (d *decoder) count(key string, value any) int {
	switch v := value.(type) {
	case int64:
		if 0 <= v && v <= math.MaxInt32 {
			return int(v)
		}
		d.fail("header %q: %d is outside 0 to %d", key, v, math.MaxInt32)
	case nil:
	default:
		d.fail("header %q: want a whole number, got %s", key, describe(value))
	}
	return 0
}

// timelimit reads [hard, soft], in seconds.
func (d *decoder) timelimit(value any) {
	switch v := value.(type) {
	case nil:
		d.m.HardLimit, d.m.SoftLimit = 0, 0
	case []any:
		if len(v) == 2 {
			d.m.HardLimit, d.m.SoftLimit = d.seconds(v[0]), d.seconds(v[1])
			return
		}
		d.fail("header \"timelimit\": want [hard, soft], got %d elements", len(v))
	default:
		d.fail("header \"timelimit\": want [hard, soft], got %s", describe(value))
	}
}

func (d *decoder) seconds(value any) time.Duration {
	var seconds float64
	switch v := value.(type) {
	case nil:
		return 0
	case int64:
		seconds = float64(v)
	case float64:
		seconds = v
	default:
		d.fail("header \"timelimit\": want seconds, got %s", describe(value))
		return 0
	}
	if seconds < 0 || seconds > maxLimit.Seconds() {
		d.fail("header \"timelimit\": %v seconds is outside 0 to %v", seconds, maxLimit.Seconds())
		return 0
	}
	return time.Duration(math.Round(seconds*1e6)) * time.Microsecond
}

// describe names a canonical value for an error.
func describe(value any) string {
	switch v := value.(type) {
	case nil:
		return "null"
	case bool:
		return strconv.FormatBool(v)
	case string:
		return "a string"
	case int64, float64:
		return fmt.Sprintf("the number %v", v)
	case []any:
		return "an array"
	case map[string]any:
		return "an object"
	}
	return fmt.Sprintf("a %T", value)
}

func orNil(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func timeOrNil(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return formatTime(t)
}

// secondsOrNil gives whole seconds as int64, others as float64 with
// microseconds. A limit below a microsecond is one microsecond: zero would
// mean no limit.
func secondsOrNil(d time.Duration) any {
	switch {
	case d == 0:
		return nil
	case d%time.Second == 0:
		return int64(d / time.Second)
	}
	return float64(max(d, time.Microsecond)/time.Microsecond) / 1e6
}
