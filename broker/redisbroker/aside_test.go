package redisbroker_test

import (
	"testing"
	"time"

	"acklab/broker"
	"acklab/internal/server"
	"acklab/internal/server/servertest"
	"acklab/task"
)

// What a worker holds until its ETA leaves its room to another, and the order
// among queues holds beside it.
func TestAStrictOrderHoldsBesideADeliveryThatIsHeldUntilItsETA(t *testing.T) {
	t.Parallel()
	const each = 12
	b := open(t, servertest.Redis(t, server.RedisOptions{}).Addr(), "", broker.Options{})
	for range each {
		confirm(t, b, message(t, "low"))
	}
	later, err := task.New("noop", task.Options{Queue: "high", ETA: time.Now().Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	confirm(t, b, later)
	for range each {
		confirm(t, b, message(t, "high"))
	}
	c, err := b.Consume(within(t, patience), broker.Subscription{
		Order: broker.Strict, Prefetch: 1, Sources: []broker.Source{{Queue: "high"}, {Queue: "low"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(within(t, patience)) })
	held := receive(t, c)
	if held.Message.ID != later.ID {
		t.Fatalf("received %s first; want the one with an ETA, %s", held.Message.ID, later.ID)
	}
	for i := range 2 * each {
		d := receive(t, c)
		if want := []string{"high", "low"}[i/each]; d.Queue != want {
			t.Fatalf("delivery %d came from %s, want %s", i, d.Queue, want)
		}
		if err := d.Ack(within(t, patience)); err != nil {
			t.Fatal(err)
		}
	}
}
