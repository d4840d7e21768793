package redisbroker

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"acklab/broker"
	"acklab/task"
)

// closing is a consumer with n deliveries that nobody has settled, and answers
// is how Redis answers what it gives back: one each pause, so many in all.
func closing(t *testing.T, n, answers int, pause time.Duration) *Consumer {
	b, err := Open(t.Context(), "redis://127.0.0.1:1/0", broker.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close(t.Context()) })
	c := b.newConsumer(broker.Subscription{Sources: []broker.Source{{Queue: "q"}}, Prefetch: n})
	for range n {
		h := &hold{c: c, source: c.sources[0]}
		h.delivery = &broker.Delivery{Queue: "q", Message: &task.Message{}, Settler: h}
		c.take(h, h.delivery.Message)
	}
	c.work.Go(func() {
		for range answers {
			time.Sleep(pause)
			c.mu.Lock()
			c.decided(c.desk.pending[0], nil)
			c.advance()
			c.mu.Unlock()
		}
	})
	return c
}

func TestACloseGoesOnAsLongAsRedisAnswersAndNoLonger(t *testing.T) {
	t.Parallel()
	t.Run("it answers", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			c := closing(t, 10, 10, 3*time.Second)
			began := time.Now()
			if err := c.Close(t.Context()); err != nil || time.Since(began) != 30*time.Second {
				t.Errorf("after %v: %v; want all given back after 30 s", time.Since(began), err)
			}
		})
	})
	t.Run("it ceases to", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			c := closing(t, 10, 4, 3*time.Second)
			began := time.Now()
			if err := c.Close(t.Context()); !errors.Is(err, broker.ErrUnsure) || time.Since(began) != 12*time.Second+cutAfter {
				t.Errorf("after %v: %v; want unsure %v after the last answer", time.Since(began), err, cutAfter)
			}
		})
	})
}
