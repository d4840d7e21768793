package redisbroker

import (
	"testing"
	"time"
)

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
