package broker_test

import (
	"strings"
	"testing"

	"acklab/broker"
)

func TestCheckSaysWhatIsWrongWithASubscription(t *testing.T) {
	t.Parallel()
	one := []broker.Source{{Queue: "a"}}
	for want, s := range map[string]broker.Subscription{
		"at least one queue":  {Prefetch: 1},
		"an empty queue":      {Prefetch: 1, Sources: []broker.Source{{Queue: "a"}, {}}},
		`"a" is named twice`:  {Prefetch: 1, Sources: []broker.Source{{Queue: "a"}, {Queue: "a"}}},
		`unknown order "odd"`: {Prefetch: 1, Sources: one, Order: "odd"},
		"weight -1":           {Prefetch: 1, Sources: []broker.Source{{Queue: "a", Weight: -1}}},
		"prefetch 0":          {Sources: one},
		"prefetch -2":         {Prefetch: -2, Sources: one},
		`"b": prefetch -3`:    {Prefetch: 1, Sources: []broker.Source{{Queue: "a"}, {Queue: "b", Prefetch: -3}}},
	} {
		if err := s.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: got %v; want an error with %q", s, err, want)
		}
	}
}

func TestCheckAcceptsWhatIsRight(t *testing.T) {
	t.Parallel()
	one := []broker.Source{{Queue: "a"}}
	for _, s := range []broker.Subscription{
		{Sources: one, Prefetch: 1},
		{Sources: one, Prefetch: broker.Unlimited},
		{Sources: []broker.Source{{Queue: "a", Prefetch: 2}}},
		{Sources: []broker.Source{{Queue: "a", Weight: 3}, {Queue: "b", Prefetch: broker.Unlimited}}, Prefetch: 4, Order: broker.Weighted},
	} {
		if err := s.Check(); err != nil {
			t.Errorf("%+v: %v", s, err)
		}
	}
}

func TestPrefetchOfAQueueIsItsOwnOrTheSubscriptions(t *testing.T) {
	t.Parallel()
	s := broker.Subscription{Prefetch: 7, Sources: []broker.Source{{Queue: "a"}, {Queue: "b", Prefetch: 2}, {Queue: "c", Prefetch: broker.Unlimited}}}
	for i, want := range []int{7, 2, broker.Unlimited} {
		if got := s.PrefetchOf(i); got != want {
			t.Errorf("source %d: prefetch %d; want %d", i, got, want)
		}
	}
}
