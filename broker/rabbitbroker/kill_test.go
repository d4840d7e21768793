package rabbitbroker

import (
	"context"
	"fmt"
	"testing"
	"time"

	"acklab/broker"
	"acklab/task"
)

const patience = 60 * time.Second

func within(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

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

func consume(t testing.TB, b *Broker, prefetch int, queues ...string) broker.Consumer {
	t.Helper()
	s := broker.Subscription{Prefetch: prefetch}
	for _, q := range queues {
		s.Sources = append(s.Sources, broker.Source{Queue: q})
	}
	c, err := b.Consume(within(t), s)
	if err != nil {
		t.Fatal(err)
	}
	return c
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

func TestProbeAfterKill(t *testing.T) {
	for _, typ := range []string{"classic", "quorum"} {
		for _, pause := range []time.Duration{0, 100 * time.Millisecond, 500 * time.Millisecond, 2 * time.Second} {
			r := startNode(t)
			u := r.URL("") + "?queue_type=" + typ
			b, _ := stocked(t, u, "virgin", 10, broker.Options{})
			_, _ = stocked(t, u, "acked", 10, broker.Options{})
			time.Sleep(2 * time.Second)
			c := consume(t, b, 10, "acked")
			for _, d := range receive(t, c, 10) {
				if err := d.Ack(within(t)); err != nil {
					t.Fatal(err)
				}
			}
			if err := c.Flush(within(t)); err != nil {
				t.Fatal(err)
			}
			time.Sleep(pause)
			r.Kill(within(t))
			if err := r.Boot(within(t)); err != nil {
				t.Fatal(err)
			}
			b2 := openURL(t, u, broker.Options{})
			c.Close(within(t))
			marked := 0
			vd, _ := b2.Depth(within(t), "virgin")
			if *vd.Ready == 10 {
				c2 := consume(t, b2, 10, "virgin")
				for _, d := range receive(t, c2, 10) {
					if d.Seen == broker.SeenAgain {
						marked++
					}
				}
				c2.Close(within(t))
			}
			d, err := b2.Depth(within(t), "acked")
			fmt.Println(typ, pause, "virgin", *vd.Ready, "marked", marked, "acked came back", *d.Ready, err)
			r.Close(within(t))
		}
	}
}
