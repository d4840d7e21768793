package celery_test

import (
	"context"
	"encoding/json"
	"slices"
	"testing"

	"acklab/broker"
	"acklab/internal/celery"
	"acklab/internal/connect"
	"acklab/internal/ledger"
	"acklab/task"
)

// mixture has far-apart neighbours; no two are of one level where only steps are
// told apart, but for those that are equal.
var mixture = []int{0, 9, 3, 6, 9, 0, 6, 3}

// prioritized is a client of the bench with priorities, and a queue of its.
func (b *bench) prioritized(t *testing.T) (client broker.Broker, queue string) {
	t.Helper()
	client, err := connect.Open(t.Context(), b.url+"?priority=on", broker.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close(context.Background()) })
	queue = "urgent-" + t.Name()
	if err := client.Declare(t.Context(), queue); err != nil {
		t.Fatal(err)
	}
	return client, queue
}

func TestOurPrioritiesAreServedByCeleryInOurDirection(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		client, queue := b.prioritized(t)
		priorities := map[string]int{}
		for _, p := range mixture {
			m := message(t, "noop")
			m.Queue, m.Priority = queue, p
			priorities[m.TaskID] = p
			if err := client.Publish(t.Context(), m)[0]; err != nil {
				t.Fatal(err)
			}
		}
		w := b.startAt(t, b.url+"?priority=on", queue, celery.Options{Pool: celery.Solo, AcksLate: true, Multiplier: len(mixture)}) // with 1 it waits for its loop after each
		w.await(ledger.Finished, len(mixture))
		var got []int
		for _, l := range w.stop().Lines {
			if l.Event == ledger.Started {
				got = append(got, priorities[l.Task])
			}
		}
		if want := []int{9, 9, 6, 6, 3, 3, 0, 0}; !slices.Equal(got, want) {
			t.Errorf("Celery's worker ran priorities %v; want %v", got, want)
		}
	})
}

// TestCelerysPrioritiesAreServedAsItsOwnWorkerWould: on RabbitMQ the larger
// first, on Redis the smaller.
func TestCelerysPrioritiesAreServedAsItsOwnWorkerWould(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		client, queue := b.prioritized(t)
		var orders []order
		for _, p := range mixture {
			orders = append(orders, order{Task: "add", Args: []any{p, 0}, Options: map[string]any{"priority": p}})
		}
		b.sendAt(t, b.url+"?priority=on", queue, "", orders...)
		c, err := client.Consume(t.Context(), broker.Subscription{Sources: []broker.Source{{Queue: queue}}, Prefetch: 1})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close(context.Background())
		var got []int
		for range mixture {
			d, err := c.Receive(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			var p int
			if err := json.Unmarshal(d.Message.Args[0], &p); err != nil {
				t.Fatal(err)
			}
			if ours := p; b.redis != nil && d.Message.Priority != task.MaxPriority-ours || b.redis == nil && d.Message.Priority != ours {
				t.Errorf("Celery's priority %d is our %d", p, d.Message.Priority)
			}
			got = append(got, p)
			if err := d.Ack(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		want := []int{9, 9, 6, 6, 3, 3, 0, 0}
		if b.redis != nil {
			slices.Reverse(want)
		}
		if !slices.Equal(got, want) {
			t.Errorf("received %v; want %v", got, want)
		}
	})
}

// TestWithoutPrioritiesNothingChangesBesideCelery: a message without a priority is
// where Celery puts it, and both keep their order.
func TestWithoutPrioritiesNothingChangesBesideCelery(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		client, err := connect.Open(t.Context(), b.url, broker.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close(context.Background())
		const queue = "plain"
		if err := client.Declare(t.Context(), queue); err != nil {
			t.Fatal(err)
		}
		var want []string
		for range 2 {
			answers, _ := b.send(t, queue, "", order{Task: "noop"})
			m := message(t, "noop")
			m.Queue = queue
			if err := client.Publish(t.Context(), m)[0]; err != nil {
				t.Fatal(err)
			}
			want = append(want, answers[0].ID, m.TaskID)
		}
		c, err := client.Consume(t.Context(), broker.Subscription{Sources: []broker.Source{{Queue: queue}}, Prefetch: 10})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close(context.Background())
		for i, id := range want {
			d, err := c.Receive(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if d.Message.TaskID != id || d.Message.Priority != 0 {
				t.Errorf("delivery %d is %s with priority %d; want %s", i, d.Message.TaskID, d.Message.Priority, id)
			}
		}
	})
}
