package task_test

import (
	"testing"
	"time"

	"acklab/task"
)

func TestTheMomentOfThePublishTravelsAndTheOriginalStays(t *testing.T) {
	t.Parallel()
	m, err := task.New("noop", task.Options{Queue: "q", Extra: map[string]any{"padding": "x"}})
	if err != nil {
		t.Fatal(err)
	}
	if !m.Sent().IsZero() {
		t.Errorf("a message that was never published was sent at %v", m.Sent())
	}
	at := time.Now()
	sent := m.SentAt(at)
	if len(m.Extra) != 1 || sent.Extra["padding"] != "x" {
		t.Errorf("the original has %v, the copy %v", m.Extra, sent.Extra)
	}
	envelope, err := sent.MarshalEnvelope()
	if err != nil {
		t.Fatal(err)
	}
	got, err := task.UnmarshalEnvelope(envelope)
	if err != nil {
		t.Fatal(err)
	}
	if off := got.Sent().Sub(at).Abs(); off > 2*time.Microsecond {
		t.Errorf("sent at %v, %v off", got.Sent(), off)
	}
	again := got.SentAt(at.Add(time.Second))
	if d := again.Sent().Sub(got.Sent()).Round(time.Millisecond); d != time.Second {
		t.Errorf("the next publish is %v after the first, want 1s", d)
	}
}
