package redisstore_test

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"acklab/internal/minder"
	"acklab/internal/server"
	"acklab/internal/server/servertest"
	"acklab/scheduler/redisstore"
)

const patience = 30 * time.Second

func TestMain(m *testing.M) {
	servertest.BeMinder()
	beLeader()
	code := m.Run()
	shared.close()
	if err := leaks(); code == 0 && err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// leaks gives goroutines that are on their way out a few seconds.
func leaks() (err error) {
	for range 5 {
		if err = goleak.Find(); err == nil {
			return nil
		}
	}
	return err
}

// calm is a Redis that nobody breaks; each test has a database of its own there.
type calm struct {
	once   sync.Once
	keeper *minder.Minder
	redis  *server.Redis
	err    error
	next   atomic.Int32
}

var shared calm

func (c *calm) start() {
	ctx := context.Background()
	self, err := os.Executable()
	if err == nil {
		c.keeper, err = minder.Start(ctx, self, "minder")
	}
	if err == nil {
		c.redis, err = server.StartRedis(ctx, c.keeper, server.RedisOptions{Args: []string{"--databases", "1024"}})
	}
	c.err = err
}

func (c *calm) close() {
	if c.keeper != nil {
		_ = c.keeper.Close()
	}
}

// database is the URL of an empty database of the calm server.
func database(t testing.TB) string {
	t.Helper()
	if _, err := server.FindRedis(); err != nil {
		t.Skip(err, "; make test installs it (apt-get install redis-server)")
	}
	shared.once.Do(shared.start)
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return "redis://" + shared.redis.Addr() + "/" + strconv.Itoa(int(shared.next.Add(1)))
}

// open makes a client that is closed at the end of the test.
func open(t testing.TB, url string, o redisstore.Options) *redisstore.Store {
	t.Helper()
	s, err := redisstore.Open(url, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func soon(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}
