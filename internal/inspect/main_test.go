package inspect

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"go.uber.org/goleak"

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
	goleak.VerifyTestMain(m)
}

func keep(t *testing.T) *minder.Minder {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	m, err := minder.Start(t.Context(), self, "minder")
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

func startRedis(t *testing.T, o server.RedisOptions) *server.Redis {
	t.Helper()
	if _, err := server.FindRedis(); err != nil {
		t.Skip(err, "; make test installs it (apt-get install redis-server)")
	}
	r, err := server.StartRedis(t.Context(), keep(t), o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func startRabbit(t *testing.T, o server.RabbitOptions) *server.Rabbit {
	t.Helper()
	if _, err := server.FindRabbit(); err != nil {
		t.Skip(err, "; make test installs it (apt-get install rabbitmq-server)")
	}
	r, err := server.StartRabbit(t.Context(), keep(t), o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// look looks and returns text and JSON; neither may hold the password.
func look(t *testing.T, url string, o Options) (*View, string) {
	t.Helper()
	v, err := Look(t.Context(), url, o)
	if err != nil {
		t.Fatal(err)
	}
	var text, asJSON strings.Builder
	if err := v.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	if err := v.WriteJSON(&asJSON); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(text.String()+asJSON.String(), secret) {
		t.Errorf("the password is in the output:\n%s\n%s", text.String(), asJSON.String())
	}
	t.Log("\n" + text.String())
	return v, text.String()
}

const secret = "s3cret"
