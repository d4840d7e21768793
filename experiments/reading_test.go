package experiments

import (
	"slices"
	"testing"
	"time"

	"acklab/internal/ledger"
)

func TestAQuantileIsOneOfTheValues(t *testing.T) {
	t.Parallel()
	values := []float64{5, 1, 4, 2, 3}
	for q, want := range map[float64]float64{0: 1, 0.5: 3, 0.99: 5, 1: 5} {
		if got := quantile(slices.Clone(values), q); got != want {
			t.Errorf("quantile %g: %g, want %g", q, got, want)
		}
	}
	if got := quantile(nil, 0.5); got != 0 {
		t.Errorf("of nothing: %g", got)
	}
}

func TestShortDelaysThatOvertakeAreThoseBeforeTheFirstLongOne(t *testing.T) {
	t.Parallel()
	ms := int64(time.Millisecond)
	published := func(id string, at, eta int64) ledger.Line {
		return ledger.Line{Event: ledger.Attempted, Message: id, Mono: at * ms, ETA: eta * ms}
	}
	received := func(id string, at int64) ledger.Line {
		return ledger.Line{Event: ledger.Received, Message: id, Mono: at * ms}
	}
	o := overtaking{between: 800 * ms, sent: map[string]ledger.Line{}}
	for _, l := range []ledger.Line{
		published("long", 1000, 2500), published("early", 1010, 1110), published("late", 1010, 1110), received("somebody else's", 1050),
		received("early", 1120), received("early", 1130), received("long", 2510), received("late", 2520),
	} {
		o.take(l)
	}
	if o.before != 1 || !slices.Equal(o.waits, []float64{110, 1510}) {
		t.Errorf("%d came before, waits %v; want 1, [110 1510]", o.before, o.waits)
	}
}
