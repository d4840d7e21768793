package rabbitbroker

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"acklab/broker"
	"acklab/internal/server"
	"acklab/task"
)

// patience bounds every wait; it is a limit, never a pause.
const patience = 60 * time.Second

func within(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

var queues atomic.Int64

// queueName is a name that no other test uses.
func queueName() string { return fmt.Sprintf("test-%d", queues.Add(1)) }

func messages(t testing.TB, queue string, n int) []*task.Message {
	t.Helper()
	var msgs []*task.Message
	for i := range n {
		m, err := task.New("noop", task.Options{Queue: queue}, i)
		if err != nil {
			t.Fatal(err)
		}
		msgs = append(msgs, m)
	}
	return msgs
}

// stocked is a client with a declared queue that holds n confirmed messages.
func stocked(t testing.TB, rawURL, queue string, n int, o broker.Options) (*Broker, []*task.Message) {
	t.Helper()
	b := openURL(t, rawURL, o)
	if err := b.Declare(within(t), queue); err != nil {
		t.Fatal(err)
	}
	msgs := messages(t, queue, n)
	for _, err := range b.Publish(within(t), msgs...) {
		if err != nil {
			t.Fatal(err)
		}
	}
	return b, msgs
}

func consume(t testing.TB, b *Broker, prefetch int, queues ...string) *consumer {
	t.Helper()
	s := broker.Subscription{Prefetch: prefetch}
	for _, q := range queues {
		s.Sources = append(s.Sources, broker.Source{Queue: q})
	}
	c, err := b.Consume(within(t), s)
	if err != nil {
		t.Fatal(err)
	}
	return c.(*consumer)
}

func receive(t testing.TB, c broker.Consumer, n int) []*broker.Delivery {
	t.Helper()
	var ds []*broker.Delivery
	for range n {
		d, err := c.Receive(within(t))
		if err != nil {
			t.Fatal(err)
		}
		ds = append(ds, d)
	}
	return ds
}

// held is the census by message id.
func held(t testing.TB, b *Broker, queue string) map[string]broker.Held {
	t.Helper()
	all := map[string]broker.Held{}
	for h, err := range b.Census(within(t), queue) {
		if err != nil {
			t.Fatal(err)
		}
		if _, twice := all[h.Message.ID]; twice {
			t.Errorf("message %s is held twice", h.Message.ID)
		}
		all[h.Message.ID] = h
	}
	return all
}

func wantHeld(t testing.TB, b *Broker, queue string, want []*task.Message) {
	t.Helper()
	got := held(t, b, queue)
	for _, m := range want {
		if _, ok := got[m.ID]; !ok {
			t.Errorf("message %s is not held", m.ID)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d messages are held; want %d", len(got), len(want))
	}
}

// witness collects events and lets a test wait for them.
type witness struct {
	mu     sync.Mutex
	events []broker.Event
	news   chan struct{}
}

func newWitness() *witness { return &witness{news: make(chan struct{}, 1)} }

func (w *witness) observe(e broker.Event) {
	w.mu.Lock()
	w.events = append(w.events, e)
	w.mu.Unlock()
	select {
	case w.news <- struct{}{}:
	default:
	}
}

func (w *witness) of(kind broker.EventKind) []broker.Event {
	w.mu.Lock()
	defer w.mu.Unlock()
	var found []broker.Event
	for _, e := range w.events {
		if e.Kind == kind {
			found = append(found, e)
		}
	}
	return found
}

// await waits until n events of the kind were told.
func (w *witness) await(t testing.TB, kind broker.EventKind, n int) []broker.Event {
	t.Helper()
	ctx := within(t)
	for {
		if found := w.of(kind); len(found) >= n {
			return found
		}
		select {
		case <-w.news:
		case <-ctx.Done():
			t.Fatalf("%d events %q; want %d", len(w.of(kind)), kind, n)
		}
	}
}

// until waits until something is so that nobody announces.
func until(t testing.TB, what string, so func() bool) {
	t.Helper()
	ctx := within(t)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !so() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("it does not come about that %s", what)
		}
	}
}

// says tells whether the error's text holds all the words.
func says(err error, words ...string) bool {
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			return false
		}
	}
	return true
}

// settleYoungQueues has the node write down which queues it has. It keeps that
// in the log of mnesia, and for quorum queues in dets tables too, which reach
// the disk later: a node that is killed sooner has forgotten a classic queue
// with all that it had confirmed, and starts a quorum queue without its log
// and without a leader.
func settleYoungQueues(ctx context.Context, t testing.TB, r *server.Rabbit) {
	t.Helper()
	if out, err := r.Eval(ctx, "ok = mnesia:sync_log(), lists:foreach(fun dets:sync/1, dets:all())"); err != nil {
		t.Errorf("write down the queues: %s %v", out, err)
	}
}
