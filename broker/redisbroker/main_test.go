package redisbroker_test

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"acklab/broker"
	"acklab/broker/brokertest"
	"acklab/broker/redisbroker"
	"acklab/internal/server"
	"acklab/internal/server/servertest"
)

func TestMain(m *testing.M) { servertest.Main(m, brokertest.ProxyLeaks()...) }

// open makes a client with the options, as in "visibility=3s".
func open(t testing.TB, addr, options string, o broker.Options) broker.Broker {
	t.Helper()
	return openURL(t, "redis://"+addr+"/0?"+options, o)
}

func openURL(t testing.TB, url string, o broker.Options) broker.Broker {
	t.Helper()
	b, err := redisbroker.Open(context.Background(), url, o)
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
func serverFor(t testing.TB, r *server.Redis, options string) *brokertest.Server {
	own := dial(t, r) // one for all looks: a busy machine may be slow to accept another
	return &brokertest.Server{
		Addr: r.Addr(),
		Open: func(t testing.TB, o broker.Options) broker.Broker { return open(t, r.Addr(), options, o) },
		OpenAt: func(t testing.TB, addr string, o broker.Options) broker.Broker {
			return open(t, addr, options, o)
		},
		OpenPriorities: func(t testing.TB, o broker.Options) broker.Broker {
			return open(t, r.Addr(), options+"&priority=on", o)
		},
		View:   func(ctx context.Context, queue string) (brokertest.View, error) { return view(ctx, own, queue) },
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

// view counts in Redis itself. An entry of unacked ends with its queue.
func view(ctx context.Context, c *redis.Client, queue string) (brokertest.View, error) {
	pipe := c.TxPipeline()
	ready := pipe.LLen(ctx, queue)
	for _, step := range []string{"3", "6", "9"} {
		pipe.LLen(ctx, queue+"\x06\x16"+step)
	}
	entries := pipe.HVals(ctx, "unacked")
	cmds, err := pipe.Exec(ctx)
	if err != nil {
		return brokertest.View{}, err
	}
	v := brokertest.View{Ready: int(ready.Val())}
	for _, cmd := range cmds[1:4] {
		v.Ready += int(cmd.(interface{ Val() int64 }).Val())
	}
	ending := `"` + queue + `"]`
	for _, entry := range entries.Val() {
		if len(entry) >= len(ending) && entry[len(entry)-len(ending):] == ending {
			v.Unacked++
		}
	}
	return v, nil
}

func putRaw(ctx context.Context, r *server.Redis, queue string, body []byte) error {
	c := r.Client()
	defer c.Close()
	return c.LPush(ctx, queue, body).Err()
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
