package worker

import (
	"context"
	"time"

	"acklab/internal/ledger"
)

// afterInterrupt is how long interrupted handlers may take to return. One that
// ignores its context is left behind: the process ends with it running.
const afterInterrupt = 2 * time.Second

// drain is the polite stop: see Run.
func (w *Worker) drain(ctx context.Context, now <-chan struct{}, interrupt context.CancelCauseFunc, ended <-chan error) error {
	w.write(ledger.Line{Event: ledger.Draining})
	w.log.Info("stopping: no new tasks", "grace", w.cfg.Grace)
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeWithin)
	defer cancel()
	w.waiting.stop()
	if err := w.consumer.Stop(stop); err != nil {
		w.log.Warn("give back what has not begun", "err", err)
	}
	grace := time.NewTimer(w.cfg.Grace)
	defer grace.Stop()
	select {
	case err := <-ended:
		return err
	case <-grace.C:
		w.log.Warn("grace period over: running tasks are interrupted")
	case <-now:
		w.log.Warn("told to stop at once: running tasks are interrupted")
	}
	interrupt(errInterrupted)
	patience := time.NewTimer(afterInterrupt)
	defer patience.Stop()
	select {
	case err := <-ended:
		return err
	case <-patience.C:
		w.log.Warn("a running task does not obey: leaving it behind")
		return nil
	}
}
