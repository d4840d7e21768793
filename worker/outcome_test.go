package worker_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"acklab/internal/ledger"
	"acklab/task"
)

// fragile is an error with a method that panics: the one that its name says.
type fragile struct {
	panics string
	asked  int // for its text
}

func (f *fragile) Error() string {
	f.asked++
	if f.panics == "Error" || f.panics == "Error again" && f.asked > 1 {
		panic("no text")
	}
	return "fragile"
}

func (f *fragile) Is(error) bool { return f.when("Is") }
func (f *fragile) As(any) bool   { return f.when("As") }
func (f *fragile) Unwrap() error { f.when("Unwrap"); return nil }

func (f *fragile) when(method string) bool {
	if f.panics == method {
		panic("no " + method)
	}
	return false
}

// unmarshallable is a value whose JSON panics, or comes with an error that does.
type unmarshallable struct{ err error }

func (u unmarshallable) MarshalJSON() ([]byte, error) {
	if u.err == nil {
		panic("no JSON")
	}
	return nil, u.err
}

// A panic outside the handler would end the worker, and after it each that is given
// the task.
func TestAnErrorWhoseMethodsPanicIsThatPanic(t *testing.T) {
	t.Parallel()
	panics := func(method string) func() error { return func() error { return &fragile{panics: method} } }
	for name, c := range map[string]struct {
		err  func() error // one for each that asks, for they count
		want string
	}{
		"nil of a type": {func() error { return (*fragile)(nil) }, "panic: runtime error: invalid memory address"},
		"Error":         {panics("Error"), "panic: no text"},
		"As":            {panics("As"), "panic: no As"},
		"Is":            {panics("Is"), "panic: no Is"},
		"Unwrap":        {panics("Unwrap"), "panic: no Unwrap"},
		"wrapped":       {func() error { return task.TryAgain(&fragile{panics: "Error"}) }, "panic: no text"},
		"Error again":   {panics("Error again"), "fragile"},
	} {
		t.Run(name, func(t *testing.T) {
			onShelf(t, func(b *bench, s *shelf) {
				b.cfg.Registry.Register("fails", func(context.Context, *task.Call) (any, error) { return nil, c.err() },
					task.WithRetry(task.RetryPolicy{For: func(err error) bool { return errors.Is(err, errBoom) }}))
				b.publish("fails")
				b.start()
				if l := b.one(ledger.Failed); !l.Final || !strings.HasPrefix(l.Reason, c.want) {
					b.t.Errorf("failed: %+v", l)
				}
				kind, panicked := "TaskError", strings.HasPrefix(c.want, "panic")
				if panicked {
					kind = "PanicError"
				}
				if e := s.taken[0].Error; e.Type != kind || !strings.HasPrefix(e.Text(), c.want) || (e.Traceback != "") != panicked {
					b.t.Errorf("kept: %+v", e)
				}
				b.alive()
			})
		})
	}
}

func TestAnErrorWhoseMethodsPanicIsTriedAgainWherePanicsAre(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.cfg.Registry.Register("fails", func(_ context.Context, c *task.Call) (any, error) {
			if c.Message.Retries == 0 {
				return nil, (*fragile)(nil)
			}
			return nil, nil
		}, task.WithRetry(task.RetryPolicy{Max: 1, For: task.ErrorOfKind(task.KindPanic)}))
		b.publish("fails")
		b.start()
		b.one(ledger.Failed)
		b.one(ledger.Finished)
	})
}

func TestAPolicyThatPanicsIsAFailureForGood(t *testing.T) {
	inBubble(t, func(b *bench) {
		policy := task.RetryPolicy{Max: 1, For: func(error) bool { panic("no choice") }}
		b.publish(b.fails("fails", 1, policy))
		b.start()
		if l := b.one(ledger.Failed); !l.Final || !strings.HasPrefix(l.Reason, "panic: no choice") {
			t.Errorf("failed: %+v", l)
		}
		b.alive()
	})
}

func TestAValueWhoseJSONPanicsIsAsOneWithoutJSON(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		value any
		want  string
	}{
		"panics":                     {unmarshallable{}, "panic: no JSON"},
		"with an error that panics":  {unmarshallable{(*fragile)(nil)}, "panic: runtime error: invalid memory address"},
		"with an error like another": {unmarshallable{errBoom}, "json: error calling MarshalJSON"},
	} {
		t.Run(name, func(t *testing.T) {
			onShelf(t, func(b *bench, s *shelf) {
				b.cfg.Registry.Register("odd", func(context.Context, *task.Call) (any, error) { return c.value, nil })
				m := b.publish("odd")
				b.start()
				b.sleep(time.Second)
				if len(s.taken) != 1 || s.taken[0].State != task.Failure || s.taken[0].Error.Type != "EncodeError" || !strings.HasPrefix(s.taken[0].Error.Text(), c.want) {
					b.t.Errorf("kept: %+v", s.taken)
				}
				if l := b.one(ledger.Finished); l.Task != m.TaskID || len(b.lines(ledger.Failed)) != 0 {
					b.t.Errorf("it came to %v", b.life(m))
				}
				b.holds(0, 0, 0)
				b.alive()
			})
		})
	}
}
