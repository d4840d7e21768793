package rabbitbroker

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	amqp "github.com/rabbitmq/amqp091-go"

	"acklab/broker"
)

// waiting tells how many messages each existing delay queue of a destination
// holds. AMQP cannot list queues, so all that there can be are asked for, side
// by side, unless the lock's queue says that there is none.
func (b *Broker) waiting(ctx context.Context, queue string) (map[int]int, error) {
	if _, _, _, err := b.stat(ctx, queue+delaySuffix); errors.Is(err, broker.ErrUnknownQueue) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	ready := make([]int, len(grid))
	errs := make([]error, len(grid))
	var asking sync.WaitGroup
	for i := range grid {
		asking.Go(func() {
			ready[i], _, errs[i] = b.inspect(ctx, delayQueue(queue, i))
		})
	}
	asking.Wait()
	found := map[int]int{}
	for i, err := range errs {
		switch {
		case err == nil:
			found[i] = ready[i]
		case !errors.Is(err, broker.ErrUnknownQueue):
			return nil, err
		}
	}
	return found, nil
}

// delayed is how many messages wait for their time.
func (b *Broker) delayed(ctx context.Context, queue string) (n int, err error) {
	found, err := b.waiting(ctx, queue)
	for _, held := range found {
		n += held
	}
	return n, err
}

// censusDelayed yields what waits in the delay queues. Until release is called
// it holds all that in hand, so that nothing becomes due and appears in the
// queue, where it would be counted again.
func (b *Broker) censusDelayed(ctx context.Context, queue string, yield func(broker.Held, error) bool) (release func(), more bool, err error) {
	var open []*reader
	release = func() {
		for _, r := range open {
			r.close(ctx)
		}
	}
	found, err := b.waiting(ctx, queue)
	for _, step := range slices.Sorted(maps.Keys(found)) {
		var r *reader
		if r, err = b.newReader(ctx, delayQueue(queue, step)); err != nil {
			return release, false, err
		}
		open = append(open, r)
		var held []broker.Held
		if held, err = b.takeAll(ctx, r, queue); err != nil {
			return release, false, fmt.Errorf("delay queue %q: %w", r.queue, err)
		}
		for _, h := range held {
			if !yield(h, nil) {
				return release, false, nil
			}
		}
	}
	return release, err == nil, err
}

// takeAll takes all that is in a delay queue. What is due in this moment
// leaves it, so it does not go by number but until nothing is left.
func (b *Broker) takeAll(ctx context.Context, r *reader, queue string) (all []broker.Held, err error) {
	moment, stop := context.WithTimeout(ctx, stallLimit)
	defer stop()
	for pause, left := (backoff{}), 1; left > 0; {
		if err := r.subscribe(ctx); err != nil { // one more: each has its bound
			return nil, err
		}
		for tries := 0; left > 0 && tries < 5; tries++ {
			if left, _, err = b.inspect(ctx, r.queue); err != nil {
				return nil, err
			}
			if left > 0 && !pause.wait(moment) {
				return nil, fmt.Errorf("%d messages do not come: does somebody else hold them?", left)
			}
		}
	}
	err = r.end(ctx, func(raw *amqp.Delivery) {
		h := b.held(raw, queue, broker.Delayed)
		h.Count = 0 // of the destination, which has not delivered it
		all = append(all, h)
	})
	return all, err
}
