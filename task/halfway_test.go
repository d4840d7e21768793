package task

import (
	"context"
	"errors"
	"testing"
	"time"
)

func TestHalfwayCallsWhatWasInstalledOnce(t *testing.T) {
	t.Parallel()
	Halfway(t.Context()) // nothing installed: nothing happens
	calls := 0
	ctx := WithHalfway(t.Context(), func() { calls++ })
	Halfway(ctx)
	Halfway(ctx)
	if calls != 1 {
		t.Errorf("%d calls", calls)
	}
}

func TestWorkIsHalfwayInTheMiddle(t *testing.T) {
	t.Parallel()
	const d = 60 * time.Millisecond
	start := time.Now()
	var half time.Duration
	ctx := WithHalfway(t.Context(), func() { half = time.Since(start) })
	if err := Work(ctx, d); err != nil {
		t.Fatal(err)
	}
	if all := time.Since(start); half < d/2 || all < d || all-half < d/2 {
		t.Errorf("halfway after %s of %s", half, all)
	}
}

func TestWorkOfNoTimeIsStillHalfway(t *testing.T) {
	t.Parallel()
	for _, d := range []time.Duration{0, -time.Second} {
		reached := false
		if err := Work(WithHalfway(t.Context(), func() { reached = true }), d); err != nil || !reached {
			t.Errorf("%s: %v, halfway %v", d, err, reached)
		}
	}
}

func TestWorkEndsWithTheCauseOfItsContext(t *testing.T) {
	t.Parallel()
	cause := errors.New("soft time limit")
	ctx, cancel := context.WithCancelCause(t.Context())
	reached := false
	time.AfterFunc(5*time.Millisecond, func() { cancel(cause) })
	err := Work(WithHalfway(ctx, func() { reached = true }), time.Hour)
	if !errors.Is(err, cause) || reached {
		t.Errorf("got %v, halfway %v", err, reached)
	}
	if err := Work(ctx, 0); !errors.Is(err, cause) {
		t.Errorf("a dead context: %v", err)
	}
}

func TestWorkCanBeStoppedAtHalfway(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	if err := Work(WithHalfway(ctx, cancel), time.Microsecond); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
