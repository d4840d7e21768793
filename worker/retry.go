package worker

import (
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

// This file is what follows a failure: the retry, a new message of the same
// task.
//
// Late: the retry is published and confirmed before the failed delivery is
// acknowledged, so a crash in between makes two of them and loses none.
// Early: the broker has forgotten the delivery long ago. A crash from the
// failure to the confirm loses the task.

// breath is how long a slot rests before it gives back a delivery whose
// retry, or whose successor, the broker has not confirmed: the same try comes
// again, and must not spin. It is also what a message waits that comes before its
// time again and again.
const breath = time.Second

// conclude writes how a try ended and publishes what follows it. It reports
// whether the delivery is done with; if it is not, the broker may lack what
// follows, and under late acknowledgement the delivery must go back.
func (w *Worker) conclude(ctx context.Context, j job, at watch, o outcome) (done bool) {
	d := j.Delivery
	switch {
	case o.err == nil: // the handler's last act has recorded it
		w.metrics.TaskEntered(d.Message.Name, metrics.Success)
		at.reach(Finished)
		if o.unreadable != nil { // the task is done, and what it returned is lost: a FAILURE for the caller, as in Celery
			w.keep(ctx, d, result.Result{State: task.Failure, Error: o.unreadable})
			at.reach(ResultStored)
			return w.fallOut(ctx, j, o.unreadable)
		}
		next, err := j.successors(o.value)
		w.keep(ctx, d, result.Result{State: task.Success, Value: o.value, Children: ids(next)})
		at.reach(ResultStored)
		return j.followed(at, w.publishNext(ctx, j, o.value, next, err))
	case o.interrupted():
		w.record(ledger.Interrupted, d, o.err.Error())
		at.reach(Finished)
		return true
	}
	next, why := w.next(d, o.err)
	if next == nil {
		w.fail(d, o.err, why)
		at.reach(Finished)
		w.failedWith(ctx, d, task.Failure, o.err)
		at.reach(ResultStored)
		return w.giveUp(ctx, j, at, o.err)
	}
	w.write(failure(d, o.err))
	at.reach(Finished)
	at.reach(Failed)
	return w.tryAgain(ctx, j, at, next, o.err)
}

// giveUp does what follows a failure for good, and reports as conclude.
func (w *Worker) giveUp(ctx context.Context, j job, at watch, err *tryError) (done bool) {
	return j.followed(at, w.fallOut(ctx, j, failureOf(err)))
}

// next is the retry of a try that failed with err, or says why there is none.
func (w *Worker) next(d *broker.Delivery, err *tryError) (*task.Message, string) {
	if err.stopped == errHardLimit {
		return nil, "it was stopped at its hard time limit"
	}
	if !err.retry.Again {
		return nil, err.retry.Reason
	}
	next := d.Message.Again()
	next.Queue, next.ETA = d.Queue, time.Time{}
	if err.retry.Delay > 0 {
		// The wire has microseconds; rounded up, so that nothing is early.
		next.ETA = time.Now().Add(err.retry.Delay + time.Microsecond - 1).UTC().Truncate(time.Microsecond)
	}
	if !next.Expires.IsZero() && next.Expires.Before(next.ETA) {
		return nil, fmt.Sprintf("it would expire before its next try, at %s", next.Expires.Format(time.RFC3339))
	}
	return next, ""
}

// tryAgain publishes the retry of a failed delivery and reports as conclude.
func (w *Worker) tryAgain(ctx context.Context, j job, at watch, next *task.Message, cause *tryError) (done bool) {
	d := j.Delivery
	err := w.publish(ctx, next)
	switch {
	case err == nil:
		w.metrics.TaskEntered(next.Name, metrics.Retry)
		w.metrics.Retried(next.Name)
		w.log.Warn("task will be tried again", "task", next.TaskID, "name", next.Name, "retry", next.Retries, "eta", next.ETA, "err", cause)
		at.reach(RetrySent)
		w.failedWith(ctx, d, task.Retry, cause)
		return true
	case impossible(err), j.settled && errors.Is(err, broker.ErrRefused) && w.ledger.Err() == nil:
		// Certainly not stored, and nobody will store it: that is the end.
		untaken := &tryError{text: fmt.Sprintf("%s; its retry was not taken: %s", cause, err), kind: cause.kind}
		w.fail(d, untaken, "its retry was not taken")
		w.failedWith(ctx, d, task.Failure, untaken)
		return w.giveUp(ctx, j, at, untaken)
	default:
		w.log.Error("a retry is not sure to be with the broker", "task", next.TaskID, "name", next.Name, "err", err)
		return false
	}
}

// fail records a failure for good; why says why there is no retry.
func (w *Worker) fail(d *broker.Delivery, err *tryError, why string) {
	l := failure(d, err)
	l.Final = true
	w.write(l)
	w.metrics.TaskEntered(d.Message.Name, metrics.Failure)
	w.log.Error("task failed", "task", d.Message.TaskID, "name", d.Message.Name, "tries", d.Message.Retries+1, "no retry", why, "err", err)
}

func failure(d *broker.Delivery, err *tryError) ledger.Line {
	return ledger.Line{
		Event: ledger.Failed, Task: d.Message.TaskID, Message: d.Message.ID, Name: d.Message.Name,
		Queue: d.Queue, Retries: d.Message.Retries, Reason: err.Error(),
	}
}

// rest waits for a moment, or less when running tasks are told to end.
func rest(handlers context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-handlers.Done():
	}
}

// policies are the retry policies of all tasks, as the worker changes them.
func policies(cfg Config) (map[string]task.RetryPolicy, error) {
	all := map[string]task.RetryPolicy{}
	for _, name := range cfg.Registry.Names() {
		p := cfg.Registry.Retry(name)
		if cfg.Retry != nil {
			p = cfg.Retry(p)
		}
		if err := p.Check(); err != nil {
			return nil, fmt.Errorf("task %q: %w", name, err)
		}
		all[name] = p
	}
	return all, nil
}
