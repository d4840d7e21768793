package task

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"
)

// anyMessage makes a random message that the wire can carry exactly.
func anyMessage(r *rand.Rand) *Message {
	m := &Message{ID: word(r), TaskID: word(r), Name: word(r)}
	for range r.IntN(4) {
		m.Args = append(m.Args, anyJSON(r, 0))
	}
	for range r.IntN(3) {
		if m.Kwargs == nil {
			m.Kwargs = map[string]json.RawMessage{}
		}
		m.Kwargs[anyText(r)] = anyJSON(r, 0)
	}
	m.Queue, m.Priority, m.Retries = word(r), r.IntN(10), int(r.Int32())
	m.Origin, m.IgnoreResult = anyText(r), r.IntN(2) == 0
	for _, s := range []*string{&m.RootID, &m.ParentID, &m.GroupID, &m.ReplyTo} {
		if r.IntN(2) == 0 {
			*s = word(r)
		}
	}
	for _, t := range []*time.Time{&m.ETA, &m.Expires} {
		if r.IntN(2) == 0 {
			*t = time.UnixMicro(r.Int64N(4e15)).UTC()
		}
	}
	for _, d := range []*time.Duration{&m.SoftLimit, &m.HardLimit} {
		switch r.IntN(3) {
		case 0:
			*d = time.Duration(r.Int64N(1e6)) * time.Second
		case 1:
			*d = time.Duration(r.Int64N(int64(maxLimit/time.Microsecond))) * time.Microsecond
		}
	}
	if r.IntN(4) == 0 {
		m.Embed = json.RawMessage(`{"chain":[` + string(anyJSON(r, 0)) + `]}`)
	}
	if r.IntN(8) == 0 {
		m.Args = append(m.Args, json.RawMessage(`"`+strings.Repeat("'ä", r.IntN(reprLimit))+`"`))
	}
	if r.IntN(2) == 0 {
		m.Extra = map[string]any{"x-" + word(r): anyValue(r, 0), "stamps": anyValue(r, 0)}
	}
	if r.IntN(8) == 0 {
		m.extraRepr()
	}
	return m
}

func (m *Message) extraRepr() {
	if m.Extra == nil {
		m.Extra = map[string]any{}
	}
	m.Extra["argsrepr"], m.Extra["shadow"] = "(<hidden>)", "alias"
}

func word(r *rand.Rand) string {
	return fmt.Sprintf("w%x-%s", r.Uint64(), []string{"", "ä", "\"", "\\", "€😀"}[r.IntN(5)])
}

func anyText(r *rand.Rand) string {
	runes := []rune("ab'\"\\/\n\t\r\x00\x1f\x7f\u0085\u00a0ä€\u2028\U0001F600\ufffd ")
	var b strings.Builder
	for range r.IntN(12) {
		b.WriteRune(runes[r.IntN(len(runes))])
	}
	return b.String()
}

func anyValue(r *rand.Rand, depth int) any {
	n := 8
	if depth > 3 {
		n = 6
	}
	switch r.IntN(n) {
	case 0:
		return nil
	case 1:
		return r.IntN(2) == 0
	case 2:
		return r.Int64() - r.Int64()
	case 3:
		return r.NormFloat64() + 0.5e-3
	case 4:
		return r.Float64() * 1e300
	case 5:
		return anyText(r)
	case 6:
		out := make([]any, r.IntN(4))
		for i := range out {
			out[i] = anyValue(r, depth+1)
		}
		return out
	}
	out := map[string]any{}
	for range r.IntN(4) {
		out[anyText(r)] = anyValue(r, depth+1)
	}
	return out
}

func anyJSON(r *rand.Rand, depth int) json.RawMessage {
	data, err := json.Marshal(anyValue(r, depth))
	if err != nil {
		panic(err)
	}
	if r.IntN(3) == 0 {
		var b bytes.Buffer
		_ = json.Indent(&b, data, "", " ")
		return b.Bytes()
	}
	return data
}

func TestEveryMessageComesBackAsItWasWritten(t *testing.T) {
	t.Parallel()
	for seed := range uint64(3000) {
		m := anyMessage(rand.New(rand.NewPCG(seed, 1)))
		if err := checkRoundTrip(m); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
}

// checkRoundTrip writes m both ways and reads it again.
func checkRoundTrip(m *Message) error {
	data, err := m.MarshalEnvelope()
	if err != nil {
		return err
	}
	if !json.Valid(data) {
		return fmt.Errorf("the envelope is not JSON: %s", data)
	}
	back, err := UnmarshalEnvelope(data)
	if err != nil {
		return fmt.Errorf("%w in %s", err, data)
	}
	if !reflect.DeepEqual(back, m) {
		return fmt.Errorf("envelope:\n%#v became\n%#v by\n%s", m, back, data)
	}
	if again, err := back.MarshalEnvelope(); err != nil || !bytes.Equal(again, data) {
		return fmt.Errorf("written again (%v):\n%s\n%s", err, data, again)
	}
	w, err := m.Encode()
	if err != nil {
		return err
	}
	if plain := plainEnvelope(m, w); plain != string(data) {
		return fmt.Errorf("envelope:\n%s\nwritten plainly:\n%s", data, plain)
	}
	if back, err = Decode(w); err != nil {
		return fmt.Errorf("%w in %#v", err, w)
	}
	back.Queue = m.Queue
	if !reflect.DeepEqual(back, m) {
		return fmt.Errorf("AMQP:\n%#v became\n%#v", m, back)
	}
	if again, err := back.Encode(); err != nil || !reflect.DeepEqual(again, w) {
		return fmt.Errorf("AMQP written again (%v):\n%#v\n%#v", err, w, again)
	}
	return nil
}

func TestTheHeadersAreLegalInAnAMQPTable(t *testing.T) {
	t.Parallel()
	var check func(v any) error
	check = func(v any) error {
		switch v := v.(type) {
		case nil, bool, string, int32, int64, float64:
			return nil
		case []any:
			for _, item := range v {
				if err := check(item); err != nil {
					return err
				}
			}
			return nil
		case map[string]any:
			for _, item := range v {
				if err := check(item); err != nil {
					return err
				}
			}
			return nil
		}
		return fmt.Errorf("a %T", v)
	}
	m := anyMessage(rand.New(rand.NewPCG(1, 2)))
	m.Extra = map[string]any{"int": 5, "uint": uint8(5), "bytes": []byte("text"), "time": time.Unix(0, 0), "list": []any{int16(1), float32(0.5)}}
	w, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if err := check(w.Headers); err != nil {
		t.Errorf("%v in %#v", err, w.Headers)
	}
	if got := w.Headers["time"]; got != "1970-01-01T00:00:00.000000+00:00" {
		t.Errorf("time: %v", got)
	}
}

func TestWhatCannotBeWrittenIsAnError(t *testing.T) {
	t.Parallel()
	tests := []struct {
		want   string
		change func(m *Message)
	}{
		{"no task name", func(m *Message) { m.Name = "" }},
		{"no task id", func(m *Message) { m.TaskID = "" }},
		{"no message id", func(m *Message) { m.ID = "" }},
		{"priority 10 is outside 0 to 9", func(m *Message) { m.Priority = 10 }},
		{"priority -1 is outside 0 to 9", func(m *Message) { m.Priority = -1 }},
		{"retries -1 is negative", func(m *Message) { m.Retries = -1 }},
		{"retries 2147483648 is above 2147483647", func(m *Message) { m.Retries = 1 << 31 }},
		{"soft time limit -1s is outside", func(m *Message) { m.SoftLimit = -time.Second }},
		{"hard time limit 876001h0m0s is outside", func(m *Message) { m.HardLimit = maxLimit + time.Hour }},
		{"the year of eta is outside", func(m *Message) { m.ETA = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) }},
		{"the year of expires is outside", func(m *Message) { m.Expires = time.Date(-1, 1, 1, 0, 0, 0, 0, time.UTC) }},
		{`queue "a\x00b" has a control character`, func(m *Message) { m.Queue = "a\x00b" }},
		{`queue "a\x7f" has a control character`, func(m *Message) { m.Queue = "a\x7f" }},
		{"queue is 256 bytes long, at most 255", func(m *Message) { m.Queue = strings.Repeat("q", 256) }},
		{`task name "\xff" is not UTF-8`, func(m *Message) { m.Name = "\xff" }},
		{"origin is not UTF-8", func(m *Message) { m.Origin = "\xff" }},
		{"argument 1 is not JSON: at byte 1: want a value, found 'x'", func(m *Message) { m.Args[1] = json.RawMessage("x") }},
		{"argument 0 is not JSON: at byte 1: the text ends", func(m *Message) { m.Args[0] = nil }},
		{"argument 0 is not JSON: at byte 3: want the end, found '2'", func(m *Message) { m.Args[0] = json.RawMessage("1 2") }},
		{`argument "k" is not JSON`, func(m *Message) { m.Kwargs = map[string]json.RawMessage{"k": json.RawMessage("{]")} }},
		{`argument name "\xff" is not UTF-8`, func(m *Message) { m.Kwargs = map[string]json.RawMessage{"\xff": json.RawMessage("1")} }},
		{"embed is not a JSON object", func(m *Message) { m.Embed = json.RawMessage("[]") }},
		{"embed is not JSON", func(m *Message) { m.Embed = json.RawMessage("{") }},
		{`extra header "task" is not extra`, func(m *Message) { m.Extra = map[string]any{"task": "x"} }},
		{`extra header "redelivered" is not extra`, func(m *Message) { m.Extra = map[string]any{"redelivered": true} }},
		{`extra header "c": a chan int cannot be written`, func(m *Message) { m.Extra = map[string]any{"c": make(chan int)} }},
		{`extra header "shadow": a chan int cannot be written`, func(m *Message) { m.Extra = map[string]any{"shadow": make(chan int)} }},
		{`extra header "a\nb" has a control character`, func(m *Message) { m.Extra = map[string]any{"a\nb": 1} }},
	}
	for _, tt := range tests {
		t.Run(tt.want, func(t *testing.T) {
			t.Parallel()
			m := celeryMessage()
			tt.change(m)
			_, errWire := m.Encode()
			_, errEnvelope := m.MarshalEnvelope()
			errs := []error{errWire, errEnvelope, Validate(m)}
			for i, err := range errs {
				if err == nil || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("%s: %v", []string{"Encode", "MarshalEnvelope", "Validate"}[i], err)
				}
			}
		})
	}
}

func TestValidateWantsAQueueAndATimeToRun(t *testing.T) {
	t.Parallel()
	m := celeryMessage()
	if err := Validate(m); err != nil {
		t.Errorf("a good message: %v", err)
	}
	m.Queue = ""
	if err := Validate(m); err == nil || !strings.Contains(err.Error(), "no queue") {
		t.Errorf("no queue: %v", err)
	}
	if _, err := m.Encode(); err != nil {
		t.Errorf("Encode needs no queue: %v", err)
	}
	m.Queue = "q"
	m.ETA = time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)
	m.Expires = m.ETA
	if err := Validate(m); err != nil {
		t.Errorf("expires at its eta: %v", err)
	}
	m.Expires = m.ETA.Add(-time.Second)
	if err := Validate(m); err == nil || !strings.Contains(err.Error(), "expires 2026-01-01T23:59:59.000000+00:00, before its eta") {
		t.Errorf("expires before its eta: %v", err)
	}
	if err := checkRoundTrip(m); err != nil {
		t.Errorf("what Celery may send must be writable again: %v", err)
	}
}

func TestAnExpiryWithoutAnETAIsValid(t *testing.T) {
	t.Parallel()
	m := celeryMessage()
	m.Expires = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	if err := Validate(m); err != nil {
		t.Error(err)
	}
}

func TestATinyTimeLimitDoesNotBecomeNone(t *testing.T) {
	t.Parallel()
	m := celeryMessage()
	m.SoftLimit = 1
	w, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	back, err := Decode(w)
	if err != nil || back.SoftLimit != time.Microsecond {
		t.Errorf("soft limit %s, error %v", back.SoftLimit, err)
	}
}

func TestAgainIsANewMessageOfTheSameTask(t *testing.T) {
	t.Parallel()
	m := celeryMessage()
	next := m.Again()
	if next.ID == m.ID || next.TaskID != m.TaskID || next.Retries != 1 || m.Retries != 0 {
		t.Errorf("%+v after %+v", next, m)
	}
}

func TestNewNamesTheArgumentThatIsNoJSON(t *testing.T) {
	t.Parallel()
	_, err := New("add", Options{}, 1, make(chan int))
	if err == nil || !strings.Contains(err.Error(), `encode argument 1 of task "add"`) {
		t.Error(err)
	}
	m, err := New("add", Options{Queue: "q"}, 1, "two", nil)
	if err != nil || Validate(m) != nil || checkRoundTrip(m) != nil {
		t.Error(err, Validate(m), checkRoundTrip(m))
	}
}
