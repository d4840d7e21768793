package broker

import (
	"errors"
	"fmt"
)

// Order says how Receive chooses among queues that all have deliveries.
type Order string

// The orders of a subscription.
const (
	// Strict: always the first queue of the list that has a delivery here.
	// A busy early queue starves the later ones; that is what it is for.
	Strict Order = "strict"
	// Weighted: each queue in proportion to its weight while all are busy,
	// smoothly interleaved; none starves.
	Weighted Order = "weighted"
)

// Source is one queue of a subscription.
type Source struct {
	Queue string
	// Weight counts in Weighted order; 0 is read as 1.
	Weight int
	// Prefetch bounds how many unsettled deliveries of this queue are with
	// the consumer; 0: Subscription.Prefetch.
	Prefetch int
}

// Unlimited as a prefetch asks for as many as the broker will send. Drivers
// whose Traits.MaxPrefetch is not zero take that many.
const Unlimited = -1

// Subscription says what a consumer wants.
type Subscription struct {
	// Sources are the queues, in order of preference. At least one, no queue
	// twice.
	Sources []Source
	// Order chooses among them; empty is Strict.
	Order Order
	// Prefetch bounds, for each queue that sets none of its own, how many
	// unsettled deliveries are with the consumer, those that Receive has not
	// handed out included. It is kept by the broker. Unlimited, or 1 or more.
	Prefetch int
}

// Check returns an error that says what is wrong with the subscription.
func (s Subscription) Check() error {
	if len(s.Sources) == 0 {
		return errors.New("a subscription needs at least one queue")
	}
	if s.Order != "" && s.Order != Strict && s.Order != Weighted {
		return fmt.Errorf("unknown order %q: use %q or %q", s.Order, Strict, Weighted)
	}
	seen := map[string]bool{}
	for i, src := range s.Sources {
		switch {
		case src.Queue == "":
			return errors.New("a subscription names an empty queue")
		case seen[src.Queue]:
			return fmt.Errorf("queue %q is named twice in one subscription", src.Queue)
		case src.Weight < 0:
			return fmt.Errorf("queue %q: weight %d is negative", src.Queue, src.Weight)
		case s.PrefetchOf(i) < 1 && s.PrefetchOf(i) != Unlimited:
			return fmt.Errorf("queue %q: prefetch %d: use 1 or more, or Unlimited", src.Queue, s.PrefetchOf(i))
		}
		seen[src.Queue] = true
	}
	return nil
}

// PrefetchOf is the prefetch that is in force for source i.
func (s Subscription) PrefetchOf(i int) int {
	if p := s.Sources[i].Prefetch; p != 0 {
		return p
	}
	return s.Prefetch
}
