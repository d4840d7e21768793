package experiments

import (
	"testing"
	"testing/synctest"
	"time"

	"acklab/internal/ledger"
)

func TestATaskOnItsWayToAWorkerIsNotTakenForStranded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		producer, worker := newTail("none"), newTail("none")
		for _, id := range []string{"a", "b"} {
			producer.take(ledger.Line{Event: ledger.Confirmed, Message: id})
		}
		trial := &Trial{cell: &Cell{Stranding: true}, members: map[string]*member{"producer": {tail: producer}, "worker": {tail: worker}}}
		var still stillness
		worker.take(ledger.Line{Event: ledger.Received, Message: "a"})
		worker.take(ledger.Line{Event: ledger.AckSent, Message: "a"})
		held := load{unacked: 1}
		if trial.allReceived() || still.since(held, trial.lines()) >= standstill {
			t.Error("settled, though b was received by nobody")
		}
		<-time.After(standstill)
		if still.since(held, trial.lines()) < standstill {
			t.Error("not settled after nothing had moved for the time of a standstill")
		}
		worker.take(ledger.Line{Seq: 3, Event: ledger.Received, Message: "b"})
		if !trial.allReceived() {
			t.Error("not settled, though everything was received")
		}
		if still.since(held, trial.lines()) >= standstill {
			t.Error("a new line does not end the standstill")
		}
	})
}
