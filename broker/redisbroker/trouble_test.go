package redisbroker_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"acklab/broker"
	"acklab/internal/server"
	"acklab/internal/server/servertest"
	"acklab/task"
)

func many(t testing.TB, queue string, n int) (msgs []*task.Message) {
	for range n {
		msgs = append(msgs, message(t, queue))
	}
	return msgs
}

func TestAListOfAnotherKindHidesNothingOfTheOthers(t *testing.T) {
	t.Parallel()
	r := servertest.Redis(t, server.RedisOptions{})
	b := open(t, r.Addr(), "", broker.Options{})
	confirm(t, b, many(t, "a", 6)...)
	run(t, r, "set", "b", "of another kind")
	c, err := b.Consume(within(t, patience), broker.Subscription{Sources: []broker.Source{{Queue: "a"}, {Queue: "b"}}, Prefetch: 2})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the pop has failed", func() bool { return calls(t, r, "lrange") > 10 })
	depth, err := b.Depth(within(t, patience), "a")
	if err != nil || *depth.Unacked != 2 || *depth.Ready != 4 {
		t.Fatalf("%d ready, %d unacknowledged, %v", *depth.Ready, *depth.Unacked, err)
	}
	for range 6 {
		ack(t, receive(t, c))
	}
	flush(t, c)
	wantIDs(t, b, "a", 0)
}

func TestWithoutAPermissionForChannelsASessionStands(t *testing.T) {
	t.Parallel()
	r := servertest.Redis(t, server.RedisOptions{})
	run(t, r, "acl", "setuser", "limited", "on", ">pw", "~*", "+@all", "resetchannels")
	var sessions atomic.Int64
	b := openURL(t, "redis://limited:pw@"+r.Addr()+"/0?delay=broker", broker.Options{Observe: func(e broker.Event) {
		if e.Kind == broker.Connected {
			sessions.Add(1)
		}
	}})
	c := consume(t, b, "q", 1)
	time.Sleep(time.Second)
	if n := sessions.Load(); n != 1 {
		t.Errorf("%d sessions", n)
	}
	confirm(t, b, message(t, "q"))
	ack(t, receive(t, c))
}

func TestASweepEndsWhereWhatIsOverdueCannotGoBack(t *testing.T) {
	t.Parallel()
	r := servertest.Redis(t, server.RedisOptions{})
	confirm(t, open(t, r.Addr(), "", broker.Options{}), many(t, "q", 100)...)
	consume(t, open(t, r.Addr(), "", broker.Options{}), "q", 100)
	run(t, r, "set", "q", "of another kind")
	time.Sleep(1100 * time.Millisecond)
	consume(t, open(t, r.Addr(), "visibility=1s&restore=1h", broker.Options{}), "another", 1)
	eventually(t, "it has swept", func() bool { return calls(t, r, "zrevrangebyscore") > 0 })
	time.Sleep(500 * time.Millisecond)
	if n := calls(t, r, "zrevrangebyscore"); n > 10 {
		t.Errorf("it looked %d times", n)
	}
	run(t, r, "del", "q")
}

func TestACloseThatIsCutShortEndsWhileMessagesArrive(t *testing.T) {
	t.Parallel()
	r := servertest.Redis(t, server.RedisOptions{})
	free := make(chan struct{})
	b := open(t, r.Addr(), "", broker.Options{Observe: func(e broker.Event) {
		if e.Kind == broker.Arrived {
			<-free
		}
	}})
	confirm(t, b, many(t, "q", 400)...)
	c := consume(t, b, "q", broker.Unlimited)
	eventually(t, "three pops have come", func() bool { return calls(t, r, "ltrim") == 3 })
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	closed := make(chan error, 1)
	go func() { closed <- c.Close(ended) }()
	time.Sleep(100 * time.Millisecond)
	close(free)
	select {
	case <-closed:
	case <-time.After(patience):
		t.Fatal("it does not end")
	}
}
