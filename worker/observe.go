package worker

import (
	"acklab/broker"
	"acklab/internal/ledger"
)

// observe writes what happens below the calls of the driver.
func (w *Worker) observe(e broker.Event) {
	if e.Session == 0 && (e.Kind == broker.Connected || e.Kind == broker.Lost) {
		return // of a connection that only publishes: no delivery and no settlement goes with it, and the driver logs it
	}
	switch e.Kind {
	case broker.Arrived:
		w.write(ledger.Line{
			Event: ledger.Received, Task: e.Delivery.Message.TaskID, Message: e.Delivery.Message.ID, Name: e.Delivery.Message.Name,
			Queue: e.Delivery.Queue, Retries: e.Delivery.Message.Retries, Hash: e.Delivery.Message.Hash(),
			Session: e.Delivery.Session, Seen: string(e.Delivery.Seen), Count: e.Delivery.Count,
		})
		w.metrics.Received(e.Delivery.Queue, e.Delivery.Seen == broker.SeenAgain)
	case broker.Dropped:
		w.record(ledger.Dropped, e.Delivery, "")
	case broker.GivenBack:
		w.record(ledger.GivenBack, e.Delivery, "")
	case broker.Connected:
		w.write(ledger.Line{Event: ledger.Connected, Session: e.Session})
		w.connected(e.Session)
		w.log.Info("connected to the broker", "session", e.Session)
	case broker.Lost:
		if upto, some := w.flusher.over(e.Session); some {
			w.write(ledger.Line{Event: ledger.AckUnsure, Session: e.Session, Upto: upto, Reason: "the session ended"})
		}
		w.write(ledger.Line{Event: ledger.Lost, Session: e.Session, Reason: reason(e.Err)})
		w.metrics.BrokerUp(false)
		w.log.Warn("lost the broker, connecting again", "session", e.Session, "err", e.Err)
	case broker.Unconsumed:
		w.log.Warn("the broker ended the subscription", "queue", e.Queue, "err", e.Err)
	}
}

func (w *Worker) connected(session int) {
	w.metrics.BrokerUp(true)
	if session > 1 {
		w.metrics.Reconnected()
	}
}

func reason(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// record writes an event of one delivery and returns the line's number, or -1
// when the ledger is broken.
func (w *Worker) record(event ledger.Event, d *broker.Delivery, reason string) int64 {
	return w.write(ledger.Line{
		Event: event, Task: d.Message.TaskID, Message: d.Message.ID, Queue: d.Queue, Session: d.Session, Reason: reason,
	})
}

// write appends to the ledger. A broken one ends the worker (see Run), so the
// error is not handed to every caller.
func (w *Worker) write(l ledger.Line) int64 {
	n, err := w.ledger.Write(l)
	if err != nil {
		return -1
	}
	return n
}
