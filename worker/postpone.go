package worker

import (
	"context"
	"fmt"
	"maps"
	"time"

	"acklab/broker"
	"acklab/internal/ledger"
	"acklab/task"
)

// postponedHeader counts, in the message, how often workers have handed it to
// the broker for later.
const postponedHeader = "acklab_postponed"

// postpone hands a delivery that came before its ETA to the broker's own delay
// as another message, and acknowledges it when that is confirmed. Celery's
// producers send such messages: their workers hold them. One that was
// postponed before and is early again waits for a moment in its slot, so that
// a broker that holds nothing back is not asked in a busy loop.
//
// Where the worker holds delays, a slot takes none before its time. One that is early
// here has had the clock set back under it, and is requeued: it comes again, and is
// held. To hold it at once would have one delivery accepted twice.
func (w *Worker) postpone(ctx, handlers context.Context, j job) {
	d := j.Delivery
	if w.holds {
		w.requeue(ctx, d, "the clock was set back before its eta")
		return
	}
	if how := w.broker.Traits().Delay; how != broker.Native && how != broker.Emulated {
		w.reject(ctx, handlers, j, fmt.Errorf("eta %s is in the future, and this broker does not hold delays", d.Message.ETA.Format(time.RFC3339)))
		return
	}
	later, before := putOff(d)
	if before > 0 {
		rest(handlers, min(breath, time.Until(d.Message.ETA)))
	}
	switch err := w.publish(ctx, later); {
	case err == nil:
		w.record(ledger.Postponed, d, "its eta is "+d.Message.ETA.Format(time.RFC3339Nano))
		w.ack(ctx, d)
	case impossible(err):
		w.reject(ctx, handlers, j, fmt.Errorf("eta %s is in the future, and it cannot be published for then: %w", d.Message.ETA.Format(time.RFC3339), err))
	default:
		w.log.Error("a task for later is not sure to be with the broker", "task", d.Message.TaskID, "name", d.Message.Name, "err", err)
		w.giveBack(ctx, handlers, d, "came before its eta, and the broker did not confirm that it holds it")
	}
}

// putOff is another message of the same try, and how often it was put off.
func putOff(d *broker.Delivery) (later *task.Message, before int64) {
	before, _ = d.Message.Extra[postponedHeader].(int64)
	later = d.Message.Copy()
	later.Queue = d.Queue
	later.Extra = maps.Clone(later.Extra)
	if later.Extra == nil {
		later.Extra = map[string]any{}
	}
	later.Extra[postponedHeader] = max(0, before) + 1
	return later, before
}

// giveBack requeues a delivery whose successor the broker has not confirmed.
// If it was stored all the same, there are two of it from now on.
func (w *Worker) giveBack(ctx, handlers context.Context, d *broker.Delivery, why string) {
	if w.ledger.Err() != nil {
		return // the delivery goes back when the consumer closes
	}
	rest(handlers, breath)
	w.requeue(ctx, d, why)
}
