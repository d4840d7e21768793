package worker

import (
	"context"

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
	if !j.msg.Once || w.cfg.Results == nil {
		return false
	}
	var before result.Result
	err := w.ask(ctx, func(ctx context.Context) (err error) {
		before, err = w.cfg.Results.Get(ctx, j.msg.TaskID)
		return err
	})
	if err != nil {
		w.log.Warn("it is not known whether a task has run already, so it runs", "task", j.msg.TaskID, "name", j.msg.Name, "err", err)
		return false
	}
	if before.State != task.Success {
		return false
	}
	w.record(ledger.Collapsed, j.Delivery, "the result store says that it has succeeded")
	if !w.passOn(ctx, j, at, before.Value) {
		w.giveBack(ctx, handlers, j.Delivery, unsureSuccessor)
		return true
	}
	w.ackLate(ctx, j.Delivery, at)
	return true
}
