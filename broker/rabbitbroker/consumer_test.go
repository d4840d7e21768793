package rabbitbroker

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"acklab/broker"
	"acklab/task"
)

// both runs a test for classic and for quorum queues of the shared node.
func both(t *testing.T, test func(t *testing.T, rawURL string)) {
	for _, queueType := range []string{"classic", "quorum"} {
		t.Run(queueType, func(t *testing.T) {
			t.Parallel()
			test(t, calmNode(t).URL("")+"?queue_type="+queueType)
		})
	}
}

// reset ends a connection as a crash does: what the server had not read is
// gone, and so is what it wanted to say.
func reset(t testing.TB, l *link) {
	t.Helper()
	if err := l.sock.(*net.TCPConn).SetLinger(0); err != nil {
		t.Fatal(err)
	}
	l.abandon()
}

// The heart of Flush. A quorum queue's channel process keeps settlements back
// under load, so one round trip on the channel does not do there.
func TestAfterAFlushNoAckIsLostWithTheConsumer(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, rawURL string) {
		const n = 1000
		for range 5 {
			queue := queueName()
			b, _ := stocked(t, rawURL, queue, n, broker.Options{})
			c := consume(t, b, n, queue)
			ds := receive(t, c, n)
			for _, d := range ds[:n-1] {
				if err := d.Ack(within(t)); err != nil {
					t.Fatal(err)
				}
			}
			if err := c.Flush(within(t)); err != nil {
				t.Fatal(err)
			}
			c.end() // it shall not come back
			reset(t, c.session.link)
			<-c.done
			wantHeld(t, b, queue, []*task.Message{ds[n-1].Message})
		}
	})
}

func TestAFlushSaysUnsureOnceAfterASessionEndedWithUnflushedAcks(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, rawURL string) {
		queue, w := queueName(), newWitness()
		b, _ := stocked(t, rawURL, queue, 4, broker.Options{Observe: w.observe})
		c := consume(t, b, 1, queue)
		if err := receive(t, c, 1)[0].Ack(within(t)); err != nil {
			t.Fatal(err)
		}
		reset(t, c.session.link)
		w.await(t, broker.Lost, 1)
		if err := c.Flush(within(t)); !errors.Is(err, broker.ErrUnsure) {
			t.Errorf("flush after the session of an ack was lost: %v; want unsure", err)
		}
		d := receive(t, c, 1)[0]
		if d.Session != 2 {
			t.Errorf("session %d; want 2", d.Session)
		}
		if err := d.Ack(within(t)); err != nil {
			t.Fatal(err)
		}
		if err := c.Flush(within(t)); err != nil {
			t.Errorf("flush in the next session: %v", err)
		}
		reset(t, c.standing().link)
		w.await(t, broker.Lost, 2)
		if err := c.Flush(within(t)); err != nil {
			t.Errorf("flush after a session was lost that had flushed everything: %v", err)
		}
	})
}

func TestManyFlushesAtOnceShareRoundTripsAndAllAreTrue(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, rawURL string) {
		const n = 200
		queue := queueName()
		b, _ := stocked(t, rawURL, queue, n, broker.Options{})
		c := consume(t, b, n, queue)
		ds := receive(t, c, n)
		errs := make(chan error, n)
		for _, d := range ds {
			go func() { errs <- errors.Join(d.Ack(within(t)), c.Flush(within(t))) }()
		}
		for range n {
			if err := <-errs; err != nil {
				t.Error(err)
			}
		}
		c.session.mu.Lock()
		rounds := c.session.ledger.rounds
		c.session.mu.Unlock()
		if rounds >= n {
			t.Errorf("%d rounds for %d flushes", rounds, n)
		}
		t.Logf("%d rounds for %d flushes", rounds, n)
	})
}

// A delivery that was in hand when its session ended is never settled on the
// next one, where its tag belongs to another message.
func TestAnOldTagIsNeverSentOnANewChannel(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, rawURL string) {
		queue, w := queueName(), newWitness()
		b, sent := stocked(t, rawURL, queue, 5, broker.Options{Observe: w.observe})
		c := consume(t, b, 5, queue)
		old := receive(t, c, 5)
		reset(t, c.session.link)
		fresh := receive(t, c, 5)
		for i, settle := range []func(context.Context) error{
			old[0].Ack, old[1].Requeue, old[2].Ack, old[3].Requeue,
			func(ctx context.Context) error { return old[4].Reject(ctx, "late") },
		} {
			if err := settle(within(t)); !errors.Is(err, broker.ErrStale) {
				t.Errorf("settlement %d of an old session: %v; want stale", i, err)
			}
		}
		if n := len(w.of(broker.Stale)); n != 5 {
			t.Errorf("%d stale settlements were told; want 5", n)
		}
		for _, d := range fresh {
			if d.Session != 2 || d.Seen != broker.SeenAgain {
				t.Errorf("message %s came again in session %d with mark %q", d.Message.ID, d.Session, d.Seen)
			}
		}
		if err := c.Close(within(t)); err != nil {
			t.Fatal(err)
		}
		wantHeld(t, b, queue, sent)
	})
}

func TestADeletedQueueIsToldAndConsumedAgainWhenItIsBack(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, rawURL string) {
		gone, other, w := queueName(), queueName(), newWitness()
		b, _ := stocked(t, rawURL, gone, 0, broker.Options{Observe: w.observe})
		stocked(t, rawURL, other, 1, broker.Options{})
		c := consume(t, b, 10, gone, other)
		receive(t, c, 1)
		if err := calmNode(t).DeleteQueue(within(t), gone); err != nil {
			t.Fatal(err)
		}
		if e := w.await(t, broker.Unconsumed, 1)[0]; e.Queue != gone || e.Err == nil {
			t.Errorf("told %+v; want queue %s with a reason", e, gone)
		}
		_, sent := stocked(t, rawURL, gone, 1, broker.Options{})
		if d := receive(t, c, 1)[0]; d.Message.ID != sent[0].ID || d.Session != 1 {
			t.Errorf("received %s in session %d; want %s in the same session", d.Message.ID, d.Session, sent[0].ID)
		}
	})
}

func TestAConsumerComesBackAlsoWhenAQueueIsMissingThen(t *testing.T) {
	t.Parallel()
	gone, other, w := queueName(), queueName(), newWitness()
	r := calmNode(t)
	b, _ := stocked(t, r.URL(""), gone, 0, broker.Options{Observe: w.observe})
	_, sent := stocked(t, r.URL(""), other, 1, broker.Options{})
	c := consume(t, b, 10, gone, other)
	receive(t, c, 1)
	if err := r.DeleteQueue(within(t), gone); err != nil {
		t.Fatal(err)
	}
	w.await(t, broker.Unconsumed, 1)
	reset(t, c.session.link)
	if d := receive(t, c, 1)[0]; d.Message.ID != sent[0].ID || d.Session != 2 {
		t.Errorf("received %s in session %d; want %s in session 2", d.Message.ID, d.Session, sent[0].ID)
	}
	w.await(t, broker.Unconsumed, 2)
	if err := b.Declare(within(t), gone); err != nil {
		t.Fatal(err)
	}
	if errs := b.Publish(within(t), messages(t, gone, 1)...); errs[0] != nil {
		t.Fatal(errs[0])
	}
	receive(t, c, 1)
}

func TestRejectWithoutADeadLetterQueueRequeuesAndSaysWhy(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, rawURL string) {
		queue := queueName()
		b, sent := stocked(t, rawURL, queue, 1, broker.Options{})
		if err := calmNode(t).DeleteQueue(within(t), queue+deadSuffix); err != nil {
			t.Fatal(err)
		}
		c := consume(t, b, 1, queue)
		d := receive(t, c, 1)[0]
		if err := d.Reject(within(t), "because"); !errors.Is(err, broker.ErrRefused) {
			t.Errorf("reject without a dead letter queue: %v; want a refusal", err)
		}
		if again := receive(t, c, 1)[0]; again.Message.ID != sent[0].ID || again.Seen != broker.SeenAgain {
			t.Errorf("received %s, %s", again.Message.ID, again.Seen)
		}
	})
}

func TestADeadLetterKeepsItsHistory(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, rawURL string) {
		queue := queueName()
		b, sent := stocked(t, rawURL, queue, 1, broker.Options{})
		// The dead letter queue has no dead letters of its own: make them.
		if err := b.Declare(within(t), queue+deadSuffix); err != nil {
			t.Fatal(err)
		}
		for i, q := range []string{queue, queue + deadSuffix} {
			c := consume(t, b, 1, q)
			d := receive(t, c, 1)[0]
			if d.Message.Extra != nil {
				t.Errorf("the message carries %v", d.Message.Extra)
			}
			if err := d.Reject(within(t), []string{"first", "second"}[i]); err != nil {
				t.Fatal(err)
			}
			if err := c.Close(within(t)); err != nil {
				t.Fatal(err)
			}
		}
		h := held(t, b, queue+deadSuffix)[sent[0].ID]
		if h.State != broker.Dead || h.Reason != "second" {
			t.Errorf("held %+v; want it dead, because second", h)
		}
		r, err := b.newReader(within(t), queue+deadSuffix+deadSuffix)
		if err != nil {
			t.Fatal(err)
		}
		defer r.close(within(t))
		raw, err := r.next(within(t))
		if err != nil || raw == nil {
			t.Fatal(raw, err)
		}
		if history, _ := raw.Headers[historyHeader].([]any); len(history) != 2 {
			t.Errorf("history %v; want two entries", history)
		}
	})
}

func TestASubscriptionThatAMQPCannotExpressIsRefused(t *testing.T) {
	t.Parallel()
	b := openURL(t, calmNode(t).URL(""), broker.Options{})
	for name, s := range map[string]broker.Subscription{
		"no queue":            {Prefetch: 1},
		"a huge prefetch":     {Sources: []broker.Source{{Queue: "q"}}, Prefetch: 65536},
		"the server's name":   {Sources: []broker.Source{{Queue: "amq.gen"}}, Prefetch: 1},
		"prefetch of zero":    {Sources: []broker.Source{{Queue: "q"}}},
		"a queue that is not": {Sources: []broker.Source{{Queue: "no-such-queue"}}, Prefetch: 1},
	} {
		if _, err := b.Consume(within(t), s); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestTheTraitsNameTheServersVersionAfterAConnection(t *testing.T) {
	t.Parallel()
	b := openURL(t, calmNode(t).URL(""), broker.Options{})
	if v := b.Traits().Version; v != "" {
		t.Errorf("version %q before a connection", v)
	}
	if err := b.Declare(within(t), queueName()); err != nil {
		t.Fatal(err)
	}
	if got, want := b.Traits().Version, calmNode(t).Version(within(t)); got != want {
		t.Errorf("version %q; want %q", got, want)
	}
}

func TestADeclarationThatContradictsTheQueueNamesIt(t *testing.T) {
	t.Parallel()
	queue := queueName()
	stocked(t, calmNode(t).URL(""), queue, 0, broker.Options{})
	b := openURL(t, calmNode(t).URL("")+"?queue_type=quorum", broker.Options{})
	if err := b.Declare(within(t), queue); err == nil || !says(err, queue, "other properties", "x-queue-type") {
		t.Errorf("declare a classic queue as quorum queue: %v", err)
	}
}

func TestClosingIsBoundedByItsContextOnAFrozenServer(t *testing.T) {
	t.Parallel()
	r := startNode(t)
	queue := queueName()
	b, _ := stocked(t, r.URL(""), queue, 10, broker.Options{})
	c := consume(t, b, 10, queue)
	receive(t, c, 3)
	if err := r.Freeze(within(t)); err != nil {
		t.Fatal(err)
	}
	for name, close := range map[string]func(context.Context) error{"consumer": c.Close, "broker": b.Close} {
		ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
		done := make(chan error, 1)
		go func() { done <- close(ctx) }()
		select {
		case err := <-done:
			t.Logf("close the %s: %v", name, err)
		case <-within(t).Done():
			t.Errorf("closing the %s hangs", name)
		}
		cancel()
	}
	if err := r.Thaw(within(t)); err != nil {
		t.Fatal(err)
	}
}
