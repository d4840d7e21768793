package broker_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"acklab/broker"
)

// spy is a settler that notes what it was asked.
type spy struct {
	mu    sync.Mutex
	calls []string
	err   error
}

func (s *spy) note(call string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, call)
	return s.err
}

func (s *spy) Ack(context.Context, *broker.Delivery) error     { return s.note("ack") }
func (s *spy) Requeue(context.Context, *broker.Delivery) error { return s.note("requeue") }
func (s *spy) Reject(_ context.Context, _ *broker.Delivery, reason string) error {
	return s.note("reject " + reason)
}

func settleAll(ctx context.Context, d *broker.Delivery) []error {
	return []error{d.Ack(ctx), d.Requeue(ctx), d.Reject(ctx, "late")}
}

func TestDeliveryIsSettledOnceByTheFirstCall(t *testing.T) {
	t.Parallel()
	for want, first := range map[string]func(*broker.Delivery) error{
		"ack":         func(d *broker.Delivery) error { return d.Ack(t.Context()) },
		"requeue":     func(d *broker.Delivery) error { return d.Requeue(t.Context()) },
		"reject boom": func(d *broker.Delivery) error { return d.Reject(t.Context(), "boom") },
	} {
		s := &spy{}
		d := &broker.Delivery{Settler: s}
		if d.Settled() {
			t.Error("a fresh delivery says it is settled")
		}
		if err := first(d); err != nil || !d.Settled() {
			t.Errorf("%s: %v, settled %t", want, err, d.Settled())
		}
		for _, err := range settleAll(t.Context(), d) {
			if !errors.Is(err, broker.ErrSettled) {
				t.Errorf("after %s: %v", want, err)
			}
		}
		if d.Abandon() {
			t.Errorf("after %s the delivery could be abandoned", want)
		}
		if len(s.calls) != 1 || s.calls[0] != want {
			t.Errorf("the settler was asked %v; want %s", s.calls, want)
		}
	}
}

func TestDeliverySettlementThatFailsIsStillTheOne(t *testing.T) {
	t.Parallel()
	s := &spy{err: broker.ErrStale}
	d := &broker.Delivery{Settler: s}
	if err := d.Ack(t.Context()); !errors.Is(err, broker.ErrStale) {
		t.Errorf("ack: %v", err)
	}
	if err := d.Ack(t.Context()); !errors.Is(err, broker.ErrSettled) {
		t.Errorf("second ack: %v", err)
	}
}

func TestAnAbandonedDeliveryNeverReachesTheSettler(t *testing.T) {
	t.Parallel()
	s := &spy{}
	d := &broker.Delivery{Settler: s}
	if !d.Abandon() || d.Abandon() || !d.Settled() {
		t.Error("the first abandon wins, and only it")
	}
	for _, err := range settleAll(t.Context(), d) {
		if !errors.Is(err, broker.ErrSettled) {
			t.Errorf("after abandon: %v", err)
		}
	}
	if len(s.calls) != 0 {
		t.Errorf("the settler was asked %v", s.calls)
	}
}

func TestOfManySettlementsAtOnceOneReachesTheSettler(t *testing.T) {
	t.Parallel()
	for range 200 {
		s := &spy{}
		d := &broker.Delivery{Settler: s}
		start := make(chan struct{})
		var wait sync.WaitGroup
		for range 8 {
			wait.Go(func() {
				<-start
				settleAll(t.Context(), d)
			})
		}
		close(start)
		wait.Wait()
		if len(s.calls) != 1 {
			t.Fatalf("the settler was asked %v", s.calls)
		}
	}
}
