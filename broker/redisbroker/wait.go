package redisbroker

import (
	"errors"
	"time"

	"github.com/redis/go-redis/v9"

	"acklab/broker/redisclient"
)

const (
	// blockFor is how long one question whether a list has messages waits for
	// one.
	blockFor = 10 * time.Second
	// askMin and askMax bound the pause between two looks where Redis does not
	// let us wait: it is older than 6.2, full, or read-only.
	askMin = 50 * time.Millisecond
	askMax = time.Second
)

// waiter waits for one list to have messages.
type waiter struct {
	source *source
	list   string
	armed  chan struct{} // a token: the last pop found nothing more
}

func (w *waiter) arm() {
	select {
	case w.armed <- struct{}{}:
	default:
	}
}

// wait has the exchange pop when a list has messages, whoever put them there.
// Moving the last message to where it is changes nothing, and Redis lets that
// wait until there is one.
func (s *session) wait(w *waiter) {
	var pause time.Duration
	var taken int64
	for {
		select {
		case <-w.armed:
		case <-s.life.Done():
			return
		}
		var err error = redis.Nil
		for errors.Is(err, redis.Nil) && s.life.Err() == nil {
			err = s.client.BLMove(s.life, w.list, w.list, "RIGHT", "RIGHT", blockFor).Err()
		}
		if err != nil {
			if s.life.Err() != nil || s.broken(err) {
				return
			}
			if now := w.source.taken.Load(); now != taken { // it is worth asking
				pause, taken = 0, now
			}
			pause = min(max(2*pause, askMin), askMax)
			if !redisclient.Rest(s.life, pause) {
				return
			}
		}
		s.c.wake(w.source)
	}
}

// wake has the exchange ask for messages of a source.
func (c *Consumer) wake(src *source) {
	c.mu.Lock()
	src.maybe = true
	c.mu.Unlock()
	c.ring()
}
