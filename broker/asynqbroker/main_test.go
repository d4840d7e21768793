package asynqbroker_test

import (
	"context"
	"net"
	"strconv"
	"testing"
	"time"

	"github.com/hibiken/asynq"

	"acklab/broker"
	"acklab/broker/asynqbroker"
	"acklab/broker/brokertest"
	"acklab/internal/server"
	"acklab/internal/server/servertest"
)

func TestMain(m *testing.M) { servertest.Main(m) }

func open(t testing.TB, addr string, o broker.Options) broker.Broker {
	t.Helper()
	return openURL(t, "asynq://"+addr+"/0?poll=20ms", o)
}

func openURL(t testing.TB, url string, o broker.Options) broker.Broker {
	t.Helper()
	b, err := asynqbroker.Open(context.Background(), url, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		_ = b.Close(ctx) // the test may have broken the server
	})
	return b
}

// serverFor is what the suite may do to a Redis.
func serverFor(r *server.Redis) *brokertest.Server {
	return &brokertest.Server{
		Addr: r.Addr(),
		Open: func(t testing.TB, o broker.Options) broker.Broker { return open(t, r.Addr(), o) },
		OpenAt: func(t testing.TB, addr string, o broker.Options) broker.Broker {
			return open(t, addr, o)
		},
		OpenPriorities: func(t testing.TB, o broker.Options) broker.Broker {
			return openURL(t, "asynq://"+r.Addr()+"/0?poll=20ms&priority=on", o)
		},
		View:   func(ctx context.Context, queue string) (brokertest.View, error) { return view(ctx, r, queue) },
		PutRaw: func(ctx context.Context, queue string, body []byte) error { return putRaw(ctx, r, queue, body) },
		CloseConnections: func(ctx context.Context) error {
			_, err := r.CloseConnections(ctx, "test")
			return err
		},
		Kill:    r.Kill,
		Restart: r.Boot,
		Freeze:  r.Freeze,
		Thaw:    r.Thaw,
	}
}

// view counts in Redis itself. A task in the retry set whose time has come
// waits for nothing but a server, so it is ready.
func view(ctx context.Context, r *server.Redis, queue string) (brokertest.View, error) {
	c := r.Client()
	defer c.Close()
	pipe := c.TxPipeline()
	pending := pipe.LLen(ctx, "asynq:{"+queue+"}:pending")
	due := pipe.ZCount(ctx, "asynq:{"+queue+"}:retry", "-inf", strconv.FormatInt(time.Now().Unix(), 10))
	active := pipe.LLen(ctx, "asynq:{"+queue+"}:active")
	if _, err := pipe.Exec(ctx); err != nil {
		return brokertest.View{}, err
	}
	return brokertest.View{Ready: int(pending.Val() + due.Val()), Unacked: int(active.Val())}, nil
}

func putRaw(ctx context.Context, r *server.Redis, queue string, body []byte) error {
	c := r.Client()
	defer c.Close()
	_, err := asynq.NewClientFromRedisClient(c).EnqueueContext(ctx, asynq.NewTask("foreign", body), asynq.Queue(queue))
	return err
}

// freeAddr is an address where nothing listens.
func freeAddr(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
