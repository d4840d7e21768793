package worker

import (
	"context"
	"encoding/json"

	"acklab/internal/ledger"
	"acklab/result"
	"acklab/task"
)

// collapse looks whether a task that is to run once has already succeeded, by the
// result store. Then it is not run: what follows it is published again, for the
// first run may not have come to that, and the delivery is acknowledged. Two runs
// that overlap are not noticed, nor is any when the store is away: then the task
// runs. done is false when the task has to run.
func (w *Worker) collapse(ctx, handlers context.Context, j job, at watch) (done bool) {
	if !j.msg.Once {
		return false
	}
	value, before := w.succeededBefore(ctx, j.msg)
	if !before {
		return false
	}
	w.record(ledger.Collapsed, j.Delivery, "the result store says that it has succeeded")
	if !j.followed(at, w.passOn(ctx, j, value)) {
		w.giveBack(ctx, handlers, j.Delivery, unsureSuccessor)
		return true
	}
	w.ackLate(ctx, j.Delivery, at)
	return true
}

// succeededBefore tells whether the result store has a success of the task, and its
// value. One that is away has not.
func (w *Worker) succeededBefore(ctx context.Context, m *task.Message) (value json.RawMessage, yes bool) {
	if w.cfg.Results == nil {
		return nil, false
	}
	var before result.Result
	err := w.ask(ctx, storeWithin, func(ctx context.Context) (err error) {
		before, err = w.cfg.Results.Get(ctx, m.TaskID)
		return err
	})
	if err != nil {
		w.log.Warn("it is not known whether a task has succeeded before", "task", m.TaskID, "name", m.Name, "err", err)
		return nil, false
	}
	return before.Value, before.State == task.Success
}
