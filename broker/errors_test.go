package broker_test

import (
	"errors"
	"fmt"
	"io"
	"testing"

	"acklab/broker"
)

func TestARefusalIsRefusedAndNeverUnsure(t *testing.T) {
	t.Parallel()
	for _, reason := range []broker.Reason{broker.Unreachable, broker.Unroutable, broker.LengthLimit, broker.Full, broker.ReadOnly,
		broker.Denied, broker.TooLarge, broker.Invalid, broker.Duplicate, broker.Closed, broker.Cancelled} {
		err := fmt.Errorf("publish: %w", &broker.Refusal{Reason: reason, Err: io.EOF})
		var r *broker.Refusal
		if !errors.As(err, &r) || r.Reason != reason {
			t.Errorf("%s: the reason is lost: %v", reason, err)
		}
		if !errors.Is(err, broker.ErrRefused) || errors.Is(err, broker.ErrUnsure) || !errors.Is(err, io.EOF) {
			t.Errorf("%s: %v wraps the wrong errors", reason, err)
		}
		if errors.Is(err, broker.ErrClosed) != (reason == broker.Closed) {
			t.Errorf("%s: wraps ErrClosed %t", reason, errors.Is(err, broker.ErrClosed))
		}
	}
}

func TestARefusalSaysWhyAndWhatTheServerSaid(t *testing.T) {
	t.Parallel()
	for want, r := range map[string]*broker.Refusal{
		"refused (full): OOM command not allowed": {Reason: broker.Full, Err: errors.New("OOM command not allowed")},
		"refused (closed)":                        {Reason: broker.Closed},
	} {
		if got := r.Error(); got != want {
			t.Errorf("got %q; want %q", got, want)
		}
	}
}

func TestOptionsWithoutObserverOrLogAreQuiet(t *testing.T) {
	t.Parallel()
	var o broker.Options
	o.Tell(broker.Event{Kind: broker.Connected})
	o.Logger().Error("nobody reads this")
	told := 0
	o.Observe = func(broker.Event) { told++ }
	o.Tell(broker.Event{Kind: broker.Lost})
	if told != 1 {
		t.Errorf("the observer was told %d times", told)
	}
}
