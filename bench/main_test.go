package bench

import (
	"context"
	"fmt"
	"os"
	"testing"

	"acklab/internal/minder"
	"acklab/internal/server"
)

func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == "minder" {
		if err := minder.Main(os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	status := m.Run()
	results.print(os.Stdout)
	os.Exit(status)
}

// keep starts the parent of a benchmark's servers and processes.
func keep(t testing.TB) *minder.Minder {
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

func startRabbit(t testing.TB, m *minder.Minder) *server.Rabbit {
	t.Helper()
	if _, err := server.FindRabbit(); err != nil {
		t.Skip(err, "; make test installs it (apt-get install rabbitmq-server)")
	}
	r, err := server.StartRabbit(context.Background(), m, server.RabbitOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func startRedis(t testing.TB, m *minder.Minder) *server.Redis {
	t.Helper()
	if _, err := server.FindRedis(); err != nil {
		t.Skip(err, "; make test installs it (apt-get install redis-server)")
	}
	r, err := server.StartRedis(context.Background(), m, server.RedisOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return r
}
