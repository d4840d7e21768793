package rabbitbroker

import (
	"testing"

	"acklab/broker"
	"acklab/internal/server"
)

// killed kills the node and starts it again.
func killed(t testing.TB, r *server.Rabbit) {
	t.Helper()
	if err := r.Kill(within(t)); err != nil {
		t.Fatal(err)
	}
	if err := r.Boot(within(t)); err != nil {
		t.Fatal(err)
	}
}

func TestConfirmedMessagesSurviveAKilledNode(t *testing.T) {
	t.Parallel()
	r := startNode(t)
	_, sent := stocked(t, r.URL(""), "kept", 200, broker.Options{})
	settleYoungQueues(within(t), t, r)
	killed(t, r)
	wantHeld(t, openURL(t, r.URL(""), broker.Options{}), "kept", sent)
}

// A fact about RabbitMQ that this package's documentation states: a classic
// queue writes acknowledgements down some 100 ms later, so a node that is
// killed right after a Flush brings the messages back, marked.
func TestAKilledNodeForgetsTheLastAcksOfAClassicQueue(t *testing.T) {
	t.Parallel()
	r := startNode(t)
	b, sent := stocked(t, r.URL(""), "acked", 10, broker.Options{})
	settleYoungQueues(within(t), t, r)
	c := consume(t, b, 10, "acked")
	for _, d := range receive(t, c, len(sent)) {
		if err := d.Ack(within(t)); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Flush(within(t)); err != nil {
		t.Fatal(err)
	}
	if v, err := r.Queue(within(t), "acked"); err != nil || v.Ready+v.Unacked != 0 {
		t.Fatalf("after the flush the server says %+v, %v; want nothing", v, err)
	}
	killed(t, r)
	after := openURL(t, r.URL(""), broker.Options{})
	depth, err := after.Depth(within(t), "acked")
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d of %d acknowledged messages came back", *depth.Ready, len(sent))
	if *depth.Ready > 0 {
		again := consume(t, after, 10, "acked")
		for _, d := range receive(t, again, *depth.Ready) {
			if d.Seen != broker.SeenAgain {
				t.Errorf("message %s came back with mark %q", d.Message.ID, d.Seen)
			}
		}
	}
}

// Why Traits.Marks of classic queues is not "always".
func TestAKilledNodeMarksWhatNobodyHad(t *testing.T) {
	t.Parallel()
	for _, one := range []struct {
		queueType string
		marked    broker.Seen
	}{{"classic", broker.SeenAgain}, {"quorum", broker.SeenFirst}} {
		t.Run(one.queueType, func(t *testing.T) {
			t.Parallel()
			r := startNode(t)
			u := r.URL("") + "?queue_type=" + one.queueType
			_, sent := stocked(t, u, "untouched", 10, broker.Options{})
			settleYoungQueues(within(t), t, r)
			killed(t, r)
			c := consume(t, openURL(t, u, broker.Options{}), 10, "untouched")
			for _, d := range receive(t, c, len(sent)) {
				if d.Seen != one.marked {
					t.Errorf("message %s, never delivered before, is marked %q; want %q", d.Message.ID, d.Seen, one.marked)
				}
			}
		})
	}
}
