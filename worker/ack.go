package worker

import (
	"context"
	"errors"

	"acklab/broker"
	"acklab/internal/ledger"
)

// This file is the acknowledgement, the subject of the laboratory.
//
// Early: the broker forgets the task before it runs. A crash from here to the
// end of the handler loses it.
// Late: the broker keeps the task until it has run. A crash from the first
// line of the handler to here runs it again.

// ackEarly acknowledges before the handler. It reports whether the task is
// ours to run: a stale delivery is not, the broker will send it again, nor one
// that was not acknowledged for want of a ledger. One whose acknowledgement is
// unsure is run, as Celery would.
func (w *Worker) ackEarly(ctx context.Context, d *broker.Delivery, at watch) bool {
	err := w.ack(ctx, d)
	at.reach(AckSent)
	if at.armed(Early, Acked) {
		w.flush(ctx)
	}
	at.reach(Acked)
	return !errors.Is(err, broker.ErrStale) && w.ledger.Err() == nil
}

// ackLate acknowledges after the handler has ended, well or badly.
func (w *Worker) ackLate(ctx context.Context, d *broker.Delivery, at watch) {
	w.ack(ctx, d)
	at.reach(LateAckSent)
	if at.armed(Late, LateAcked) {
		w.flush(ctx)
	}
	at.reach(LateAcked)
}

// ack hands one acknowledgement to the broker's client. Nil means handed
// over; that the broker has processed it is written by flush. Without the line
// that says so first, nothing is acknowledged.
func (w *Worker) ack(ctx context.Context, d *broker.Delivery) error {
	if w.record(ledger.AckSending, d, "") < 0 {
		return w.ledger.Err()
	}
	return w.settle(ledger.AckSent, d, func() error { return d.Ack(ctx) })
}

// settle hands a settlement over and writes what became of it.
func (w *Worker) settle(done ledger.Event, d *broker.Delivery, hand func() error) error {
	dead, givenUp := w.flusher.before(d.Session)
	err := hand()
	switch {
	case err == nil && dead: // it should have been refused as stale: the lie is to be seen
		w.record(done, d, "")
	case err == nil:
		if doubt := w.flusher.handedOver(d.Session, givenUp, func() int64 { return w.record(done, d, "") }); doubt != "" {
			w.record(ledger.AckUnsure, d, doubt)
		}
	case errors.Is(err, broker.ErrStale):
		w.record(ledger.StaleAck, d, err.Error())
	default:
		w.record(ledger.AckUnsure, d, err.Error())
	}
	return err
}
