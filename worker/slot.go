package worker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"acklab/broker"
	"acklab/internal/ledger"
	"acklab/internal/metrics"
	"acklab/result"
	"acklab/task"
)

// slot accepts deliveries, one at a time, until there are no more. Settlements
// use the context of the process, not that of the handler: a handler that was
// stopped still gives its task back.
func (w *Worker) slot(ctx, handlers context.Context) error {
	for {
		d, err := w.take(ctx)
		if err != nil {
			if errors.Is(err, broker.ErrClosed) || ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("receive from the broker: %w", err)
		}
		w.metrics.InFlight(int(w.inFlight.Add(1)))
		w.handle(ctx, handlers, d)
		w.metrics.InFlight(int(w.inFlight.Add(-1)))
		if err := w.ledger.Err(); err != nil {
			return err
		}
	}
}

// take is the next delivery for a slot. Where the worker holds those that came
// before their ETA, it is one of them once it is due.
func (w *Worker) take(ctx context.Context) (*broker.Delivery, error) {
	if !w.holds {
		return w.consumer.Receive(ctx)
	}
	for {
		if d := w.waiting.due(time.Now()); d != nil {
			return d, nil
		}
		turn := w.waiting.until(ctx)
		d, err := w.consumer.Receive(turn)
		switch {
		case err != nil && turn.Err() != nil && ctx.Err() == nil && !errors.Is(err, broker.ErrClosed): // something is due
		case err != nil:
			return nil, err
		case d.Malformed == nil && d.Message.ETA.After(time.Now()) && !expired(d.Message, time.Now()):
			w.waiting.hold(d)
		default:
			return d, nil
		}
	}
}

// handle takes one delivery from acceptance to settlement.
func (w *Worker) handle(ctx, handlers context.Context, d *broker.Delivery) {
	ctx = context.WithoutCancel(ctx)
	if w.record(ledger.Accepted, d, "") < 0 {
		return // the ledger is broken: the delivery goes back when the consumer closes
	}
	at := w.points.accept(d)
	at.reach(Fetched)
	handler, unable := w.runnable(d)
	j, unfollowed := w.job(d)
	switch {
	case unable != nil || unfollowed != nil:
		w.reject(ctx, handlers, j, cmp.Or(unable, unfollowed))
	case w.collapse(ctx, handlers, j, at):
	case expired(d.Message, time.Now()):
		w.expire(ctx, handlers, j)
	case d.Message.ETA.After(time.Now()):
		w.postpone(ctx, handlers, j)
	case w.ackMode == Early:
		if j.settled = w.ackEarly(ctx, d, at); j.settled {
			w.conclude(ctx, j, at, w.execute(handlers, d, handler, at))
		}
	default:
		o := w.execute(handlers, d, handler, at)
		switch {
		case o.interrupted():
			w.requeue(ctx, d, "stopped before it had finished")
		case w.conclude(ctx, j, at, o):
			w.ackLate(ctx, d, at)
		default:
			w.giveBack(ctx, handlers, d, unsureSuccessor)
		}
	}
}

// runnable finds the handler, or says why the delivery belongs in the dead
// letters.
func (w *Worker) runnable(d *broker.Delivery) (task.Handler, error) {
	if d.Malformed != nil {
		return nil, d.Malformed
	}
	return w.registry.Lookup(d.Message.Name)
}

// expired tells whether the time of a message has passed; that includes the moment
// itself, for one that may run no sooner than it expires is never run.
func expired(m *task.Message, now time.Time) bool {
	return !m.Expires.IsZero() && !now.Before(m.Expires)
}

// reject parks a delivery that cannot be run in the dead letters. For what follows
// its task, the task has failed.
func (w *Worker) reject(ctx, handlers context.Context, j job, reason error) {
	d := j.Delivery
	w.record(ledger.Rejecting, d, reason.Error())
	why := rejection(reason)
	if d.Malformed == nil { // the id of what cannot be read may be made up
		w.keep(ctx, d, result.Result{State: task.Failure, Error: why})
	}
	if !w.fallOut(ctx, j, why) {
		w.giveBack(ctx, handlers, d, unsureSuccessor)
		return
	}
	w.log.Warn("task goes to the dead letters", "task", d.Message.TaskID, "name", d.Message.Name, "reason", reason)
	w.settle(ledger.Rejected, d, func() error { return d.Reject(ctx, reason.Error()) })
	w.metrics.TaskEntered(d.Message.Name, metrics.Failure)
}

// expire drops a delivery whose time has passed. For what follows its task, the
// task has failed, but errbacks are not called, as in Celery.
func (w *Worker) expire(ctx, handlers context.Context, j job) {
	d := j.Delivery
	w.record(ledger.Expired, d, "")
	w.metrics.TaskEntered(d.Message.Name, metrics.Revoked)
	why := celeryFailure("TaskRevokedError", "expired")
	w.keep(ctx, d, result.Result{State: task.Revoked, Error: why})
	j.links.Errbacks = nil
	if !w.fallOut(ctx, j, why) {
		w.giveBack(ctx, handlers, d, unsureSuccessor)
		return
	}
	w.ack(ctx, d)
}

func (w *Worker) requeue(ctx context.Context, d *broker.Delivery, why string) {
	w.record(ledger.Requeuing, d, why)
	w.settle(ledger.Requeued, d, func() error { return d.Requeue(ctx) })
}
