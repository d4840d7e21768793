package worker

import (
	"context"
	"time"

	"acklab/broker"
	"acklab/internal/ledger"
	"acklab/internal/metrics"
	"acklab/task"
)

// execute runs the handler between its ledger lines, and returns how it ended. The
// line finished is written here, as the handler's last act, before anybody else
// learns of it.
func (w *Worker) execute(ctx context.Context, d *broker.Delivery, h task.Handler, at watch) (o outcome) {
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
	o = w.call(ctx, d.Message, h)
	w.metrics.Ran(d.Message.Name, time.Since(begin))
	if o.err == nil {
		w.record(ledger.Finished, d, "")
		return o
	}
	switch context.Cause(ctx) {
	case errInterrupted:
		o.err.stopped = errInterrupted
	case context.DeadlineExceeded:
		o.err.stopped = errHardLimit
	}
	return o
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

// call runs the handler and reads what it returns.
func (w *Worker) call(ctx context.Context, m *task.Message, h task.Handler) (o outcome) {
	var value any
	err := guard(func() (err error) {
		value, err = h(ctx, &task.Call{Message: m})
		return err
	})
	if err != nil {
		o.err = w.understand(m, err)
		return o
	}
	o.value, o.unreadable = encode(value)
	return o
}
