package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"acklab/internal/minder"
	"acklab/internal/server"
	"acklab/internal/server/servertest"
)

// The tests here run the real program, built once, as its users do: what it
// says, how it ends, and what it leaves behind.

// program is the built acklab.
var program string

func TestMain(m *testing.M) { os.Exit(testMain(m)) }

func testMain(m *testing.M) (code int) {
	dir, err := os.MkdirTemp("", "acklab-process-tests-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	program = filepath.Join(dir, "acklab")
	if out, err := exec.Command("go", "build", "-buildvcs=false", "-o", program, ".").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build acklab: %v\n%s", err, out)
		return 1
	}
	code = m.Run()
	if err := errors.Join(shared.close(), servertest.Leaks()); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	return code
}

// servers are the private servers that tests share, each started when a test
// first asks for it.
type servers struct {
	mu      sync.Mutex
	keeper  *minder.Minder
	redis   *server.Redis
	secured *server.Redis // asks for the password s3cret
	rabbit  *server.Rabbit
}

var shared servers

const startWithin = 2 * time.Minute

// redisAddr starts a Redis, or skips the test.
func redisAddr(t *testing.T) string {
	t.Helper()
	needRedis(t)
	return shared.start(t, &shared.redis, server.RedisOptions{})
}

// securedAddr is a Redis with the password s3cret.
func securedAddr(t *testing.T) string {
	t.Helper()
	needRedis(t)
	return shared.start(t, &shared.secured, server.RedisOptions{Password: "s3cret"})
}

// ownRedis is a Redis of this test alone, for what would disturb others.
func ownRedis(t *testing.T, o server.RedisOptions) *server.Redis {
	t.Helper()
	needRedis(t)
	var r *server.Redis
	shared.start(t, &r, o)
	t.Cleanup(func() {
		if err := r.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return r
}

// ownPostgres is a PostgreSQL of this test alone, or skips it.
func ownPostgres(t *testing.T) *server.Postgres {
	t.Helper()
	if _, err := server.FindPostgres(); err != nil {
		t.Skip(err, "; make test installs it (apt-get install postgresql)")
	}
	shared.mu.Lock()
	keeper := shared.minder(t)
	shared.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), startWithin)
	defer cancel()
	p, err := server.StartPostgres(ctx, keeper, server.PostgresOptions{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return p
}

func needRedis(t *testing.T) {
	t.Helper()
	if _, err := server.FindRedis(); err != nil {
		t.Skip(err, "; make test installs it (apt-get install redis-server)")
	}
}

func needRabbit(t *testing.T) {
	t.Helper()
	if _, err := server.FindRabbit(); err != nil {
		t.Skip(err, "; make test installs it (apt-get install rabbitmq-server)")
	}
}

func (s *servers) start(t *testing.T, r **server.Redis, o server.RedisOptions) string {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if *r == nil {
		ctx, cancel := context.WithTimeout(context.Background(), startWithin)
		defer cancel()
		redis, err := server.StartRedis(ctx, s.minder(t), o)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("redis %s at %s", redis.Version(ctx), redis.Addr())
		*r = redis
	}
	return (*r).Addr()
}

// rabbitAddr starts a RabbitMQ, or skips the test.
func rabbitAddr(t *testing.T) string {
	t.Helper()
	needRabbit(t)
	s := &shared
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.rabbit == nil {
		ctx, cancel := context.WithTimeout(context.Background(), startWithin)
		defer cancel()
		rabbit, err := server.StartRabbit(ctx, s.minder(t), server.RabbitOptions{})
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("rabbitmq %s at %s", rabbit.Version(ctx), rabbit.Addr())
		s.rabbit = rabbit
	}
	return s.rabbit.Addr()
}

// minder is the parent of the servers. The lock is held.
func (s *servers) minder(t *testing.T) *minder.Minder {
	t.Helper()
	if s.keeper == nil {
		m, err := minder.Start(context.Background(), program, "minder")
		if err != nil {
			t.Fatal(err)
		}
		s.keeper = m
	}
	return s.keeper
}

func (s *servers) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.keeper == nil {
		return nil
	}
	return s.keeper.Close()
}

// system is a broker that workers and producers run on.
type system struct {
	name string
	url  func(*testing.T) string
}

var realSystems = []system{
	{"asynq", func(t *testing.T) string { return "asynq://" + redisAddr(t) + "/0?poll=50ms" }},
	{"redis", func(t *testing.T) string { return "redis://" + redisAddr(t) + "/1?visibility=10m&restore=1s" }},
	{"rabbitmq", func(t *testing.T) string { return "amqp://guest:guest@" + rabbitAddr(t) + "/" }},
}

// onEach runs a test on every system that has a server.
func onEach(t *testing.T, test func(t *testing.T, url string)) {
	t.Helper()
	for _, s := range realSystems {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			test(t, s.url(t))
		})
	}
}
