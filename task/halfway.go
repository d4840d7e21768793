package task

import (
	"context"
	"sync"
	"time"
)

type halfwayKey struct{}

// WithHalfway installs what Halfway does for handlers that run with the
// returned context: reached is called at the first Halfway, in the handler's
// goroutine, and not again.
func WithHalfway(ctx context.Context, reached func()) context.Context {
	var once sync.Once
	return context.WithValue(ctx, halfwayKey{}, func() { once.Do(reached) })
}

// Halfway says that a handler has done about half of its work. Handlers call
// it once; it is where a worker can be told to crash in the middle of a task.
// Without WithHalfway it does nothing.
func Halfway(ctx context.Context) {
	if reached, ok := ctx.Value(halfwayKey{}).(func()); ok {
		reached()
	}
}

// Work stands for work that takes d: it waits half of it, calls Halfway, and
// waits the rest. When ctx ends it returns at once with the cause
// (context.Cause). A d of zero or less takes no time, but still calls Halfway.
func Work(ctx context.Context, d time.Duration) error {
	if err := wait(ctx, d/2); err != nil {
		return err
	}
	Halfway(ctx)
	return wait(ctx, d-d/2)
}

func wait(ctx context.Context, d time.Duration) error {
	if ctx.Err() != nil || d <= 0 {
		return context.Cause(ctx)
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}
