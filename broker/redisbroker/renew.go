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

// renewal is what a claim is renewed to: a moment of ours, and the score for it,
// by what the clock said when it was first sent.
type renewal struct {
	at    time.Time
	score string
}

// renewals are the claims to be renewed and what to. Where the answer to the
// last renewal was lost, that one is repeated first, word for word: a claim can
// then have two scores and never more. Its score is not reckoned anew, for the
// clock may have been read again meanwhile: the claim could then have a third
// one, and would be taken for somebody else's. The lock is held.
func (c *Consumer) renewals(now time.Time) ([]*hold, renewal) {
	all, anew := c.holds.all(), renewal{now, c.clock.score(now)}
	if c.doubt.at.IsZero() {
		return all, anew
	}
	var doubtful []*hold
	for _, h := range all {
		if h.other != "" {
			doubtful = append(doubtful, h)
		}
	}
	if len(doubtful) == 0 {
		c.doubt = renewal{}
		return all, anew
	}
	return doubtful, c.doubt
}

// renewedBy notes the new leases, and drops what has been given to others.
func (t *trade) renewedBy(n *turn) {
	if n.renewal == nil {
		return
	}
	c := t.c
	answer, err := n.renewal.Slice()
	if err != nil {
		t.renew = time.Now() // after the pause that follows an error
		var reply redis.Error
		if errors.As(err, &reply) {
			return
		}
		c.doubt = n.renewed
		for _, h := range n.renew {
			h.other = n.renewed.score // it may have been processed
		}
		return
	}
	if !c.doubt.at.IsZero() {
		c.doubt, t.renew = renewal{}, time.Now()
	}
	gone := map[int]bool{}
	for _, one := range answer {
		at, _ := one.(int64)
		gone[int(at)] = true
	}
	lease := n.renewed.at.Add(c.broker.address.visibility).UnixNano()
	for i, h := range n.renew {
		if !gone[i] {
			h.score, h.other = n.renewed.score, ""
			h.lease.Store(lease)
			continue
		}
		h.lease.Store(0) // a settlement is to ask and wait
		if c.withdraw(h) {
			c.tell(broker.Dropped, h)
		}
	}
}
