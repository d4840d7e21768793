package asynqbroker

import (
	"testing"
	"time"
)

func TestAMomentIsRoundedUpToAWholeSecond(t *testing.T) {
	t.Parallel()
	whole := time.Date(2026, 11, 21, 7, 31, 43, 0, time.UTC)
	for after, want := range map[time.Duration]time.Time{
		0:                             whole,
		time.Nanosecond:               whole.Add(time.Second),
		time.Microsecond:              whole.Add(time.Second),
		time.Second - time.Nanosecond: whole.Add(time.Second),
		time.Second:                   whole.Add(time.Second),
	} {
		if got := wholeSecond(whole.Add(after)); !got.Equal(want) {
			t.Errorf("%v after a whole second: %v; want %v", after, got, want)
		}
	}
}

func TestTheTraitSaysHowLateADelayMayBe(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]time.Duration{
		"asynq://h:1":                       1500 * time.Millisecond,
		"asynq://h:1?forward=5s&poll=1s":    7500 * time.Millisecond,
		"asynq://h:1?forward=10ms&poll=2ms": 1013 * time.Millisecond,
	} {
		a, err := parseURL(raw)
		if err != nil || a.delayLate() != want {
			t.Errorf("%s: %v, %v; want %v", raw, a.delayLate(), err, want)
		}
	}
}
