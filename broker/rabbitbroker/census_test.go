package rabbitbroker

import (
	"context"
	"errors"
	"testing"
	"time"

	"acklab/broker"
)

func TestACensusCanBeRepeatedAndBroken(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, rawURL string) {
		queue := queueName()
		b, sent := stocked(t, rawURL, queue, 20, broker.Options{})
		for range 3 {
			wantHeld(t, b, queue, sent)
			for range b.Census(within(t), queue) {
				break // what was read goes back
			}
		}
		if depth, err := b.Depth(within(t), queue); err != nil || *depth.Ready != 20 {
			t.Errorf("depth %v, %v; want 20 ready", depth, err)
		}
	})
}

func TestACensusBesideAnybodyElseIsAnError(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, rawURL string) {
		queue := queueName()
		b, _ := stocked(t, rawURL, queue, 3, broker.Options{})
		c := consume(t, b, 1, queue)
		receive(t, c, 1)
		if err := censusError(t, b, queue); err == nil {
			t.Error("a census beside a consumer says it is complete")
		}
	})
}

// A quorum queue counts those who hold its messages, so it shows even one
// that has stopped consuming. A classic queue does not: Traits.SeesUnacked.
func TestACensusOfAQuorumQueueSeesThatSomebodyHoldsAMessage(t *testing.T) {
	t.Parallel()
	queue := queueName()
	b, _ := stocked(t, calmNode(t).URL("")+"?queue_type=quorum", queue, 3, broker.Options{})
	c := consume(t, b, 1, queue)
	receive(t, c, 1)
	if err := c.Stop(within(t)); err != nil {
		t.Fatal(err)
	}
	if err := censusError(t, b, queue); err == nil {
		t.Error("a census beside a held message says it is complete")
	}
}

func TestAQueueThatDoesNotExistHoldsNothing(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, rawURL string) {
		b := openURL(t, rawURL, broker.Options{})
		if n := len(held(t, b, "no-such-queue")); n != 0 {
			t.Errorf("%d messages are held by a queue that does not exist", n)
		}
		if _, err := b.Depth(within(t), "no-such-queue"); !errors.Is(err, broker.ErrUnknownQueue) {
			t.Errorf("depth of a queue that does not exist: %v", err)
		}
	})
}

// RabbitMQ says "0 messages" of a quorum queue without a leader.
func TestAQueueWithoutALeaderIsAnErrorAndNotEmpty(t *testing.T) {
	t.Parallel()
	r := startNode(t)
	queue := queueName()
	b, _ := stocked(t, r.URL("")+"?queue_type=quorum", queue, 5, broker.Options{})
	stop := `{ok, Q} = rabbit_amqqueue:lookup(rabbit_misc:r(<<"/">>, queue, <<"` + queue + `">>)), ra:stop_server(quorum_queues, amqqueue:get_pid(Q))`
	if out, err := r.Eval(within(t), stop); err != nil || out != "ok" {
		t.Fatalf("stop the queue's leader: %s %v", out, err)
	}
	if depth, err := b.Depth(within(t), queue); err == nil {
		t.Errorf("depth of a queue without a leader: %d ready", *depth.Ready)
	} else {
		t.Logf("depth: %v", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	var got error
	for _, err := range b.Census(ctx, queue) {
		got = err
	}
	if got == nil {
		t.Error("a census of a queue without a leader says it is complete")
	}
	t.Logf("census: %v", got)
}

func censusError(t testing.TB, b *Broker, queue string) error {
	t.Helper()
	for _, err := range b.Census(within(t), queue) {
		if err != nil {
			return err
		}
	}
	return nil
}
