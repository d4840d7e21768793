package broker_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"acklab/broker"
	"acklab/task"
)

func subscription(o broker.Order, weights ...int) broker.Subscription {
	s := broker.Subscription{Order: o, Prefetch: 1}
	for i, w := range weights {
		s.Sources = append(s.Sources, broker.Source{Queue: fmt.Sprintf("q%d", i), Weight: w})
	}
	return s
}

func fill(b *broker.Inbox, queue string, n int) {
	for i := range n {
		b.Put(&broker.Delivery{Queue: queue, Count: i, Message: &task.Message{}})
	}
}

// taken takes n deliveries and joins their queues' names and numbers.
func taken(t *testing.T, b *broker.Inbox, n int) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	var all []string
	for range n {
		d, err := b.Take(ctx)
		if err != nil {
			t.Fatalf("take: %v", err)
		}
		all = append(all, fmt.Sprintf("%s:%d", d.Queue, d.Count))
	}
	return all
}

func TestInboxStrictEmptiesTheFirstQueueFirstAndKeepsOrderInEach(t *testing.T) {
	t.Parallel()
	b := broker.NewInbox(subscription("", 0, 0))
	fill(b, "q1", 2)
	fill(b, "q0", 3)
	want := []string{"q0:0", "q0:1", "q0:2", "q1:0", "q1:1"}
	if got := taken(t, b, 5); !slices.Equal(got, want) {
		t.Errorf("took %v; want %v", got, want)
	}
}

func TestInboxStrictLetsALateDeliveryOfAnEarlyQueuePass(t *testing.T) {
	t.Parallel()
	b := broker.NewInbox(subscription(broker.Strict, 0, 0))
	fill(b, "q1", 2)
	first := taken(t, b, 1)
	fill(b, "q0", 1)
	want := []string{"q1:0", "q0:0", "q1:1"}
	if got := append(first, taken(t, b, 2)...); !slices.Equal(got, want) {
		t.Errorf("took %v; want %v", got, want)
	}
}

func TestInboxWeightedInterleavesSmoothly(t *testing.T) {
	t.Parallel()
	b := broker.NewInbox(subscription(broker.Weighted, 5, 1, 1))
	for i := range 3 {
		fill(b, fmt.Sprintf("q%d", i), 20)
	}
	want := []string{"q0:0", "q0:1", "q1:0", "q0:2", "q2:0", "q0:3", "q0:4"} // as nginx's smooth weighted round robin
	if got := taken(t, b, 7); !slices.Equal(got, want) {
		t.Errorf("took %v; want %v", got, want)
	}
}

func TestInboxWeightedGivesAnIdleQueuesShareToTheOthers(t *testing.T) {
	t.Parallel()
	b := broker.NewInbox(subscription(broker.Weighted, 9, 1))
	fill(b, "q1", 4)
	if got := taken(t, b, 4); len(got) != 4 {
		t.Errorf("took %v", got)
	}
	fill(b, "q0", 20)
	fill(b, "q1", 20)
	count := map[string]int{}
	for _, name := range taken(t, b, 20) {
		count[name[:2]]++
	}
	if count["q0"] != 18 || count["q1"] != 2 {
		t.Errorf("of 20 the queues of weight 9 and 1 gave %v", count)
	}
}

func TestInboxWeightZeroIsReadAsOne(t *testing.T) {
	t.Parallel()
	b := broker.NewInbox(subscription(broker.Weighted, 0, 0))
	fill(b, "q0", 2)
	fill(b, "q1", 2)
	want := []string{"q0:0", "q1:0", "q0:1", "q1:1"}
	if got := taken(t, b, 4); !slices.Equal(got, want) {
		t.Errorf("took %v; want %v", got, want)
	}
}

func TestInboxTakeEndsWithItsContext(t *testing.T) {
	t.Parallel()
	b := broker.NewInbox(subscription("", 0))
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if _, err := b.Take(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

func TestInboxCloseEndsEveryTakeAndReturnsWhatIsHeld(t *testing.T) {
	t.Parallel()
	b := broker.NewInbox(subscription("", 0, 0))
	errs := make(chan error)
	for range 4 {
		go func() {
			_, err := b.Take(t.Context())
			errs <- err
		}()
	}
	if held := b.Close(); len(held) != 0 {
		t.Errorf("an empty inbox held %d", len(held))
	}
	for range 4 {
		if err := <-errs; !errors.Is(err, broker.ErrClosed) {
			t.Errorf("take: %v", err)
		}
	}
	full := broker.NewInbox(subscription("", 0, 0))
	fill(full, "q0", 2)
	fill(full, "q1", 1)
	if held := full.Close(); len(held) != 3 {
		t.Errorf("close returned %d; want 3", len(held))
	}
	for range 20 { // whatever select chooses
		if d, err := full.Take(t.Context()); !errors.Is(err, broker.ErrClosed) {
			t.Fatalf("take after close: %v, %v", d, err)
		}
	}
	if full.Put(&broker.Delivery{Queue: "q0"}) {
		t.Error("a closed inbox takes deliveries")
	}
	if held := full.Close(); len(held) != 0 {
		t.Errorf("a second close returned %d", len(held))
	}
}

func TestInboxDropEmptiesAndGoesOn(t *testing.T) {
	t.Parallel()
	b := broker.NewInbox(subscription("", 0, 0))
	fill(b, "q0", 2)
	fill(b, "q1", 3)
	if dropped := b.Drop(); len(dropped) != 5 {
		t.Errorf("dropped %d; want 5", len(dropped))
	}
	fill(b, "q1", 1)
	if got := taken(t, b, 1); got[0] != "q1:0" {
		t.Errorf("took %v", got)
	}
}

func TestInboxRemoveTakesOutOneThatIsStillHeld(t *testing.T) {
	t.Parallel()
	b := broker.NewInbox(subscription("", 0))
	ds := []*broker.Delivery{{Queue: "q0", Count: 0}, {Queue: "q0", Count: 1}, {Queue: "q0", Count: 2}}
	for _, d := range ds {
		b.Put(d)
	}
	if !b.Remove(ds[1]) || b.Remove(ds[1]) {
		t.Error("remove reports the wrong thing")
	}
	if got := taken(t, b, 2); !slices.Equal(got, []string{"q0:0", "q0:2"}) {
		t.Errorf("took %v", got)
	}
	if b.Remove(ds[0]) {
		t.Error("what was taken could be removed")
	}
}

func TestInboxWithManyTakersLosesAndRepeatsNothing(t *testing.T) {
	t.Parallel()
	b := broker.NewInbox(subscription(broker.Weighted, 3, 1))
	const n = 2000
	var mu sync.Mutex
	seen := map[*broker.Delivery]int{}
	var takers sync.WaitGroup
	left := make(chan struct{}, n)
	for range 8 {
		takers.Go(func() {
			for {
				d, err := b.Take(t.Context())
				if err != nil {
					return
				}
				mu.Lock()
				seen[d]++
				mu.Unlock()
				left <- struct{}{}
			}
		})
	}
	var putters sync.WaitGroup
	for i := range 4 {
		putters.Go(func() { fill(b, fmt.Sprintf("q%d", i%2), n/4) })
	}
	putters.Wait()
	deadline := time.After(30 * time.Second)
	for i := range n {
		select {
		case <-left:
		case <-deadline:
			t.Fatalf("%d of %d were taken", i, n)
		}
	}
	b.Close()
	takers.Wait()
	for d, times := range seen {
		if times != 1 {
			t.Errorf("a delivery of %s was taken %d times", d.Queue, times)
		}
	}
}
