package postgresresult_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"acklab/internal/server/servertest"
	"acklab/result"
	"acklab/result/postgresresult"
	"acklab/result/resulttest"
)

func TestMain(m *testing.M) { servertest.Main(m, resulttest.ProxyLeaks()...) }

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
