package redisbroker

import (
	"context"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"acklab/broker"
	"acklab/internal/server"
	"acklab/internal/server/servertest"
)

// pages calls a function before each page that a sweep reads.
type pages struct {
	read   int
	before func()
}

func (p *pages) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) { return next(ctx, network, addr) }
}

func (p *pages) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (p *pages) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if args := cmd.Args(); cmd.Name() == "evalsha" && args[1] == overdueScript.Hash() {
			p.read++
			p.before()
		}
		return next(ctx, cmd)
	}
}

// sweeping is a session that sweeps by itself no more, over a Redis with so many
// overdue messages.
func sweeping(t *testing.T, overdue int, before func(c *redis.Client)) (*session, *redis.Client, *pages) {
	t.Helper()
	r := servertest.Redis(t, server.RedisOptions{})
	client := r.Client()
	t.Cleanup(func() { client.Close() })
	for _, script := range []*redis.Script{overdueScript, moveScript} {
		if err := script.Load(t.Context(), client).Err(); err != nil {
			t.Fatal(err)
		}
	}
	for i := range overdue {
		tag := fmt.Sprintf("t%d", i)
		client.HSet(t.Context(), unackedKey, tag, `["no message"`+entryEnd("q"))
		if err := client.ZAdd(t.Context(), indexKey, redis.Z{Score: 1, Member: tag}).Err(); err != nil {
			t.Fatal(err)
		}
	}
	b, err := Open(t.Context(), r.URL(""), broker.Options{})
	if err != nil {
		t.Fatal(err)
	}
	c := b.newConsumer(broker.Subscription{Sources: []broker.Source{{Queue: "q"}}, Prefetch: 1})
	s, err := c.connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	p := &pages{before: func() { before(client) }}
	s.client.AddHook(p)
	t.Cleanup(func() {
		s.close()
		_ = b.Close(context.Background())
	})
	return s, client, p
}

func TestALongSweepKeepsItsLockAndEndsWithIt(t *testing.T) {
	t.Parallel()
	t.Run("kept", func(t *testing.T) {
		t.Parallel()
		var held []time.Duration
		s, client, _ := sweeping(t, 3*overduePage-1, func(c *redis.Client) {
			held = append(held, c.PTTL(context.Background(), mutexKey).Val())
			c.PExpire(context.Background(), mutexKey, 2*time.Second) // as if the page took three
		})
		if err := s.sweep(); err != nil {
			t.Fatal(err)
		}
		if len(held) != 3 || held[1] <= 3*time.Second || held[2] <= 3*time.Second {
			t.Errorf("before the pages the lock held for %v; want about %v each time", held, sweepLock)
		}
		if n := client.LLen(t.Context(), "q").Val(); n != 3*overduePage-1 {
			t.Errorf("%d messages are back", n)
		}
		if client.Exists(t.Context(), mutexKey).Val() != 0 {
			t.Error("the lock was not given back")
		}
	})
	t.Run("taken by another", func(t *testing.T) {
		t.Parallel()
		s, client, p := sweeping(t, 3*overduePage-1, func(c *redis.Client) {
			c.Set(context.Background(), mutexKey, "another's", time.Minute)
		})
		if err := s.sweep(); err != nil {
			t.Fatal(err)
		}
		if n := client.LLen(t.Context(), "q").Val(); n != overduePage || p.read != 1 {
			t.Errorf("%d messages are back after %d pages; want the first page alone", n, p.read)
		}
		if held := client.Get(t.Context(), mutexKey).Val(); held != "another's" {
			t.Errorf("the lock is %q", held)
		}
	})
}
