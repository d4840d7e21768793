package redisbroker_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
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
	var seen events
	log := slog.New(slog.NewTextHandler(&seen, nil))
	b := openURL(t, "redis://limited:pw@"+r.Addr()+"/0?delay=broker", broker.Options{Observe: seen.add, Log: log})
	c := consume(t, b, "q", 1)
	eventually(t, "it was refused and says so", func() bool { return seen.said("does not tell of delayed messages") })
	confirm(t, b, message(t, "q"))
	ack(t, receive(t, c))
	flush(t, c)
	if n := seen.count(broker.Connected); n != 1 {
		t.Errorf("%d sessions", n)
	}
}

func TestASweepEndsWhereWhatIsOverdueCannotGoBack(t *testing.T) {
	t.Parallel()
	r := servertest.Redis(t, server.RedisOptions{})
	confirm(t, open(t, r.Addr(), "", broker.Options{}), many(t, "q", 100)...)
	consume(t, open(t, r.Addr(), "", broker.Options{}), "q", 100)
	run(t, r, "set", "q", "of another kind")
	client := dial(t, r)
	eventually(t, "all are overdue", func() bool {
		old := fmt.Sprint(client.Time(t.Context()).Val().Add(-time.Second).Unix() - 1)
		return client.ZCount(t.Context(), "unacked_index", "-inf", old).Val() == 100
	})
	consume(t, open(t, r.Addr(), "visibility=1s&restore=1h", broker.Options{}), "another", 1)
	eventually(t, "it has swept and given the lock back", func() bool {
		return calls(t, r, "zrevrangebyscore") > 0 && client.Exists(t.Context(), "unacked_mutex").Val() == 0
	})
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
	client := dial(t, r)
	connections := func() int { return strings.Count(client.ClientList(t.Context()).Val(), "\n") }
	before := connections()
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	closed := make(chan error, 1)
	go func() { closed <- c.Close(ended) }()
	eventually(t, "its connections are cut", func() bool { return connections() < before })
	close(free)
	select {
	case <-closed:
	case <-time.After(patience):
		t.Fatal("it does not end")
	}
}

func TestWhoPublishesAloneUsesOneConnection(t *testing.T) {
	t.Parallel()
	r := servertest.Redis(t, server.RedisOptions{})
	b := open(t, r.Addr(), "", broker.Options{})
	for range 300 {
		confirm(t, b, message(t, "q"))
	}
	client := dial(t, r)
	list := client.ClientList(t.Context()).Val()
	if n := strings.Count(list, "cmd=lpush"); n != 1 {
		t.Errorf("300 messages, one after the other, went over %d connections; want 1:\n%s", n, list)
	}
}
