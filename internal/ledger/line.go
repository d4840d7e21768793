package ledger

import (
	"encoding/json"
	"strconv"
	"time"
	"unicode/utf8"
)

// Line is one event. Fields that do not apply are zero and not written.
type Line struct {
	Seq     int64             `json:"seq"`               // from 1, without a gap
	Wall    time.Time         `json:"wall"`              // for people
	Mono    int64             `json:"mono"`              // CLOCK_MONOTONIC in nanoseconds, for order and differences
	Event   Event             `json:"event"`             // what happened
	Task    string            `json:"task,omitempty"`    // task id
	Message string            `json:"msg,omitempty"`     // message id
	Name    string            `json:"name,omitempty"`    // name of the task's handler
	Queue   string            `json:"queue,omitempty"`   // queue it came from or goes to
	Retries int               `json:"retries,omitempty"` // retry number of the message
	ETA     int64             `json:"eta,omitempty"`     // for attempted: CLOCK_MONOTONIC of the moment before which it must not run, see MonoAt
	Hash    string            `json:"hash,omitempty"`    // hash of name and arguments
	Session int               `json:"session,omitempty"` // number of the consumer's connection
	Seen    string            `json:"seen,omitempty"`    // the broker's redelivery mark: first, again, unknown
	Count   int               `json:"count,omitempty"`   // deliveries so far, by the broker's count
	Upto    int64             `json:"upto,omitempty"`    // for acked: the last line that it covers
	Final   bool              `json:"final,omitempty"`   // for failed: no retry follows
	Point   string            `json:"point,omitempty"`   // checkpoint, probe or measure
	Process string            `json:"process,omitempty"` // name of a process
	Fault   string            `json:"fault,omitempty"`   // name of a fault
	State   string            `json:"state,omitempty"`   // for held: queued, unacked, delayed, dead
	N       int               `json:"n,omitempty"`       // a number of messages
	Value   float64           `json:"value,omitempty"`   // a measure
	Reason  string            `json:"reason,omitempty"`  // why, for people
	Detail  map[string]string `json:"detail,omitempty"`  // whatever else is worth knowing
}

// append writes the line as JSON, newline included, to buf. It is what
// encoding/json would write, without reflection: a worker writes five lines a
// task.
func (l *Line) append(buf []byte) []byte {
	buf = append(buf, `{"seq":`...)
	buf = strconv.AppendInt(buf, l.Seq, 10)
	buf = append(buf, `,"wall":"`...)
	buf = l.Wall.AppendFormat(buf, time.RFC3339Nano)
	buf = append(buf, `","mono":`...)
	buf = strconv.AppendInt(buf, l.Mono, 10)
	buf = appendQuoted(appendKey(buf, "event"), string(l.Event))
	buf = appendString(buf, "task", l.Task)
	buf = appendString(buf, "msg", l.Message)
	buf = appendString(buf, "name", l.Name)
	buf = appendString(buf, "queue", l.Queue)
	buf = appendInt(buf, "retries", int64(l.Retries))
	buf = appendInt(buf, "eta", l.ETA)
	buf = appendString(buf, "hash", l.Hash)
	buf = appendInt(buf, "session", int64(l.Session))
	buf = appendString(buf, "seen", l.Seen)
	buf = appendInt(buf, "count", int64(l.Count))
	buf = appendInt(buf, "upto", l.Upto)
	if l.Final {
		buf = append(buf, `,"final":true`...)
	}
	buf = appendString(buf, "point", l.Point)
	buf = appendString(buf, "process", l.Process)
	buf = appendString(buf, "fault", l.Fault)
	buf = appendString(buf, "state", l.State)
	buf = appendInt(buf, "n", int64(l.N))
	if l.Value != 0 {
		buf = append(buf, `,"value":`...)
		buf = append(buf, marshal(l.Value)...)
	}
	buf = appendString(buf, "reason", l.Reason)
	if len(l.Detail) > 0 {
		buf = append(buf, `,"detail":`...)
		buf = append(buf, marshal(l.Detail)...)
	}
	return append(buf, '}', '\n')
}

func appendInt(buf []byte, key string, v int64) []byte {
	if v == 0 {
		return buf
	}
	return strconv.AppendInt(appendKey(buf, key), v, 10)
}

func appendString(buf []byte, key, v string) []byte {
	if v == "" {
		return buf
	}
	return appendQuoted(appendKey(buf, key), v)
}

func appendQuoted(buf []byte, v string) []byte {
	for i := range len(v) {
		if c := v[i]; c < ' ' || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			return append(buf, marshal(v)...)
		}
	}
	buf = append(buf, '"')
	buf = append(buf, v...)
	return append(buf, '"')
}

func appendKey(buf []byte, key string) []byte {
	buf = append(buf, ',', '"')
	buf = append(buf, key...)
	return append(buf, '"', ':')
}

// marshal is for values that always can be: strings, finite numbers, string
// maps. A number that is not finite is written as null.
func marshal(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		return []byte("null")
	}
	return b
}
