// Package servertest gives tests private servers of their own, that are gone
// when the test is.
package servertest

import (
	"context"
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"

	"acklab/internal/minder"
	"acklab/internal/server"
)

// BeMinder makes this process a minder, and ends it after that, if a test of
// the same binary has started it as one. TestMain calls it first, or Main.
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

// Main is the TestMain of a package whose tests start servers, and may leave no
// goroutine but the ignored ones. It does not return.
func Main(m *testing.M, ignored ...goleak.Option) {
	BeMinder()
	code := m.Run()
	if err := Leaks(ignored...); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// Leaks says which goroutines are left. Those on their way out have a few
// seconds.
func Leaks(ignored ...goleak.Option) (err error) {
	for range 5 {
		if err = goleak.Find(ignored...); err == nil {
			return nil
		}
	}
	return err
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
