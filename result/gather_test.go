package result_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"acklab/result"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// echo answers each question with itself, twice, when it is let.
func echo(let <-chan struct{}, trips *atomic.Int32, sizes chan<- int) func(context.Context, []int) []result.Answer[int] {
	return func(ctx context.Context, questions []int) []result.Answer[int] {
		trips.Add(1)
		if sizes != nil {
			sizes <- len(questions)
		}
		answers := make([]result.Answer[int], len(questions))
		select {
		case <-let:
		case <-ctx.Done():
			for i := range answers {
				answers[i].Err = result.Unavailable(ctx.Err())
			}
			return answers
		}
		for i, q := range questions {
			answers[i].Value = 2 * q
			if q < 0 {
				answers[i].Err = fmt.Errorf("%d is negative", q)
			}
		}
		return answers
	}
}

func TestCallsThatComeTogetherGoTogether(t *testing.T) {
	t.Parallel()
	let, sizes := make(chan struct{}), make(chan int, 100)
	var trips atomic.Int32
	g := &result.Gather[int, int]{Do: echo(let, &trips, sizes), Width: 1, Most: 40, Patience: time.Minute, Life: context.Background()}
	var callers sync.WaitGroup
	ask := func(q int) {
		callers.Go(func() {
			a, err := g.Ask(t.Context(), q)
			if q < 0 && err == nil || q >= 0 && (err != nil || a != 2*q) {
				t.Errorf("%d: %d, %v", q, a, err)
			}
		})
	}
	ask(1)
	if n := <-sizes; n != 1 {
		t.Errorf("the first went with %d", n)
	}
	for i := range 100 {
		ask(i - 3)
	}
	for g.Waiting() < 100 {
		time.Sleep(time.Millisecond)
	}
	close(let)
	callers.Wait()
	if trips.Load() != 4 { // 1, 40, 40, 20
		t.Errorf("%d round trips", trips.Load())
	}
	g.Close()
	if _, err := g.Ask(t.Context(), 1); !errors.Is(err, result.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

func TestARoundTripIsBoundedByItsLoadAndKeepsKeysApart(t *testing.T) {
	t.Parallel()
	let, sizes := make(chan struct{}), make(chan int, 100)
	var trips atomic.Int32
	g := &result.Gather[int, int]{Do: echo(let, &trips, sizes), Width: 1, Most: 100, Load: 10, Patience: time.Minute, Life: context.Background(),
		Weigh: func(q int) int { return q }, Apart: func(q int) string { return fmt.Sprint(q % 4) }}
	var callers sync.WaitGroup
	for i, q := range []int{1, 5, 5, 5, 6, 7} {
		callers.Go(func() {
			if _, err := g.Ask(t.Context(), q); err != nil {
				t.Error(err)
			}
		})
		if i == 0 {
			<-sizes
		}
		for g.Waiting() < i {
			time.Sleep(time.Millisecond)
		}
	}
	close(let)
	callers.Wait()
	var got []int
	for range int(trips.Load()) - 1 {
		got = append(got, <-sizes)
	}
	if fmt.Sprint(got) != "[2 2 1]" { // 5+6, 5+7, 5
		t.Errorf("sizes %v", got)
	}
	g.Close()
}

func TestACallEndsWithItsContextAndARoundTripWithItsLastCaller(t *testing.T) {
	t.Parallel()
	var trips atomic.Int32
	g := &result.Gather[int, int]{Do: echo(nil, &trips, nil), Width: 1, Most: 9, Patience: time.Minute, Life: context.Background()}
	began := time.Now()
	for range 3 { // each needs the one before to have ended
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		if _, err := g.Ask(ctx, 1); !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, result.ErrUnavailable) {
			t.Errorf("%v", err)
		}
		cancel()
	}
	g.Close()
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("it took %v", took)
	}
}

func TestTheEndOfTheClientEndsAllCalls(t *testing.T) {
	t.Parallel()
	life, die := context.WithCancel(context.Background())
	var trips atomic.Int32
	g := &result.Gather[int, int]{Do: echo(nil, &trips, nil), Width: 2, Most: 1, Patience: time.Minute, Life: life}
	var callers sync.WaitGroup
	for i := range 10 {
		callers.Go(func() {
			if _, err := g.Ask(t.Context(), i); !errors.Is(err, result.ErrClosed) {
				t.Errorf("%v", err)
			}
		})
	}
	for trips.Load() < 2 {
		time.Sleep(time.Millisecond)
	}
	die()
	callers.Wait()
	g.Close()
}

func TestTooFewAnswersAreNotTakenForMore(t *testing.T) {
	t.Parallel()
	g := &result.Gather[int, int]{Do: func(context.Context, []int) []result.Answer[int] { return nil }, Width: 1, Most: 1, Patience: time.Minute, Life: context.Background()}
	if _, err := g.Ask(t.Context(), 1); !errors.Is(err, result.ErrUnavailable) {
		t.Errorf("%v", err)
	}
	g.Close()
}
