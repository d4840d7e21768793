package doctor

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

const secret = "s3cret"

// advise returns the findings and checks that no output has the password.
func advise(t *testing.T, url, management string) []Finding {
	t.Helper()
	r, err := Advise(t.Context(), url, management)
	if err != nil {
		t.Fatal(err)
	}
	var text, asJSON strings.Builder
	if err := r.WriteText(&text, map[string]string{"A4": "queue-holder-killed"}); err != nil {
		t.Fatal(err)
	}
	if err := r.WriteJSON(&asJSON); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(text.String()+asJSON.String(), secret) {
		t.Errorf("the password is in the output:\n%s\n%s", text.String(), asJSON.String())
	}
	t.Log("\n" + text.String())
	return r.Findings
}

// has wants a finding of a level whose text starts so, and tells its claims.
func has(t *testing.T, findings []Finding, level Level, start string) {
	t.Helper()
	for _, f := range findings {
		if f.Level == level && strings.HasPrefix(f.What, start) {
			if level != Fine && level != Unseen && (f.Why == "" || f.Set == "") {
				t.Errorf("%q lacks why or what to set", f.What)
			}
			return
		}
	}
	t.Errorf("no %s %q among:\n%s", level, start, lines(findings))
}

// hasNot wants no finding of a level whose text starts so.
func hasNot(t *testing.T, findings []Finding, level Level, start string) {
	t.Helper()
	for _, f := range findings {
		if f.Level == level && strings.HasPrefix(f.What, start) {
			t.Errorf("%s %q is not so", level, f.What)
		}
	}
}

func lines(findings []Finding) string {
	var b strings.Builder
	for _, f := range findings {
		fmt.Fprintf(&b, "%s %s\n", f.Level, f.What)
	}
	return b.String()
}
