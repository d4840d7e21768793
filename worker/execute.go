package worker

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"acklab/broker"
	"acklab/internal/ledger"
	"acklab/internal/metrics"
	"acklab/task"
)

// errInterrupted marks a handler that ended because the worker is stopping.
var errInterrupted = errors.New("stopped by the worker's shutdown")

// execute runs the handler between its ledger lines, and returns what it
// returned. The line finished is written here, as the handler's last act, before
// anybody else learns of it.
func (w *Worker) execute(ctx context.Context, d *broker.Delivery, h task.Handler, at watch) (any, error) {
	w.record(ledger.Started, d, "")
	w.metrics.TaskEntered(d.Message.Name, metrics.Started)
	w.waited(d.Message)
	at.reach(Started)
	w.began(ctx, d)
	ctx = task.WithHalfway(ctx, func() { at.reach(Mid) })
	if limit := d.Message.HardLimit; limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, limit)
		defer cancel()
	}
	begin := time.Now()
	value, err := w.call(ctx, d.Message, h)
	w.metrics.Ran(d.Message.Name, time.Since(begin))
	if err == nil {
		w.record(ledger.Finished, d, "")
		return value, nil
	}
	if context.Cause(ctx) == errInterrupted {
		return nil, fmt.Errorf("%w: %w", errInterrupted, err)
	}
	if context.Cause(ctx) == context.DeadlineExceeded {
		return nil, fmt.Errorf("%w: %w", errHardLimit, err)
	}
	return nil, err
}

// waited observes for how long the message was kept from its handler: since its
// publish, or since its time had come. One that does not say when it was
// published is not counted.
func (w *Worker) waited(m *task.Message) {
	since := m.Sent()
	if since.IsZero() {
		return
	}
	if m.ETA.After(since) {
		since = m.ETA
	}
	w.metrics.Waited(m.Name, time.Since(since))
}

// call turns a panic into an error that carries its stack. Its kind lets a
// policy retry it; none does so by itself.
func (w *Worker) call(ctx context.Context, m *task.Message, h task.Handler) (value any, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = task.WithKind(fmt.Errorf("panic: %v\n%s", p, debug.Stack()), task.KindPanic)
		}
	}()
	return h(ctx, &task.Call{Message: m})
}
