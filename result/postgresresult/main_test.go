package postgresresult_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"acklab/internal/server/servertest"
	"acklab/result"
	"acklab/result/postgresresult"
	"acklab/result/resulttest"
)

func TestMain(m *testing.M) {
	servertest.BeMinder()
	code := m.Run()
	if err := leaks(); code == 0 && err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// leaks gives goroutines that are on their way out a few seconds.
func leaks() (err error) {
	for range 5 {
		if err = goleak.Find(resulttest.ProxyLeaks()...); err == nil {
			return nil
		}
	}
	return err
}

func open(t testing.TB, url string, o result.Options) *postgresresult.Store {
	t.Helper()
	s, err := postgresresult.Open(context.Background(), url, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		_ = s.Close(ctx) // the test may have broken the server
	})
	return s
}

func refused(t *testing.T, urls map[string]string) {
	t.Helper()
	for raw, want := range urls {
		_, err := postgresresult.Open(t.Context(), raw, result.Options{})
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "s3cret") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v; want one line with %q", raw, err, want)
		}
	}
}
