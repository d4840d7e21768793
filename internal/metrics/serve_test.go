package metrics_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"acklab/internal/metrics"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
)

func get(t *testing.T, url string) string {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 30 * time.Second}
	resp, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s, %v", url, resp.Status, err)
	}
	return string(body)
}

func TestServeShowsTheRegistryOnLoopbackAndCloseLeavesNothingBehind(t *testing.T) {
	defer goleak.VerifyNone(t)
	reg := prometheus.NewRegistry()
	metrics.New(reg).Published("q", metrics.Confirmed, 3)
	s, err := metrics.Serve(context.Background(), ":0", reg)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(s.Addr(), "127.0.0.1:") || strings.HasSuffix(s.Addr(), ":0") {
		t.Errorf("Addr is %s, want a port on 127.0.0.1", s.Addr())
	}
	body := get(t, "http://"+s.Addr()+"/metrics")
	for _, want := range []string{`acklab_published_total{outcome="confirmed",queue="q"} 3`, "go_goroutines ", "process_start_time_seconds "} {
		if !strings.Contains(body, want) {
			t.Errorf("/metrics lacks %s", want)
		}
	}
	if got := get(t, "http://"+s.Addr()+"/healthz"); got != "ok\n" {
		t.Errorf("/healthz says %q", got)
	}
	for range 2 {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestServeEndsWithItsContext(t *testing.T) {
	defer goleak.VerifyNone(t)
	ctx, cancel := context.WithCancel(context.Background())
	s, err := metrics.Serve(ctx, "127.0.0.1:0", prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func TestABusyOrMalformedAddressIsOneLineThatNamesTheFlag(t *testing.T) {
	defer goleak.VerifyNone(t)
	reg := prometheus.NewRegistry()
	s, err := metrics.Serve(context.Background(), "127.0.0.1:0", reg)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, addr := range []string{s.Addr(), "nonsense", "127.0.0.1:99999", "127.0.0.1:http-no-such"} {
		second, err := metrics.Serve(context.Background(), addr, reg)
		if err == nil {
			second.Close()
			t.Errorf("%s: no error", addr)
			continue
		}
		if msg := err.Error(); !strings.Contains(msg, metrics.Flag) || strings.Contains(msg, "\n") {
			t.Errorf("%s: %q is not one line with %s", addr, msg, metrics.Flag)
		}
	}
}
