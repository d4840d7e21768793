package rabbitbroker

import (
	"context"
	"testing"
	"time"

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
		for _, d := range comeBack(t, r, again, "acked", *depth.Ready) {
			if d.Seen != broker.SeenAgain {
				t.Errorf("message %s came back with mark %q", d.Message.ID, d.Seen)
			}
		}
	}
}

// comeBack receives up to n messages, or fewer when the server says that no more are
// ready: what a node counts right after its crash it may not find when it is asked for
// it (seen once, with RabbitMQ 3.10.8).
func comeBack(t testing.TB, r *server.Rabbit, c broker.Consumer, queue string, n int) (back []*broker.Delivery) {
	t.Helper()
	for all := within(t); len(back) < n; {
		soon, cancel := context.WithTimeout(all, time.Second)
		d, err := c.Receive(soon)
		cancel()
		if err == nil {
			back = append(back, d)
			continue
		}
		v, unseen := r.Queue(within(t), queue)
		switch {
		case all.Err() != nil || soon.Err() == nil || unseen != nil:
			t.Fatalf("%d of %d came back: %v; the server says %+v, %v", len(back), n, err, v, unseen)
		case v.Ready == 0 && v.Unacked == len(back):
			t.Logf("%d of %d came back, and the server has no more", len(back), n)
			return back
		}
	}
	return back
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
