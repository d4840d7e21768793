// Package publishing is what the books say of a publish, whoever does it: one line
// before it, and after it one line and one count of what the broker has said.
package publishing

import (
	"errors"

	"acklab/broker"
	"acklab/internal/ledger"
	"acklab/internal/metrics"
	"acklab/task"
)

// Intent is the line before the publish of m.
func Intent(m *task.Message) ledger.Line {
	l := about(ledger.Attempted, m)
	l.Name, l.Hash, l.ETA = m.Name, m.Hash(), ledger.MonoAt(m.ETA)
	return l
}

// Outcome is the line after it. err is the broker's word on m, as broker.Publish
// returns it: nil is confirmed, ErrRefused refused, anything else unsure.
func Outcome(m *task.Message, err error) ledger.Line {
	if err == nil {
		return about(ledger.Confirmed, m)
	}
	l := about(ledger.Unsure, m)
	l.Reason = err.Error()
	if errors.Is(err, broker.ErrRefused) {
		l.Event = ledger.Refused
	}
	if broker.RefusedAs(err, broker.Duplicate) {
		l.Detail = map[string]string{ledger.DetailDuplicate: "true"}
	}
	return l
}

// Heard counts the outcome, writes its line and returns its event: Confirmed, Refused
// or Unsure. The error is the ledger's. Both books may be nil.
func Heard(w *ledger.Writer, counts *metrics.Metrics, m *task.Message, err error) (ledger.Event, error) {
	l := Outcome(m, err)
	counts.Published(m.Queue, metrics.Outcome(l.Event), 1)
	_, err = w.Write(l)
	return l.Event, err
}

func about(event ledger.Event, m *task.Message) ledger.Line {
	return ledger.Line{Event: event, Task: m.TaskID, Message: m.ID, Queue: m.Queue, Retries: m.Retries}
}
