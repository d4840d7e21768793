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

func TestAWorkerIsIdleWhenWhatItAcceptedIsRunPostponedOrFailed(t *testing.T) {
	t.Parallel()
	f := newTail("none")
	early := []ledger.Event{ledger.Received, ledger.Accepted, ledger.AckSent, ledger.Started}
	play := func(message string, events ...ledger.Event) {
		for _, e := range events {
			f.take(ledger.Line{Event: e, Message: message})
		}
	}
	idle := func(when string, want bool) {
		t.Helper()
		if f.idle() != want {
			t.Errorf("%s: idle %t", when, f.idle())
		}
	}
	play("a", early...)
	idle("a runs", false)
	play("a", ledger.Failed)
	idle("its retry is not published", false)
	play("a-1", ledger.Attempted, ledger.Refused)
	play("b", early...)
	f.take(ledger.Line{Event: ledger.Failed, Message: "a", Final: true})
	idle("a failed for good, and b runs", false)
	play("b", ledger.Finished)
	idle("all is over", true)
	play("c", ledger.Received, ledger.Accepted, ledger.Attempted, ledger.Confirmed, ledger.Postponed)
	idle("a postponed one is not settled", false)
	play("c", ledger.AckSent)
	idle("it is", true)
}
