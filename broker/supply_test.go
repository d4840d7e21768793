package broker_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"acklab/broker"
	"acklab/task"
)

// nothingYet wants no delivery within d.
func nothingYet(t *testing.T, b *broker.Inbox, d time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	if got, err := b.Take(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("took %+v, %v; want nothing within %v", got, err, d)
	}
}

func TestInboxWaitsForTheRefillOfAnEarlierQueue(t *testing.T) {
	t.Parallel()
	for _, order := range []broker.Order{broker.Strict, broker.Weighted} {
		synctest.Test(t, func(t *testing.T) {
			b := broker.NewInbox(subscription(order, 3, 1)) // prefetch 1
			b.ExpectRefills(nil)
			fill(b, "q1", 1)
			nothingYet(t, b, time.Millisecond) // nobody has said that q0 is empty
			fill(b, "q0", 1)
			got := taken(t, b, 1)
			b.Settled("q0")
			nothingYet(t, b, 900*time.Millisecond)
			fill(b, "q0", 1)
			got = append(got, taken(t, b, 1)...)
			b.Settled("q0")
			b.Dry("q0")
			got = append(got, taken(t, b, 1)...)
			if want := []string{"q0:0", "q0:0", "q1:0"}; !slices.Equal(got, want) {
				t.Errorf("%s: took %v; want %v", order, got, want)
			}
			b.Close()
		})
	}
}

func TestInboxWaitsNoLongerThanASecondForARefill(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := broker.NewInbox(subscription(broker.Strict, 0, 0))
		b.ExpectRefills(nil)
		fill(b, "q1", 2)
		begun := time.Now()
		taken(t, b, 1)
		if waited := time.Since(begun); waited != time.Second {
			t.Errorf("waited %v", waited)
		}
		taken(t, b, 1) // and not again for a queue that does not answer
		if waited := time.Since(begun); waited != time.Second {
			t.Errorf("waited %v in all", waited)
		}
		b.Close()
	})
}

// A queue of which one more comes every few milliseconds is never known to be dry.
func TestInboxServesALaterQueueBesideATrickleOfAnEarlierOne(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := broker.NewInbox(subscription(broker.Strict, 0, 0)) // prefetch 1
		b.ExpectRefills(func(string, func()) {})                // the answer is always too late
		fill(b, "q1", 3)
		begun, low, high := time.Now(), 0, 0
		for low < 3 && time.Since(begun) < time.Minute {
			fill(b, "q0", 1)
			time.Sleep(time.Millisecond)
			if taken(t, b, 1)[0] != "q0:0" {
				t.Fatal("a later queue was served while the earlier one had something here")
			}
			high++
			b.Settled("q0")
			within, cancel := context.WithTimeout(t.Context(), 3*time.Millisecond)
			if d, err := b.Take(within); err == nil && d.Queue == "q1" {
				low++
			}
			cancel()
		}
		if waited := time.Since(begun); low != 3 || waited > 40*time.Second {
			t.Errorf("%d of 3 in %v, beside %d", low, waited, high)
		}
		b.Close()
	})
}

// What comes at once for each room that is made keeps the order for as long as it
// takes: the time in which the urgent ones run is not waited.
func TestInboxKeepsAStrictOrderHoweverLongTheEarlierQueueIs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := broker.NewInbox(subscription(broker.Strict, 0, 0)) // prefetch 1
		b.ExpectRefills(nil)
		fill(b, "q1", 1)
		for i := range 100 {
			slow := time.Duration(1+i%2*150) * time.Millisecond // a machine that is slow at times
			time.AfterFunc(slow, func() { fill(b, "q0", 1) })
			if got := taken(t, b, 1); got[0] != "q0:0" {
				t.Fatalf("took %v, and the earlier queue had more", got)
			}
			time.Sleep(50 * time.Millisecond) // it runs
			b.Settled("q0")
		}
		b.Close()
	})
}

func TestInboxAsksWhereNobodySaysThatAQueueIsDry(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := broker.NewInbox(subscription(broker.Strict, 0, 0))
		asked := make(chan func(), 2) // each question with the way to answer it
		b.ExpectRefills(func(queue string, nothing func()) {
			if queue != "q0" {
				t.Errorf("asked about %s", queue)
			}
			asked <- nothing
		})
		fill(b, "q1", 1)
		nothingYet(t, b, time.Millisecond)
		if len(asked) != 0 {
			t.Fatal("asked before a refill could come")
		}
		nothingYet(t, b, 2*time.Millisecond)
		stale := <-asked
		// An answer to a question that was put before something came says nothing.
		fill(b, "q0", 1)
		taken(t, b, 1)
		b.Settled("q0")
		stale()
		nothingYet(t, b, 100*time.Millisecond)
		(<-asked)()
		if got := taken(t, b, 1); got[0] != "q1:0" {
			t.Errorf("took %v", got)
		}
		if len(asked) != 0 {
			t.Error("asked once more")
		}
		b.Close()
	})
}

func TestInboxExpectsNothingWithoutRoomOrAfterAnEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := broker.NewInbox(subscription(broker.Strict, 0, 0))
		b.ExpectRefills(nil)
		fill(b, "q0", 1)
		fill(b, "q1", 1)
		if got := taken(t, b, 2); !slices.Equal(got, []string{"q0:0", "q1:0"}) { // q0 has no room: its one is unsettled
			t.Errorf("took %v", got)
		}
		b.Drop() // a new session: nothing is known
		fill(b, "q1", 1)
		nothingYet(t, b, time.Millisecond)
		b.Close()
		if _, err := b.Take(t.Context()); !errors.Is(err, broker.ErrClosed) {
			t.Error(err)
		}
	})
}

func TestInboxServesTheUrgentOfAQueueFirst(t *testing.T) {
	t.Parallel()
	b := broker.NewInbox(subscription(broker.Strict, 0))
	b.ServeUrgentFirst()
	for i, priority := range []int{0, 5, 9, 5, 0, 9} {
		b.Put(&broker.Delivery{Queue: "q0", Count: i, Message: &task.Message{Options: task.Options{Priority: priority}}})
	}
	want := []string{"q0:2", "q0:5", "q0:1", "q0:3", "q0:0", "q0:4"}
	if got := taken(t, b, 6); !slices.Equal(got, want) {
		t.Errorf("took %v; want %v", got, want)
	}
}

// A server that stands still is not waited for anew with each settlement.
func TestInboxWaitsNoLongerForARefillBecauseMoreIsSettled(t *testing.T) {
	t.Parallel()
	for what, ask := range map[string]func(string, func()){"told": nil, "asking": func(string, func()) {}} {
		synctest.Test(t, func(t *testing.T) {
			s := subscription(broker.Strict, 0, 0)
			s.Prefetch = 1001
			b := broker.NewInbox(s)
			b.ExpectRefills(ask)
			fill(b, "q0", 1000)
			taken(t, b, 1000)
			fill(b, "q1", 1)
			begun := time.Now()
			go func() {
				for range 1000 {
					time.Sleep(1500 * time.Microsecond)
					b.Settled("q0")
				}
			}()
			got := taken(t, b, 1)
			if waited := time.Since(begun); got[0] != "q1:0" || waited < time.Second || waited > 1010*time.Millisecond {
				t.Errorf("%s: took %v after %v; want q1:0 after a second", what, got, waited)
			}
			b.Close()
			time.Sleep(time.Second)
		})
	}
}

func TestInboxExpectsMoreBesideWhatIsAsideUntilItCountsAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := broker.NewInbox(subscription(broker.Strict, 0, 0)) // prefetch 1
		b.ExpectRefills(nil)
		fill(b, "q1", 2)
		b.PutAside(&broker.Delivery{Queue: "q0", Message: &task.Message{}})
		got := taken(t, b, 1)
		nothingYet(t, b, 900*time.Millisecond) // there is room for another of q0
		begun := time.Now()
		b.Returned("q0")
		got = append(got, taken(t, b, 1)...) // and there is none now
		if waited := time.Since(begun); waited != 0 || !slices.Equal(got, []string{"q0:0", "q1:0"}) {
			t.Errorf("took %v, the last after %v", got, waited)
		}
		b.Settled("q0")
		nothingYet(t, b, 900*time.Millisecond)
		b.Close()
	})
}

func TestInboxAsksAnewWhenADeliveryCountsAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := subscription(broker.Strict, 0, 0)
		s.Prefetch = 2
		b := broker.NewInbox(s)
		asked := make(chan func(), 2)
		b.ExpectRefills(func(_ string, nothing func()) { asked <- nothing })
		b.PutAside(&broker.Delivery{Queue: "q0", Message: &task.Message{}})
		taken(t, b, 1)
		fill(b, "q1", 1)
		nothingYet(t, b, 3*time.Millisecond)
		stale := <-asked
		b.Returned("q0")
		stale()
		nothingYet(t, b, 3*time.Millisecond)
		(<-asked)()
		if got := taken(t, b, 1); got[0] != "q1:0" {
			t.Errorf("took %v", got)
		}
		b.Close()
	})
}

func TestInboxLosesNoRoomWithWhatIsRemovedAside(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := broker.NewInbox(subscription(broker.Strict, 0, 0)) // prefetch 1
		b.ExpectRefills(nil)
		fill(b, "q0", 1)
		taken(t, b, 1) // it is run, and takes the one room
		aside := &broker.Delivery{Queue: "q0", Message: &task.Message{}}
		b.PutAside(aside)
		if !b.RemoveAside(aside) || b.RemoveAside(aside) {
			t.Error("remove reports the wrong thing")
		}
		fill(b, "q1", 1)
		begun := time.Now()
		if got := taken(t, b, 1); got[0] != "q1:0" || time.Since(begun) != 0 {
			t.Errorf("took %v after %v; want q1:0 at once, there is no room for more of q0", got, time.Since(begun))
		}
		b.Close()
	})
}
