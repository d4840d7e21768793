package worker_test

import (
	"context"
	"testing"
	"time"

	"acklab/broker"
	"acklab/internal/ledger"
	"acklab/worker"
)

func TestWhereTheBrokerLeavesDelaysToTheWorkerATaskWaitsWithoutASlotAndUnacknowledged(t *testing.T) {
	bothModes(t, func(b *bench) {
		b.delays(broker.ByWorker)
		later := b.publish("noop")
		b.early(later, time.Now().Add(time.Minute))
		now := b.publish("noop")
		b.start()
		if f := b.one(ledger.Finished); f.Task != now.TaskID {
			b.t.Errorf("finished: %+v", f)
		}
		b.lived(later, ledger.Received)
		b.holds(0, 1, 0)
		b.sleep(time.Minute - time.Millisecond)
		b.lived(later, ledger.Received)
		b.sleep(2 * time.Millisecond)
		if n := len(b.lines(ledger.Finished)); n != 2 {
			b.t.Errorf("%d tasks are finished, want both", n)
		}
		b.holds(0, 0, 0)
	})
}

func TestTasksThatWaitInTheWorkerRunInTheOrderOfTheirTimes(t *testing.T) {
	bothModes(t, func(b *bench) {
		b.delays(broker.ByWorker)
		second, first := b.publish("noop"), b.publish("noop")
		b.early(second, time.Now().Add(time.Hour))
		b.early(first, time.Now().Add(time.Minute))
		b.start()
		b.sleep(2 * time.Minute)
		if f := b.one(ledger.Finished); f.Task != first.TaskID {
			b.t.Errorf("finished: %+v", f)
		}
		b.sleep(time.Hour)
		if n := len(b.lines(ledger.Finished)); n != 2 {
			b.t.Errorf("%d tasks are finished, want both", n)
		}
	})
}

func TestTasksThatWaitInTheWorkerGoBackWhenItStops(t *testing.T) {
	bothModes(t, func(b *bench) {
		b.delays(broker.ByWorker)
		m := b.publish("noop")
		b.early(m, time.Now().Add(time.Hour))
		b.start()
		b.end()
		b.lived(m, ledger.Received, ledger.Requeuing, ledger.Requeued)
		b.holds(1, 0, 0)
	})
}

func TestATaskThatFallsDueWhileTheWorkerStopsGoesBack(t *testing.T) {
	bothModes(t, func(b *bench) {
		b.delays(broker.ByWorker)
		m := b.publish("noop")
		b.early(m, time.Now().Add(5*time.Second))
		b.start()
		b.publish("sleep", 60)
		b.sleep(time.Second)
		b.stop()
		b.must("stop", b.wait())
		b.lived(m, ledger.Received, ledger.Requeuing, ledger.Requeued)
	})
}

// due is a consumer whose messages have the same ETA, which the test may change, also
// of the one that was handed out last.
type due struct {
	broker.Consumer
	eta  time.Time
	last *broker.Delivery
}

func (c *due) Receive(ctx context.Context) (*broker.Delivery, error) {
	d, err := c.Consumer.Receive(ctx)
	if err == nil {
		c.last = d
		c.at(c.eta)
	}
	return d, err
}

func (c *due) at(eta time.Time) {
	m := *c.last.Message
	m.ETA = eta
	c.eta, c.last.Message = eta, &m
}

// Nobody sets the clock of a bubble back, so the time of the message moves on instead.
func TestATaskThatIsEarlyAgainBecauseTheClockWasSetBackWaitsOnceMore(t *testing.T) {
	bothModes(t, func(b *bench) {
		b.delays(broker.ByWorker)
		c := &due{eta: time.Now().Add(time.Minute)}
		b.meddled(func(inner broker.Consumer) broker.Consumer { c.Consumer = inner; return c })
		b.cfg.Pause = &worker.Trigger{At: worker.Fetched, Nth: 1}
		m := b.publish("noop")
		b.start()
		b.sleep(time.Minute)
		b.one(ledger.Holding)
		c.at(time.Now().Add(time.Minute))
		close(b.resume)
		b.sleep(time.Minute - time.Millisecond)
		b.one(ledger.Accepted)
		b.one(ledger.Requeued)
		b.holds(0, 1, 0)
		b.sleep(2 * time.Millisecond)
		if f := b.one(ledger.Finished); f.Task != m.TaskID {
			b.t.Errorf("finished: %+v", f)
		}
		b.holds(0, 0, 0)
	})
}
