package result_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"acklab/result"
	"acklab/task"
)

func TestAWaiterLooksWhenItIsWokenAndByItself(t *testing.T) {
	t.Parallel()
	for name, wake := range map[string]func(*result.Waiters){
		"woken": func(w *result.Waiters) { w.Wake("t1") }, "all woken": func(w *result.Waiters) { w.WakeAll() }, "notification lost": func(*result.Waiters) {},
	} {
		t.Run(name, func(t *testing.T) {
			var w result.Waiters
			var state atomic.Value
			state.Store(task.Started)
			looked := make(chan struct{}, 100)
			back := make(chan error, 1)
			go func() {
				r, err := w.Await(t.Context(), "t1", func(context.Context) (result.Result, error) {
					s := state.Load().(task.State)
					looked <- struct{}{}
					return result.Result{State: s}, nil
				})
				if err == nil && r.State != task.Success {
					err = fmt.Errorf("state %s", r.State)
				}
				back <- err
			}()
			<-looked
			<-looked // after it has joined
			state.Store(task.Success)
			wake(&w)
			if err := <-back; err != nil {
				t.Error(err)
			}
		})
	}
}

func TestWaitersTellWhoBeginsAndWhoEnds(t *testing.T) {
	t.Parallel()
	var w result.Waiters
	var mu sync.Mutex
	var told []string
	tell := func(what string) func(string) {
		return func(id string) { mu.Lock(); told = append(told, what+id); mu.Unlock() }
	}
	w.First, w.Last = tell("+"), tell("-")
	var all sync.WaitGroup
	for i := range 10 {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		all.Go(func() {
			defer cancel()
			_, err := w.Await(ctx, fmt.Sprint(i%2), func(context.Context) (result.Result, error) { return result.Result{State: task.Pending}, nil })
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Error(err)
			}
		})
	}
	all.Wait()
	open := map[string]int{}
	for _, one := range told {
		if one[0] == '+' {
			open[one[1:]]++
		} else {
			open[one[1:]]--
		}
		if n := open[one[1:]]; n < 0 || n > 1 {
			t.Errorf("told %v", told)
		}
	}
	if open["0"] != 0 || open["1"] != 0 || len(open) != 2 {
		t.Errorf("told %v", told)
	}
}

func TestAWaitSaysWhatWasTheMatter(t *testing.T) {
	t.Parallel()
	var w result.Waiters
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	away := func(context.Context) (result.Result, error) {
		return result.Result{}, result.Unavailable(io.ErrUnexpectedEOF)
	}
	_, err := w.Await(ctx, "t1", away)
	if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, io.ErrUnexpectedEOF) || !strings.Contains(err.Error(), "t1") {
		t.Error(err)
	}
	_, err = w.Await(t.Context(), "t1", func(context.Context) (result.Result, error) { return result.Result{}, result.ErrMalformed })
	if !errors.Is(err, result.ErrMalformed) {
		t.Error(err)
	}
	time.AfterFunc(20*time.Millisecond, w.Close)
	if _, err = w.Await(t.Context(), "t1", away); !errors.Is(err, result.ErrClosed) {
		t.Error(err)
	}
	w.Close()
	if _, err = w.Await(t.Context(), "t1", away); !errors.Is(err, result.ErrClosed) {
		t.Error(err)
	}
}
