package asynqbroker_test

import (
	"testing"
	"time"

	"acklab/broker"
	"acklab/internal/server"
	"acklab/internal/server/servertest"
)

func TestDepthTellsTheAgeOfTheOldestThatWaits(t *testing.T) {
	t.Parallel()
	r := servertest.Redis(t, server.RedisOptions{})
	b := open(t, r.Addr(), broker.Options{})
	empty, err := b.Depth(t.Context(), "q")
	if err != nil || empty.Oldest != nil {
		t.Errorf("an empty queue: %v, %v; want no age", empty.Oldest, err)
	}
	old := message(t, "q", 1)
	confirm(t, b, old)
	between := time.Now()
	for time.Since(between) < 50*time.Millisecond {
		confirm(t, b, message(t, "q", 2))
	}
	after, err := b.Depth(t.Context(), "q")
	if err != nil || after.Oldest == nil {
		t.Fatalf("no age: %v", err)
	}
	if age := *after.Oldest; age < 50*time.Millisecond || age > 10*time.Second {
		t.Errorf("the oldest of %d has waited %v", *after.Ready, age)
	}
}
