package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

func startPrometheus(t *testing.T, o PrometheusOptions) *Prometheus {
	t.Helper()
	if _, err := FindPrometheus(); err != nil {
		t.Skip(err, "; make test installs it (apt-get install prometheus)")
	}
	began := time.Now()
	p, err := StartPrometheus(t.Context(), keep(t), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("prometheus %s: ready after %v", p.Version(), time.Since(began))
	return p
}

// instant asks for one value of an expression and waits until there is one.
func instant(t *testing.T, p *Prometheus, expr string) string {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		var answer struct {
			Result []struct{ Value [2]any }
		}
		do(t, "query", p.Query(t.Context(), "query", url.Values{"query": {expr}}, &answer))
		if len(answer.Result) == 1 {
			return answer.Result[0].Value[1].(string)
		}
		select {
		case <-tick.C:
		case <-t.Context().Done():
			t.Fatalf("%s: no answer", expr)
		}
	}
}

func TestPrometheusScrapesWhatItIsToldToAndNothingElse(t *testing.T) {
	p := startPrometheus(t, PrometheusOptions{Interval: 200 * time.Millisecond})
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "answer{path=%q} 42\n", r.URL.Path)
	}))
	defer page.Close()
	addr := strings.TrimPrefix(page.URL, "http://")
	began := time.Now()
	do(t, "watch", p.Watch(t.Context(), "trial \"1\"", []ScrapeTarget{{Instance: "it", Addr: addr, Path: "/deep"}, {Instance: "nobody", Addr: "127.0.0.1:1"}}))
	if got := instant(t, p, `answer{job="trial \"1\"",instance="it",path="/deep"}`); got != "42" {
		t.Errorf("scraped %s, want 42", got)
	}
	t.Logf("first sample after %v", time.Since(began))
	if got := instant(t, p, `up{instance="nobody"}`); got != "0" {
		t.Errorf("up of a target that is not there is %s", got)
	}
	do(t, "watch another", p.Watch(t.Context(), "2", []ScrapeTarget{{Instance: "it", Addr: addr}}))
	if got := instant(t, p, `answer{job="2",path="/metrics"}`); got != "42" {
		t.Errorf("scraped %s, want 42", got)
	}
	do(t, "forget", p.Forget(t.Context(), "2"))
	if got := instant(t, p, `count(count by (job) (last_over_time(up[1m])))`); got != "2" {
		t.Errorf("%s jobs were seen, want 2: what was seen stays", got)
	}
	err := p.Query(t.Context(), "query", url.Values{"query": {"sum by ("}}, nil)
	if err == nil || !strings.Contains(err.Error(), "parse error") || strings.Contains(err.Error(), "\n") {
		t.Errorf("a wrong query says %v", err)
	}

	do(t, "kill", p.Kill(t.Context()))
	if err := p.Watch(t.Context(), "3", nil); !errors.Is(err, ErrNotRunning) {
		t.Errorf("watch with a dead prometheus: %v, want ErrNotRunning", err)
	}
	do(t, "close", p.Close(context.WithoutCancel(t.Context())))
}

func TestPrometheusTakesAnotherPortWhenItsOwnIsTaken(t *testing.T) {
	page := httptest.NewServer(http.NotFoundHandler())
	defer page.Close()
	var taken int
	if _, err := fmt.Sscanf(page.URL, "http://127.0.0.1:%d", &taken); err != nil {
		t.Fatal(err)
	}
	picks := 0
	p := startPrometheus(t, PrometheusOptions{pick: func() (int, error) {
		if picks++; picks == 1 {
			return taken, nil
		}
		return freePorts.pick()
	}})
	if picks != 2 || strings.HasSuffix(p.Addr(), fmt.Sprintf(":%d", taken)) {
		t.Errorf("started on %s after %d tries", p.Addr(), picks)
	}
}

func TestAMissingPrometheusIsNamedWithItsPackage(t *testing.T) {
	t.Setenv(PrometheusVariable, t.TempDir()+"/none")
	_, err := StartPrometheus(t.Context(), nil, PrometheusOptions{})
	missing, ok := errors.AsType[*MissingError](err)
	if !ok || missing.Tool != "prometheus" || !strings.Contains(missing.Install, "install prometheus") {
		t.Errorf("got %v", err)
	}
}

func TestTheNumbersOfRedisAreMetricsAndItsWordsAreNot(t *testing.T) {
	r := startRedis(t, keep(t), RedisOptions{})
	page, err := r.Metrics(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"redis_used_memory ", "redis_connected_clients ", "redis_total_commands_processed "} {
		if !strings.Contains(page, want) {
			t.Errorf("there is no %s in:\n%s", want, page)
		}
	}
	for _, never := range []string{"redis_version", "redis_os", "redis_role", "#"} {
		if strings.Contains(page, never) {
			t.Errorf("there is %s in:\n%s", never, page)
		}
	}
	do(t, "kill", r.Kill(t.Context()))
	if _, err := r.Metrics(t.Context()); err == nil {
		t.Error("a dead redis has metrics")
	}
}
