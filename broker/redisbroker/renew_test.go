package redisbroker

import (
	"context"
	"io"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"acklab/broker"
)

// lost is a turn of renewals whose answer does not come.
func lost(t *trade) *turn {
	n := &turn{renewal: redis.NewCmd(context.Background())}
	n.renewal.SetErr(io.EOF)
	n.renew, n.renewed = t.c.renewals(time.Now())
	t.renewedBy(n)
	return n
}

// A renewal whose answer was lost may have been processed, so the claim has the
// old score or the new one, and those two are what a settlement names. When the
// clock has been read again before the repetition, and with it the same moment
// has another score, the claim could have a third: if the first one was processed
// and the answer to the second is lost too, the claim is in Redis with a score
// that nobody remembers, and the worker's own claim is taken for another's.
func TestADoubtfulRenewalIsRepeatedWordForWordAlsoWhenTheClockHasMoved(t *testing.T) {
	t.Parallel()
	c := &Consumer{broker: &Broker{}}
	c.holds.init()
	h := &hold{c: c, source: &source{}, score: "1", delivery: &broker.Delivery{}}
	c.holds.add(h)
	tr := &trade{session: &session{c: c}}

	first := lost(tr)
	if h.score != "1" || h.other != first.renewed.score {
		t.Fatalf("the claim has the scores %q and %q; sent was %q", h.score, h.other, first.renewed.score)
	}
	c.clock.ahead += 3 * time.Millisecond
	again := lost(tr)
	if again.renewed != first.renewed || h.other != first.renewed.score {
		t.Errorf("after %+v the repetition was %+v, and remembered is %q", first.renewed, again.renewed, h.other)
	}

	third := &turn{renewal: redis.NewCmd(context.Background())}
	third.renewal.SetVal([]any{})
	third.renew, third.renewed = c.renewals(time.Now())
	tr.renewedBy(third)
	if h.score != first.renewed.score || h.other != "" {
		t.Errorf("once it is answered the claim has the scores %q and %q", h.score, h.other)
	}
	if all, anew := c.renewals(time.Now()); len(all) != 1 || anew == first.renewed {
		t.Errorf("then %d claims are renewed to %+v", len(all), anew)
	}
}

func TestTheServersClockIsReadFromTheShortestRoundTrip(t *testing.T) {
	t.Parallel()
	var k clock
	at := time.Unix(1_700_000_000, 0)
	ms := time.Millisecond
	k.heed("1700000100.000500", at, at.Add(ms)) // a hundred seconds ahead
	if k.ahead < 100*time.Second-ms || k.ahead > 100*time.Second+ms {
		t.Errorf("it is ahead by %v", k.ahead)
	}
	k.heed("1700000101.000000", at.Add(time.Second), at.Add(5*time.Second)) // an answer that is old
	if k.ahead < 100*time.Second-ms || k.ahead > 100*time.Second+ms {
		t.Errorf("after a slow answer it is ahead by %v", k.ahead)
	}
	k.heed("no number", at, at)
	if got := k.score(at); got != "1700000100.000000" {
		t.Errorf("a moment of ours is %s", got)
	}
	k.heed("1700000220.000000", at.Add(time.Hour), at.Add(time.Hour).Add(time.Second))
	if k.ahead > 0 {
		t.Errorf("an hour later a clock that was set is still ahead by %v", k.ahead)
	}
}
