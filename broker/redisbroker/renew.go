package redisbroker

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"acklab/broker"
)

// clock is how far the server's clock is ahead of ours: the scores of claims are
// the server's time. Only the exchange uses it.
type clock struct {
	ahead time.Duration
	error time.Duration // the round trip in which it was read
	read  time.Time
}

// clockStays is how long a better reading of the clock is kept.
const clockStays = time.Minute

// heed reads the server's time from a score that it gave between two moments
// of ours. The shortest round trip tells it best: an answer may be seconds old.
func (k *clock) heed(score string, asked, answered time.Time) {
	trip := answered.Sub(asked)
	if !k.read.IsZero() && trip > k.error && answered.Sub(k.read) < clockStays {
		return
	}
	seconds, err := strconv.ParseFloat(score, 64)
	if err != nil {
		return
	}
	then := asked.Add(trip / 2).UnixNano()
	k.ahead, k.error, k.read = time.Duration(int64(math.Round(seconds*1e6))*1e3-then), trip, answered
}

// score is a moment of ours as a score: seconds since 1970, with microseconds.
func (k *clock) score(at time.Time) string {
	us := at.Add(k.ahead).UnixMicro()
	return fmt.Sprintf("%d.%06d", us/1e6, us%1e6)
}

// renewals are the claims to be renewed and the moment from which they count
// anew. Where the answer to the last renewal was lost, that one is repeated
// first, so that there are never more than two scores a claim can have. The
// lock is held.
func (c *Consumer) renewals(now time.Time) ([]*hold, time.Time) {
	all := c.holds.all()
	if c.doubt.IsZero() {
		return all, now
	}
	var doubtful []*hold
	for _, h := range all {
		if h.other != "" {
			doubtful = append(doubtful, h)
		}
	}
	if len(doubtful) == 0 {
		c.doubt = time.Time{}
		return all, now
	}
	return doubtful, c.doubt
}

// renewedBy notes the new leases, and drops what has been given to others.
func (t *trade) renewedBy(n *turn) {
	if n.renewal == nil {
		return
	}
	c := t.c
	score := c.clock.score(n.renewed)
	answer, err := n.renewal.Slice()
	if err != nil {
		t.renew = time.Now() // after the pause that follows an error
		var reply redis.Error
		if errors.As(err, &reply) {
			return
		}
		c.doubt = n.renewed
		for _, h := range n.renew {
			h.other = score // it may have been processed
		}
		return
	}
	if !c.doubt.IsZero() {
		c.doubt, t.renew = time.Time{}, time.Now()
	}
	gone := map[int]bool{}
	for _, one := range answer {
		at, _ := one.(int64)
		gone[int(at)] = true
	}
	lease := n.renewed.Add(c.broker.address.visibility).UnixNano()
	for i, h := range n.renew {
		if !gone[i] {
			h.score, h.other = score, ""
			h.lease.Store(lease)
			continue
		}
		h.lease.Store(0) // a settlement is to ask and wait
		if c.inbox.Remove(h.delivery) && h.delivery.Abandon() {
			c.mu.Lock()
			c.letGo(h)
			c.mu.Unlock()
			c.tell(broker.Dropped, h)
		}
	}
}
