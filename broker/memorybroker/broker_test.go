package memorybroker_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"acklab/broker"
	"acklab/broker/memorybroker"
	"acklab/task"
)

// What the conformance suite leaves open and the reference decides.

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// stored makes a client of s with a queue "q" that holds messages "m0" to "m<n-1>".
func stored(t *testing.T, s *memorybroker.Server, n int) *memorybroker.Broker {
	t.Helper()
	b := s.Open(broker.Options{})
	if err := b.Declare(within(t), "q"); err != nil {
		t.Fatal(err)
	}
	for i := range n {
		m := &task.Message{ID: fmt.Sprintf("m%d", i), Options: task.Options{Queue: "q"}}
		if err := b.Publish(within(t), m)[0]; err != nil {
			t.Fatal(err)
		}
	}
	return b
}

func consume(t *testing.T, b broker.Broker, prefetch int) broker.Consumer {
	t.Helper()
	c, err := b.Consume(within(t), broker.Subscription{Sources: []broker.Source{{Queue: "q"}}, Prefetch: prefetch})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func receive(t *testing.T, c broker.Consumer) *broker.Delivery {
	t.Helper()
	d, err := c.Receive(within(t))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func ids(t *testing.T, c broker.Consumer, n int) []string {
	t.Helper()
	var all []string
	for range n {
		d := receive(t, c)
		all = append(all, d.Message.ID)
		if err := d.Ack(within(t)); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

func TestWhatComesBackTakesItsOldPlace(t *testing.T) {
	t.Parallel()
	b := stored(t, memorybroker.NewServer(), 5)
	c := consume(t, b, 3)
	d0, _, d2 := receive(t, c), receive(t, c), receive(t, c)
	if err := c.Stop(within(t)); err != nil {
		t.Fatal(err)
	}
	for _, d := range []*broker.Delivery{d2, d0} { // m1 is given back by Close
		if err := d.Requeue(within(t)); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Close(within(t)); err != nil {
		t.Fatal(err)
	}
	want := []string{"m0", "m1", "m2", "m3", "m4"}
	if got := ids(t, consume(t, b, 1), 5); !slices.Equal(got, want) {
		t.Errorf("received %v; want %v", got, want)
	}
}

func TestConsumersOfOneQueueTakeTurns(t *testing.T) {
	t.Parallel()
	s := memorybroker.NewServer()
	b := stored(t, s, 0)
	one, two := consume(t, b, broker.Unlimited), consume(t, s.Open(broker.Options{}), broker.Unlimited)
	for i := range 6 {
		b.Publish(within(t), &task.Message{ID: fmt.Sprintf("m%d", i), Options: task.Options{Queue: "q"}})
	}
	if got := ids(t, one, 3); !slices.Equal(got, []string{"m0", "m2", "m4"}) {
		t.Errorf("the first consumer received %v", got)
	}
	if got := ids(t, two, 3); !slices.Equal(got, []string{"m1", "m3", "m5"}) {
		t.Errorf("the second consumer received %v", got)
	}
}

func TestABusyConsumerIsPassedOver(t *testing.T) {
	t.Parallel()
	s := memorybroker.NewServer()
	b := stored(t, s, 4)
	consume(t, b, 1)
	if got := ids(t, consume(t, b, 1), 3); !slices.Equal(got, []string{"m1", "m2", "m3"}) {
		t.Errorf("received %v", got)
	}
}

func TestClientsOfDifferentServersShareNothing(t *testing.T) {
	t.Parallel()
	one, two := memorybroker.New(broker.Options{}), memorybroker.New(broker.Options{})
	if err := one.Declare(within(t), "q"); err != nil {
		t.Fatal(err)
	}
	if _, err := two.Depth(within(t), "q"); !errors.Is(err, broker.ErrUnknownQueue) {
		t.Errorf("depth: %v", err)
	}
}

func TestWhatHasNoQueueOrNoNameIsAnError(t *testing.T) {
	t.Parallel()
	s := memorybroker.NewServer()
	b := s.Open(broker.Options{})
	if err := b.Declare(within(t), "a", ""); err == nil {
		t.Error("a queue without a name was declared")
	}
	if err := s.PutRaw("nowhere", nil); !errors.Is(err, broker.ErrUnknownQueue) {
		t.Errorf("put: %v", err)
	}
	for _, err := range b.Census(within(t), "nowhere") {
		if !errors.Is(err, broker.ErrUnknownQueue) {
			t.Errorf("census: %v", err)
		}
	}
	var refusal *broker.Refusal
	for _, m := range []*task.Message{nil, {Options: task.Options{Queue: "a"}}} {
		if err := b.Publish(within(t), m)[0]; !errors.As(err, &refusal) || refusal.Reason != broker.Invalid {
			t.Errorf("publish of %v: %v", m, err)
		}
	}
}

func TestAnEndedContextBeginsNothing(t *testing.T) {
	t.Parallel()
	b := stored(t, memorybroker.NewServer(), 1)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, consumeErr := b.Consume(ctx, broker.Subscription{Sources: []broker.Source{{Queue: "q"}}, Prefetch: 1})
	_, depthErr := b.Depth(ctx, "q")
	for name, err := range map[string]error{"declare": b.Declare(ctx, "x"), "consume": consumeErr, "depth": depthErr} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
