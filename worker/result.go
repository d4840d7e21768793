package worker

import (
	"context"
	"errors"
	"strings"
	"time"

	"acklab/broker"
	"acklab/internal/ledger"
	"acklab/internal/metrics"
	"acklab/result"
	"acklab/task"
)

// This file is what the caller sees: the states and the result of a task, in
// the result store.
//
// A store that is away never stops the tasks. A write that is not known to be
// stored is repeated a few times, which is safe (see result.Store), and then
// the result is lost, and that is said. From there on each write is tried once,
// until one succeeds: a slot is not to spend its time on a store that is down.

const (
	storeTries  = 4
	storeWithin = time.Second           // one try, unless it is of many values
	storePause  = 50 * time.Millisecond // before the second try; it doubles
)

// keep writes one state of the delivery's task. Who and what the task is, is
// filled in here.
func (w *Worker) keep(ctx context.Context, d *broker.Delivery, r result.Result) {
	if w.cfg.Results == nil || d.Message.IgnoreResult {
		return
	}
	m := d.Message
	r.TaskID, r.Retries, r.Name, r.Queue, r.Worker = m.TaskID, m.Retries, m.Name, d.Queue, w.cfg.Name
	r.ParentID, r.GroupID = m.ParentID, m.GroupID
	if r.State.Finished() {
		r.Done = time.Now()
	}
	line := ledger.Line{Event: ledger.ResultStored, Task: m.TaskID, Message: m.ID, Queue: d.Queue, Retries: m.Retries, State: string(r.State)}
	switch err := w.store(ctx, r); {
	case err == nil:
		w.metrics.ResultKept(metrics.Stored)
	case errors.Is(err, result.ErrFinished), errors.Is(err, result.ErrOutdated):
		line.Event, line.Reason = ledger.ResultKept, err.Error()
		w.metrics.ResultKept(metrics.Superseded)
	case r.State.Finished():
		line.Event, line.Reason = ledger.ResultLost, err.Error()
		w.metrics.ResultKept(metrics.LostResult)
		w.log.Error("a result is lost", "task", m.TaskID, "name", m.Name, "state", r.State, "err", err)
	default: // a finished state follows
		w.log.Warn("a state was not stored", "task", m.TaskID, "name", m.Name, "state", r.State, "err", err)
		return
	}
	w.write(line)
}

// store is Store with a bounded number of tries.
func (w *Worker) store(ctx context.Context, r result.Result) error {
	return w.ask(ctx, storeWithin, func(ctx context.Context) error { return w.cfg.Results.Store(ctx, r) })
}

// ask is one call of the store with a bounded number of tries, each of so long.
func (w *Worker) ask(ctx context.Context, each time.Duration, call func(context.Context) error) (err error) {
	tries := storeTries
	if w.storeAway.Load() {
		tries = 1
	}
	pause := storePause
	for n := 1; ; n++ {
		within, cancel := context.WithTimeout(ctx, each)
		err = call(within)
		cancel()
		if !errors.Is(err, result.ErrUnavailable) {
			w.storeAway.Store(false)
			return err
		}
		if n >= tries {
			w.storeAway.Store(true)
			return err
		}
		rest(ctx, pause)
		pause *= 2
	}
}

// began keeps STARTED, which Celery does only with task_track_started.
func (w *Worker) began(ctx context.Context, d *broker.Delivery) {
	if w.cfg.TrackStarted {
		ctx = context.WithoutCancel(ctx) // of the handler: its end says nothing of the store
		w.keep(ctx, d, result.Result{State: task.Started})
	}
}

// ids are those of the tasks that are published next; a plan that is nil has none.
func ids(next *task.Plan) (all []string) {
	if next == nil {
		return nil
	}
	for _, m := range next.First {
		all = append(all, m.TaskID)
	}
	return all
}

// failedWith keeps RETRY or FAILURE with the error.
func (w *Worker) failedWith(ctx context.Context, d *broker.Delivery, state task.State, err *tryError) {
	w.keep(ctx, d, result.Result{State: state, Error: failureOf(err)})
}

// failureOf is an error as a caller of the task gets it.
func failureOf(err *tryError) *result.Failure {
	kind := err.kind
	if err.stopped == errHardLimit {
		kind = "TimeLimitExceeded"
	}
	f := newFailure(kind, err.Error())
	f.Module = "acklab"
	return f
}

// newFailure has the first line of a text, and the others, the stack of a panic, as
// the traceback.
func newFailure(kind, text string) *result.Failure {
	text, stack, _ := strings.Cut(text, "\n")
	f := result.NewFailure(kind, text)
	f.Traceback = stack
	return f
}

// rejection is what a caller of a task gets that cannot be run. Celery's caller knows
// an unknown task by a class of Celery's and the name alone.
func rejection(reason error) *result.Failure {
	if unknown := (*task.UnknownTaskError)(nil); errors.As(reason, &unknown) {
		return celeryFailure("NotRegistered", unknown.Name)
	}
	return result.NewFailure("Reject", reason.Error())
}

// celeryFailure is one of Celery's own exceptions: a caller in Python catches it as such.
func celeryFailure(class, text string) *result.Failure {
	f := result.NewFailure(class, text)
	f.Module = "celery.exceptions"
	return f
}
