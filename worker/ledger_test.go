package worker_test

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"acklab/internal/ledger"
	"acklab/worker"
)

// breakLedger takes the worker's ledger away: every later write fails.
func (b *bench) breakLedger() {
	b.t.Helper()
	b.must("close the ledger", b.cfg.Ledger.Close())
}

// gaveUp checks that the worker ended because of its ledger, and what it left.
func (b *bench) gaveUp(ready int) {
	b.t.Helper()
	err := b.wait()
	if err == nil || b.cfg.Ledger.Err() == nil || !errors.Is(err, os.ErrClosed) {
		b.t.Errorf("the worker ended with %v; the ledger says %v", err, b.cfg.Ledger.Err())
	}
	b.holds(ready, 0, 0)
}

func TestAWorkerWithoutItsLedgerTakesNoMoreWork(t *testing.T) {
	bothModes(t, func(b *bench) {
		ran := 0
		b.handler("count", func(context.Context) error { ran++; return nil })
		b.start()
		b.breakLedger()
		for range 3 {
			b.publish("count")
		}
		b.gaveUp(3)
		if ran != 0 {
			b.t.Errorf("%d tasks ran that are in no ledger", ran)
		}
	})
}

func TestAWorkerWhoseLedgerBreaksWhileATaskRunsGivesItBackUnderLate(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.cfg.Ack = worker.Late
		b.publish("sleep", 1)
		b.start()
		b.breakLedger()
		b.sleep(time.Second)
		b.gaveUp(1)
	})
}

func TestATaskIsNotAcknowledgedOnceTheLedgerIsBroken(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.cfg.Pause = &worker.Trigger{At: worker.Fetched, Nth: 1}
		ran := false
		b.handler("mark", func(context.Context) error { ran = true; return nil })
		b.publish("mark")
		b.start()
		b.one(ledger.Holding)
		b.breakLedger()
		close(b.resume)
		b.gaveUp(1)
		if ran {
			t.Error("it ran under early acknowledgement, without being acknowledged")
		}
	})
}

func TestABrokenLedgerEndsTheWorkerAlsoWhileOtherTasksRun(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.cfg.Ack, b.cfg.Concurrency = worker.Late, 2
		b.publish("sleep", 3600)
		b.start()
		b.breakLedger()
		b.publish("noop")
		b.gaveUp(2)
		b.settle()
	})
}
