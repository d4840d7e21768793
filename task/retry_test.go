package task

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

var errFlaky = errors.New("flaky")

// never is a source of jitter that must not be asked.
func never(t *testing.T) func() float64 {
	return func() float64 { t.Error("jitter was asked for"); return 0 }
}

func TestTheBackoffDoublesUpToItsMaximum(t *testing.T) {
	t.Parallel()
	s := time.Second
	for _, tt := range []struct {
		policy RetryPolicy
		want   []time.Duration
	}{
		{RetryPolicy{Delay: 5 * s}, []time.Duration{5 * s, 5 * s, 5 * s}},
		{RetryPolicy{}, []time.Duration{0, 0}},
		{RetryPolicy{Backoff: s, BackoffMax: 600 * s}, []time.Duration{s, 2 * s, 4 * s, 8 * s, 16 * s, 32 * s, 64 * s, 128 * s, 256 * s, 512 * s, 600 * s, 600 * s}},
		{RetryPolicy{Backoff: 3 * s, BackoffMax: 10 * s, Delay: 7 * s}, []time.Duration{3 * s, 6 * s, 10 * s}},
		{RetryPolicy{Backoff: 900 * s, BackoffMax: 600 * s}, []time.Duration{600 * s, 600 * s}},
		{RetryPolicy{Backoff: s}, []time.Duration{s, 2 * s, 4 * s}},
	} {
		tt.policy.Max, tt.policy.For = len(tt.want), AnyError
		for retries, want := range tt.want {
			if d := tt.policy.Decide(errFlaky, retries, never(t)); !d.Again || d.Delay != want {
				t.Errorf("backoff %v, max %v: after try %d: %+v, want %v", tt.policy.Backoff, tt.policy.BackoffMax, retries, d, want)
			}
		}
		if d := tt.policy.Decide(errFlaky, len(tt.want), never(t)); d.Again || d.Reason != fmt.Sprintf("no retries left of %d", len(tt.want)) {
			t.Errorf("beyond the last retry: %+v", d)
		}
	}
	far := RetryPolicy{Max: math.MaxInt32, Backoff: time.Nanosecond, BackoffMax: MaxDelay, For: AnyError}
	for _, retries := range []int{62, 63, 64, 1000, math.MaxInt32 - 1} {
		if d := far.Decide(errFlaky, retries, never(t)); d.Delay != MaxDelay {
			t.Errorf("after try %d: %+v", retries, d)
		}
	}
}

func TestJitterIsEvenBetweenZeroAndTheBackoff(t *testing.T) {
	t.Parallel()
	p := RetryPolicy{Max: 10, Backoff: time.Second, BackoffMax: time.Minute, Jitter: true, For: AnyError}
	rng := rand.New(rand.NewPCG(1, 2))
	for retries, backoff := range []time.Duration{1, 2, 4, 8} {
		backoff *= time.Second
		const n = 4000
		var sum, low, top = 0.0, backoff, time.Duration(0)
		for range n {
			d := p.Decide(errFlaky, retries, rng.Float64).Delay
			if d < 0 || d > backoff {
				t.Fatalf("after try %d: %v is outside 0 to %v", retries, d, backoff)
			}
			sum, low, top = sum+d.Seconds(), min(low, d), max(top, d)
		}
		// The mean of n has a standard deviation of 0.29/sqrt(n): 0.005.
		if mean := sum / n / backoff.Seconds(); mean < 0.47 || mean > 0.53 {
			t.Errorf("after try %d the mean is %.3f of the backoff", retries, mean)
		}
		if low > backoff/100 || top < backoff-backoff/100 {
			t.Errorf("after try %d all are between %v and %v", retries, low, top)
		}
	}
	a, b := rand.New(rand.NewPCG(7, 7)), rand.New(rand.NewPCG(7, 7))
	for range 10 {
		if x, y := p.Decide(errFlaky, 3, a.Float64), p.Decide(errFlaky, 3, b.Float64); x.Delay != y.Delay {
			t.Errorf("one seed gives %v and %v", x.Delay, y.Delay)
		}
	}
	if d := p.Decide(errFlaky, 0, func() float64 { return math.Nextafter(1, 0) }).Delay; d > time.Second {
		t.Errorf("the largest is %v", d)
	}
	p.Backoff, p.Delay = 0, time.Minute
	if d := p.Decide(errFlaky, 0, never(t)).Delay; d != time.Minute {
		t.Errorf("a fixed delay became %v", d)
	}
}

func TestAPolicyThatCannotBeKeptIsRefusedInOneLine(t *testing.T) {
	t.Parallel()
	for want, p := range map[string]RetryPolicy{
		"max retries -1: use 0 (none) or more; there is no retrying for ever":                             {Max: -1},
		"max retries 2147483648 is above 2147483647":                                                      {Max: math.MaxInt32 + 1},
		"retry delay -1s is negative":                                                                     {Delay: -time.Second},
		"retry backoff -1ns is negative":                                                                  {Backoff: -1},
		"retry backoff max -1s is negative":                                                               {BackoffMax: -time.Second},
		"retry delay 720h0m0.000000001s is above the longest delay 720h0m0s":                              {Delay: MaxDelay + 1},
		"retry backoff 721h0m0s is above the longest":                                                     {Backoff: 721 * time.Hour, Max: 1},
		"retry backoff max 2000h0m0s is above the longest":                                                {BackoffMax: 2000 * time.Hour},
		"retry backoff 1s doubles beyond the longest delay 720h0m0s at retry 23 of 30: set a backoff max": {Max: 30, Backoff: time.Second},
		"retry backoff 1ns doubles beyond the longest delay":                                              {Max: math.MaxInt32, Backoff: 1},
	} {
		if err := p.Check(); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%+v:\n got %v\nwant %s", p, err, want)
		}
	}
	for _, p := range []RetryPolicy{
		{}, DefaultRetry(), {Max: math.MaxInt32, Delay: MaxDelay}, {Max: 22, Backoff: time.Second}, {Max: 1000, Backoff: time.Second, BackoffMax: MaxDelay},
	} {
		if err := p.Check(); err != nil {
			t.Errorf("%+v: %v", p, err)
		}
	}
}

func TestAPolicyChoosesErrorsAndAHandlerMayAsk(t *testing.T) {
	t.Parallel()
	bad := &ArgumentError{Task: "x", Problem: "bad"}
	odd := errors.New("odd")
	kind := func(k string) error { return fmt.Errorf("outer: %w", WithKind(errFlaky, k)) }
	for _, tt := range []struct {
		name         string
		match, never ErrorMatch
		err          error
		again        bool
	}{
		{"nothing is chosen", nil, nil, errFlaky, false},
		{"any", AnyError, nil, odd, true},
		{"a target", ErrorIs(errFlaky), nil, fmt.Errorf("wrapped: %w", errFlaky), true},
		{"no target", ErrorIs(errFlaky), nil, odd, false},
		{"no target at all", ErrorIs(), nil, odd, false},
		{"a kind", ErrorOfKind("a", "b"), nil, kind("b"), true},
		{"one of two kinds", ErrorOfKind("a"), nil, WithKind(odd, "a", "c"), true},
		{"a kind among joined", ErrorOfKind("a"), nil, errors.Join(odd, kind("a")), true},
		{"another kind", ErrorOfKind("a"), nil, kind("c"), false},
		{"no kind", ErrorOfKind("a"), nil, odd, false},
		{"every kind", ErrorOfKind(KindAny), nil, odd, true},
		{"taken out", AnyError, ErrorIs(errFlaky), errFlaky, false},
		{"not taken out", AnyError, ErrorIs(errFlaky), odd, true},
		{"asked for", nil, nil, TryAgain(odd), true},
		{"asked for, wrapped", nil, nil, fmt.Errorf("outer: %w", RetryIn(odd, time.Hour)), true},
		{"asked for, taken out", AnyError, AnyError, TryAgain(odd), true},
		{"a delay asks for nothing", nil, nil, WithDelay(odd, time.Hour), false},
		{"an argument error", AnyError, nil, bad, false},
		{"an argument error, asked for", AnyError, nil, TryAgain(fmt.Errorf("outer: %w", bad)), false},
		{"an unknown task", AnyError, nil, &UnknownTaskError{"x"}, false},
	} {
		p := RetryPolicy{Max: 1, For: tt.match, DontFor: tt.never}
		d := p.Decide(tt.err, 0, never(t))
		if d.Again != tt.again || (d.Reason == "") != tt.again {
			t.Errorf("%s: %+v", tt.name, d)
		}
		if d := p.Decide(tt.err, 1, never(t)); d.Again {
			t.Errorf("%s: again after the last retry", tt.name)
		}
	}
}

func TestAnErrorsOwnDelayIsKeptOrRefused(t *testing.T) {
	t.Parallel()
	p := RetryPolicy{Max: 1, Delay: time.Minute, Backoff: time.Second, Jitter: true, For: AnyError}
	for err, want := range map[error]time.Duration{
		RetryIn(errFlaky, 0):                                      0,
		RetryIn(errFlaky, MaxDelay):                               MaxDelay,
		WithDelay(errFlaky, 3*time.Second):                        3 * time.Second,
		fmt.Errorf("outer: %w", WithDelay(errFlaky, 1)):           1,
		WithKind(RetryIn(errFlaky, time.Hour), "k"):               time.Hour,
		RetryIn(RetryIn(errFlaky, time.Second), 2*time.Second):    2 * time.Second,
		fmt.Errorf("outer: %w", RetryIn(errFlaky, 5*time.Second)): 5 * time.Second,
	} {
		if d := p.Decide(err, 0, never(t)); !d.Again || d.Delay != want {
			t.Errorf("%+v, want %v", d, want)
		}
		if !errors.Is(err, errFlaky) || !strings.Contains(err.Error(), "flaky") {
			t.Errorf("%v hides its error", err)
		}
	}
	for _, d := range []time.Duration{-1, MaxDelay + 1, math.MinInt64, math.MaxInt64} {
		if got := p.Decide(RetryIn(errFlaky, d), 0, never(t)); got.Again || !strings.Contains(got.Reason, "outside 0 to 720h0m0s") {
			t.Errorf("a delay of %v: %+v", d, got)
		}
	}
}

func TestWithoutAPolicyATaskHasCelerysNumbersAndIsNotTriedAgain(t *testing.T) {
	t.Parallel()
	r := NewRegistry()
	r.Register("plain", nothing)
	own := RetryPolicy{Max: 7, Delay: time.Second, For: AnyError}
	r.Register("own", nothing, WithRetry(own))
	p := r.Retry("plain")
	if p.Max != 3 || p.Delay != 180*time.Second || p.BackoffMax != 600*time.Second || !p.Jitter || p.Backoff != 0 {
		t.Errorf("the default is %+v", p)
	}
	if d := p.Decide(errFlaky, 0, never(t)); d.Again {
		t.Errorf("by default a failure is tried again: %+v", d)
	}
	if d := p.Decide(TryAgain(errFlaky), 2, never(t)); !d.Again || d.Delay != 180*time.Second {
		t.Errorf("a handler that asks gets %+v", d)
	}
	if p := r.Retry("own"); p.Max != 7 || p.For == nil {
		t.Errorf("its own is %+v", p)
	}
	if d := r.Retry("nobody").Decide(TryAgain(errFlaky), 0, never(t)); d.Again {
		t.Errorf("an unknown task is tried again: %+v", d)
	}
}

func TestACopyIsTheSameTryUnderAnotherMessageID(t *testing.T) {
	t.Parallel()
	m, err := New("x", Options{Queue: "q", Retries: 2}, 1)
	if err != nil {
		t.Fatal(err)
	}
	c := m.Copy()
	if c.ID == m.ID || c.TaskID != m.TaskID || c.Retries != 2 || c.Queue != "q" || c.Hash() != m.Hash() {
		t.Errorf("%+v of %+v", c, m)
	}
}
