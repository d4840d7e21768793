package worker_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"testing"
	"time"

	"acklab/internal/ledger"
	"acklab/result"
	"acklab/task"
	"acklab/worker"
)

// restOfStore are the calls that a worker never makes.
type restOfStore struct{ result.Store }

// shelf is a result store that keeps everything that it is given, in order.
type shelf struct {
	restOfStore
	mu     sync.Mutex
	taken  []result.Result
	refuse func(result.Result) error // nil: it takes everything
	asked  int
}

// Store implements result.Store.
func (s *shelf) Store(_ context.Context, r result.Result) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	if err := r.Validate(); err != nil {
		return err
	}
	if s.refuse != nil {
		if err := s.refuse(r); err != nil {
			return err
		}
	}
	s.taken = append(s.taken, r)
	return nil
}

func (s *shelf) states() (all []task.State) {
	for _, r := range s.taken {
		all = append(all, r.State)
	}
	return all
}

// onShelf has the worker keep its results on a shelf.
func onShelf(t *testing.T, test func(*bench, *shelf)) {
	t.Helper()
	bothModes(t, func(b *bench) {
		s := &shelf{}
		b.cfg.Results, b.cfg.Name = s, "worker1"
		test(b, s)
	})
}

func TestTheResultIsKeptBeforeALateAcknowledgement(t *testing.T) {
	onShelf(t, func(b *bench, s *shelf) {
		b.cfg.Registry.Register("four", func(context.Context, *task.Call) (any, error) { return 4, nil })
		m := b.publish("four")
		b.start()
		if len(s.taken) != 1 || s.taken[0].State != task.Success || string(s.taken[0].Value) != "4" ||
			s.taken[0].TaskID != m.TaskID || s.taken[0].Worker != "worker1" || s.taken[0].Name != "four" || s.taken[0].Queue != queue {
			b.t.Errorf("kept: %+v", s.taken)
		}
		life := b.life(m)
		finished, stored := slices.Index(life, ledger.Finished), slices.Index(life, ledger.ResultStored)
		if stored != finished+1 {
			b.t.Errorf("it came to %v", life)
		}
		if late := slices.Index(life, ledger.AckSending); b.cfg.Ack == worker.Late && late < stored {
			b.t.Errorf("acknowledged before the result was stored: %v", life)
		}
	})
}

func TestStartedIsKeptOnlyWhenItIsTracked(t *testing.T) {
	t.Parallel()
	for _, track := range []bool{false, true} {
		t.Run(fmt.Sprint(track), func(t *testing.T) {
			onShelf(t, func(b *bench, s *shelf) {
				b.cfg.TrackStarted = track
				b.publish("noop")
				b.start()
				want := []task.State{task.Success}
				if track {
					want = []task.State{task.Started, task.Success}
				}
				if got := s.states(); !slices.Equal(got, want) {
					b.t.Errorf("kept %v, want %v", got, want)
				}
			})
		})
	}
}

func TestARetryAndAFailureAreKeptWithTheError(t *testing.T) {
	onShelf(t, func(b *bench, s *shelf) {
		b.publish(b.fails("never-works", 9, task.RetryPolicy{Max: 1, Delay: time.Second, For: task.AnyError}))
		b.start()
		b.sleep(2 * time.Second)
		if got := s.states(); !slices.Equal(got, []task.State{task.Retry, task.Failure}) {
			b.t.Fatalf("kept %v", got)
		}
		for i, r := range s.taken {
			if r.Error == nil || r.Error.Type == "" || r.Error.Text() == "" || r.Retries != i {
				b.t.Errorf("kept %+v with the error %+v", r, r.Error)
			}
		}
	})
}

func TestAPanicIsKeptWithItsStack(t *testing.T) {
	onShelf(t, func(b *bench, s *shelf) {
		b.handler("panics", func(context.Context) error { panic("boom") })
		b.publish("panics")
		b.start()
		if len(s.taken) != 1 || s.taken[0].Error.Error() != "PanicError: panic: boom" || s.taken[0].Error.Traceback == "" {
			b.t.Errorf("kept: %+v", s.taken)
		}
	})
}

func TestAValueThatIsNoJSONIsAFailureForTheCaller(t *testing.T) {
	onShelf(t, func(b *bench, s *shelf) {
		b.cfg.Registry.Register("nan", func(context.Context, *task.Call) (any, error) { return math.NaN(), nil })
		b.publish("nan")
		b.start()
		b.one(ledger.Finished)
		if len(s.taken) != 1 || s.taken[0].State != task.Failure || s.taken[0].Error.Type != "EncodeError" {
			b.t.Errorf("kept: %+v", s.taken)
		}
	})
}

func TestNothingIsKeptOfATaskThatWantsNoResult(t *testing.T) {
	onShelf(t, func(b *bench, s *shelf) {
		b.publishWith(task.Options{Queue: queue, IgnoreResult: true}, "noop")
		b.start()
		b.one(ledger.Finished)
		if s.asked != 0 {
			b.t.Errorf("the store was asked %d times", s.asked)
		}
	})
}

func TestWhatIsNotRunHasAStateTooExceptWhatCannotBeRead(t *testing.T) {
	onShelf(t, func(b *bench, s *shelf) {
		b.publishWith(task.Options{Queue: queue, Expires: time.Now().Add(time.Second)}, "noop")
		b.publish("nobody_knows")
		b.must("put", b.server.PutRaw(queue, []byte("what is this")))
		b.sleep(2 * time.Second)
		b.start()
		if got := s.states(); !slices.Equal(got, []task.State{task.Revoked, task.Failure}) {
			b.t.Errorf("kept %v", got)
		}
	})
}

func TestAStoreThatIsAwayCostsTheResultAndNotTheTask(t *testing.T) {
	onShelf(t, func(b *bench, s *shelf) {
		s.refuse = func(result.Result) error { return result.Unavailable(errors.New("gone")) }
		for range 20 {
			b.publish("noop")
		}
		b.start()
		b.sleep(time.Second)
		if n := len(b.lines(ledger.Finished)); n != 20 {
			b.t.Errorf("%d of 20 tasks are finished", n)
		}
		if n := len(b.lines(ledger.ResultLost)); n != 20 {
			b.t.Errorf("%d of 20 results are said to be lost", n)
		}
		if s.asked != 4+19 {
			b.t.Errorf("the store was asked %d times: the first result four times, the others once, since it is away", s.asked)
		}
		b.holds(0, 0, 0)
		s.refuse = nil
		b.publish("noop")
		b.sleep(time.Second)
		b.one(ledger.ResultStored)
		s.refuse = func(result.Result) error { return result.Unavailable(errors.New("gone again")) }
		asked := s.asked
		b.publish("noop")
		b.sleep(time.Second)
		if s.asked-asked != 4 {
			b.t.Errorf("a store that had come back was asked %d times, want 4", s.asked-asked)
		}
	})
}

func TestAStoreThatStumblesIsAskedAgain(t *testing.T) {
	onShelf(t, func(b *bench, s *shelf) {
		s.refuse = func(result.Result) error {
			if s.asked < 3 {
				return result.Unavailable(errors.New("loading"))
			}
			return nil
		}
		b.publish("noop")
		b.start()
		b.sleep(time.Second)
		b.one(ledger.ResultStored)
		if n := len(b.lines(ledger.ResultLost)); n != 0 || s.asked != 3 {
			b.t.Errorf("%d results are lost after %d tries", n, s.asked)
		}
	})
}

func TestAStateThatComesTooLateIsNoLoss(t *testing.T) {
	onShelf(t, func(b *bench, s *shelf) {
		s.refuse = func(result.Result) error { return result.ErrFinished }
		b.publish("noop")
		b.start()
		if l := b.one(ledger.ResultKept); l.State != string(task.Success) {
			b.t.Errorf("line %+v", l)
		}
		if n := len(b.lines(ledger.ResultLost)); n != 0 || s.asked != 1 {
			b.t.Errorf("%d results are lost after %d tries", n, s.asked)
		}
	})
}

func TestACrashAfterTheResultNeedsAResultStore(t *testing.T) {
	t.Parallel()
	cfg := newConfig()
	cfg.Crash = &worker.Trigger{At: worker.ResultStored, Nth: 1}
	if _, err := worker.New(cfg); err == nil || err.Error() != `checkpoint "result-stored": there is no result store; name one with --result` {
		t.Errorf("got %v", err)
	}
}
