package redisclient

import (
	"errors"
	"sync/atomic"

	"acklab/broker"
)

// Blocked knows whether a Redis refuses all publishes. Its zero value thinks
// that it does not. Safe for concurrent use.
type Blocked struct{ now atomic.Bool }

// Heed tells the observer when a publish to the queue shows that Redis has begun
// or ceased to refuse all of them; err is what became of it.
func (b *Blocked) Heed(to broker.Options, queue string, err error) {
	if err == nil {
		if b.now.Load() && b.now.CompareAndSwap(true, false) {
			to.Tell(broker.Event{Kind: broker.Unblocked, Queue: queue})
		}
		return
	}
	var r *broker.Refusal
	if errors.As(err, &r) && (r.Reason == broker.Full || r.Reason == broker.ReadOnly) && b.now.CompareAndSwap(false, true) {
		to.Tell(broker.Event{Kind: broker.Blocked, Queue: queue, Err: err})
	}
}
