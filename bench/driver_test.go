package bench

import (
	"context"
	"sync"
	"sync/atomic"

	"acklab/broker"
	"acklab/task"
)

// This file is the driver alone: without producer and worker.

// publish puts all tasks on the queue, some at a time, from several goroutines.
func (a *acklab) publish(each, goroutines int) lap {
	return spread(a.server, int64(a.count/each), goroutines, func() {
		msgs := make([]*task.Message, each)
		for i := range msgs {
			m, err := task.New("noop", task.Options{Queue: a.queue, Origin: origin})
			if err != nil {
				a.b.Error(err)
				return
			}
			msgs[i] = m
		}
		for _, err := range a.broker.Publish(context.Background(), msgs...) {
			if err != nil {
				a.b.Error(err)
			}
		}
	}).of(a.count)
}

// drain receives and acknowledges all tasks, until the broker has processed
// that. Closing the consumer is not counted.
func (a *acklab) drain(prefetch, goroutines int) lap {
	watch := start(a.server)
	consumer, err := a.broker.Consume(context.Background(), broker.Subscription{Sources: []broker.Source{{Queue: a.queue}}, Prefetch: prefetch})
	if err != nil {
		a.b.Fatal(err)
	}
	var done atomic.Int64
	var work sync.WaitGroup
	ctx, all := context.WithCancel(context.Background())
	defer all()
	for range goroutines {
		work.Go(func() {
			for {
				d, err := consumer.Receive(ctx)
				if err != nil {
					return
				}
				if err := d.Ack(ctx); err != nil {
					a.b.Error(err)
				}
				if done.Add(1) == int64(a.count) {
					all()
				}
			}
		})
	}
	work.Wait()
	if err := consumer.Flush(context.Background()); err != nil {
		a.b.Fatal(err)
	}
	took := watch.stop().of(a.count)
	if err := consumer.Close(context.Background()); err != nil {
		a.b.Fatal(err)
	}
	if n := done.Load(); n != int64(a.count) {
		a.b.Fatalf("%d of %d tasks were received", n, a.count)
	}
	a.nothingLeft()
	return took
}
