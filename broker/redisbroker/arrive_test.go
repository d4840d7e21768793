package redisbroker

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/redis/go-redis/v9"

	"acklab/broker"
	"acklab/task"
)

// held is a consumer with a prefetch of 1 of "high", before "low", and a hold of
// high that was handed out and does not count until its ETA, in an hour.
func held(t *testing.T) (*Consumer, *hold) {
	t.Helper()
	s := broker.Subscription{Order: broker.Strict, Prefetch: 1, Sources: []broker.Source{{Queue: "high"}, {Queue: "low"}}}
	c := &Consumer{broker: &Broker{}, inbox: broker.NewInbox(s)}
	c.inbox.ExpectRefills(nil)
	c.holds.init()
	m := &task.Message{Options: task.Options{ETA: time.Now().Add(time.Hour)}}
	h := &hold{c: c, source: &source{queue: "high", held: 1}}
	h.delivery = &broker.Delivery{Queue: "high", Message: m, Settler: h}
	if c.take(h, m) {
		t.Fatal("it counts before its ETA")
	}
	c.inbox.PutAside(h.delivery)
	if d, err := c.Receive(t.Context()); err != nil || d != h.delivery {
		t.Fatal(d, err)
	}
	return c, h
}

// waits is for how long one of low is kept waiting for more of high.
func waits(t *testing.T, c *Consumer) time.Duration {
	t.Helper()
	c.inbox.Put(&broker.Delivery{Queue: "low", Message: &task.Message{}})
	begun := time.Now()
	if d, err := c.Receive(t.Context()); err != nil || d.Queue != "low" {
		t.Fatal(d, err)
	}
	return time.Since(begun)
}

func TestWhatIsHeldUntilItsETATakesNoRoomAlsoWhenItsClaimIsGone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, h := held(t)
		n := &turn{renewal: redis.NewCmd(t.Context())}
		n.renewal.SetVal([]any{int64(0)}) // another has it
		n.renew, n.renewed = c.renewals(time.Now())
		tr := &trade{session: &session{c: c}}
		tr.renewedBy(n)
		if got := waits(t, c); got != time.Second {
			t.Errorf("low waited %v; want a second, for high has room", got)
		}
		time.Sleep(2 * time.Hour) // it counts now
		if got := waits(t, c); got != 0 || h.source.held != 1 {
			t.Errorf("low waited %v, and high holds %d; want 0 and 1", got, h.source.held)
		}
	})
}

func TestASettlementOfWhatIsHeldUntilItsETAMakesNoRoom(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, h := held(t)
		c.inbox.Put(&broker.Delivery{Queue: "high", Message: &task.Message{}})
		if d, err := c.Receive(t.Context()); err != nil || d.Queue != "high" {
			t.Fatal(d, err)
		}
		c.hand(h, requeued, true)
		if got := waits(t, c); got != 0 || h.source.held != 0 {
			t.Errorf("low waited %v, and of high %d are held by the hold's count; want 0 and 0", got, h.source.held)
		}
	})
}

func TestWhatIsRemovedBeforeItsETALeavesNoTrace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, h := held(t)
		other := &hold{c: c, source: h.source}
		h.source.held++
		other.delivery = &broker.Delivery{Queue: "high", Message: h.delivery.Message, Settler: other}
		c.take(other, other.delivery.Message)
		c.inbox.PutAside(other.delivery)
		if !c.withdraw(other) || c.withdraw(other) || c.withdraw(h) {
			t.Error("withdraw reports the wrong thing")
		}
		time.Sleep(2 * time.Hour)
		if got := waits(t, c); got != 0 || h.source.held != 1 {
			t.Errorf("low waited %v, and high holds %d; want 0 and the one", got, h.source.held)
		}
	})
}
