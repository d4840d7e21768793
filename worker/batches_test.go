package worker_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"acklab/broker"
	"acklab/internal/ledger"
	"acklab/result"
	"acklab/task"
	"acklab/worker"
)

func TestABrokerThatSaysNothingIsNotAskedForEachBatch(t *testing.T) {
	inFlow(t, func(b *bench, s result.Store) {
		b.publishes(func(context.Context, broker.Broker, *task.Message) error {
			return fmt.Errorf("%w: no answer", broker.ErrUnsure)
		})
		members := make([]*task.Signature, 600)
		for i := range members {
			members[i] = call(fmt.Sprint("m", i), "add", 1)
		}
		b.flow(task.Chain(call("a", "add", 1), task.Group(members...)), 1)
		b.start()
		b.sleep(5 * time.Second)
		attempted := map[string]bool{}
		for _, l := range b.lines(ledger.Attempted) {
			attempted[l.Task] = true
		}
		want := map[worker.AckMode]int{worker.Early: 600, worker.Late: 256}[b.cfg.Ack]
		if n := len(attempted); n != want {
			b.t.Errorf("%d of 600 were attempted, want %d", n, want)
		}
		if n := len(b.lines(ledger.Requeued)); b.cfg.Ack == worker.Late && n == 0 {
			b.t.Error("the delivery was not given back")
		}
	})
}

func TestARefusedDuplicateIsMarkedInTheLedger(t *testing.T) {
	inFlow(t, func(b *bench, s result.Store) {
		b.publishes(func(context.Context, broker.Broker, *task.Message) error {
			return &broker.Refusal{Reason: broker.Duplicate}
		})
		b.flow(task.Chain(call("a", "add", 1), call("b", "add", 1)), 1)
		b.start()
		if l := b.one(ledger.Refused); l.Task != "b" || l.Detail[ledger.DetailDuplicate] == "" {
			b.t.Errorf("%+v", l)
		}
	})
}
