// Package servertest gives tests private servers of their own, that are gone
// when the test is.
package servertest

import (
	"context"
	"fmt"
	"os"
	"testing"

	"acklab/internal/minder"
	"acklab/internal/server"
)

// BeMinder makes this process a minder, and ends it after that, if a test of
// the same binary has started it as one. TestMain calls it first.
func BeMinder() {
	if len(os.Args) != 2 || os.Args[1] != "minder" {
		return
	}
	if err := minder.Main(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// Minder starts the test binary again as a minder, which ends with the test.
func Minder(t testing.TB) *minder.Minder {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	m, err := minder.Start(context.Background(), self, "minder")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	return m
}

// Redis starts a Redis server with a minder of its own. The test is skipped
// where there is none, with the command that would install it.
func Redis(t testing.TB, o server.RedisOptions) *server.Redis {
	t.Helper()
	if _, err := server.FindRedis(); err != nil {
		t.Skip(err, "; make test installs it (apt-get install redis-server)")
	}
	r, err := server.StartRedis(context.Background(), Minder(t), o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// Rabbit starts a RabbitMQ node in the same way.
func Rabbit(t testing.TB, o server.RabbitOptions) *server.Rabbit {
	t.Helper()
	if _, err := server.FindRabbit(); err != nil {
		t.Skip(err, "; make test installs it (apt-get install rabbitmq-server)")
	}
	r, err := server.StartRabbit(context.Background(), Minder(t), o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// Postgres starts a PostgreSQL server in the same way.
func Postgres(t testing.TB, o server.PostgresOptions) *server.Postgres {
	t.Helper()
	if _, err := server.FindPostgres(); err != nil {
		t.Skip(err, "; make test installs it (apt-get install postgresql)")
	}
	p, err := server.StartPostgres(context.Background(), Minder(t), o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}
