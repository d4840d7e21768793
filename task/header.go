package task

import (
	"cmp"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// onceHeader carries Options.Once.
const onceHeader = "acklab_once"

// headers is the table of all headers of m, as AMQP carries them. The values
// are nil, bool, string, int32, int64, float64, []any and map[string]any.
func (m *Message) headers() (map[string]any, error) {
	table := make(map[string]any, 16+len(m.Extra))
	table["lang"] = "go"
	table["task"] = m.Name
	table["id"] = m.TaskID
	table["root_id"] = cmp.Or(m.RootID, m.TaskID)
	table["parent_id"] = orNil(m.ParentID)
	table["group"] = orNil(m.GroupID)
	table["group_index"] = m.chosen("group_index")
	table["shadow"] = m.chosen("shadow")
	table["eta"] = timeOrNil(m.ETA)
	table["expires"] = timeOrNil(m.Expires)
	table["retries"] = int32(m.Retries)
	table["timelimit"] = []any{secondsOrNil(m.HardLimit), secondsOrNil(m.SoftLimit)}
	if table["argsrepr"] = m.chosen("argsrepr"); table["argsrepr"] == nil {
		table["argsrepr"] = string(appendArgsRepr(nil, m.Args))
	}
	if table["kwargsrepr"] = m.chosen("kwargsrepr"); table["kwargsrepr"] == nil {
		table["kwargsrepr"] = string(appendKwargsRepr(nil, m.Kwargs))
	}
	table["origin"] = m.Origin
	table["ignore_result"] = m.IgnoreResult
	if m.Once {
		table[onceHeader] = true
	}
	err := m.putExtra(func(key string, value any) { table[key] = value })
	return table, err
}

// appendHeaders writes the same headers as the members of a JSON object, in the
// order in which Celery writes them (celery/app/amqp.py, as_task_v2), then the
// extra ones by name.
func (m *Message) appendHeaders(dst []byte) ([]byte, error) {
	var buf [256]byte
	dst = appendString(append(dst, `"lang":"go","task":`...), m.Name)
	dst = appendString(append(dst, `,"id":`...), m.TaskID)
	dst = appendString(append(dst, `,"root_id":`...), cmp.Or(m.RootID, m.TaskID))
	dst = appendOrNull(append(dst, `,"parent_id":`...), m.ParentID)
	dst = appendOrNull(append(dst, `,"group":`...), m.GroupID)
	dst = appendJSON(append(dst, `,"group_index":`...), m.chosen("group_index"))
	dst = appendJSON(append(dst, `,"shadow":`...), m.chosen("shadow"))
	dst = appendTime(append(dst, `,"eta":`...), m.ETA)
	dst = appendTime(append(dst, `,"expires":`...), m.Expires)
	dst = strconv.AppendInt(append(dst, `,"retries":`...), int64(m.Retries), 10)
	dst = appendJSON(append(dst, `,"timelimit":[`...), secondsOrNil(m.HardLimit))
	dst = appendJSON(append(dst, ','), secondsOrNil(m.SoftLimit))
	dst = append(dst, `],"argsrepr":`...)
	if chosen := m.chosen("argsrepr"); chosen != nil {
		dst = appendJSON(dst, chosen)
	} else {
		dst = appendString(dst, appendArgsRepr(buf[:0], m.Args))
	}
	dst = append(dst, `,"kwargsrepr":`...)
	if chosen := m.chosen("kwargsrepr"); chosen != nil {
		dst = appendJSON(dst, chosen)
	} else {
		dst = appendString(dst, appendKwargsRepr(buf[:0], m.Kwargs))
	}
	dst = appendString(append(dst, `,"origin":`...), m.Origin)
	dst = strconv.AppendBool(append(dst, `,"ignore_result":`...), m.IgnoreResult)
	if m.Once {
		dst = append(dst, `,"`+onceHeader+`":true`...)
	}
	err := m.putExtra(func(key string, value any) {
		dst = append(appendString(append(dst, ','), key), ':')
		dst = appendJSON(dst, value)
	})
	return dst, err
}

// chosen is the extra header of a name that this program writes itself unless
// the sender chose it; nil: the sender did not.
func (m *Message) chosen(key string) any {
	if v, ok := canonical(m.Extra[key]); ok {
		return v
	}
	return nil
}

// putExtra puts the headers that this program does not know.
func (m *Message) putExtra(put func(string, any)) error {
	if len(m.Extra) == 0 {
		return nil
	}
	var few [8]string
	for _, key := range appendSorted(few[:0], m.Extra) {
		kind := headerKind(key)
		if kind != unknown && kind != replaceable {
			return fmt.Errorf("extra header %q is not extra: this program writes it itself", key)
		}
		if kind == unknown {
			if err := checkWord("extra header", key); err != nil {
				return err
			}
		}
		v, ok := canonical(m.Extra[key])
		if !ok {
			return fmt.Errorf("extra header %q: a %T cannot be written", key, m.Extra[key])
		}
		if kind == unknown {
			put(key, v)
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

// named is where a header goes that is a string; nil: it is none of them.
func (d *decoder) named(key string) *string {
	switch key {
	case "task":
		return &d.m.Name
	case "id":
		return &d.m.TaskID
	case "root_id":
		return &d.m.RootID
	case "parent_id":
		return &d.m.ParentID
	case "group":
		return &d.m.GroupID
	case "origin":
		return &d.m.Origin
	case "compression":
		return &d.compression
	}
	return nil
}

// header takes one header, whose value must be canonical, into the message.
func (d *decoder) header(key string, value any) {
	if into := d.named(key); into != nil {
		d.word(key, value, into)
		return
	}
	m := d.m
	switch key {
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
