package observe

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"acklab/internal/metrics"
)

func TestAServerThatDoesNotAnswerIsAScrapeThatFails(t *testing.T) {
	t.Parallel()
	const alive, dead, frozen = 0, 1, 2
	var state atomic.Int32
	n := 7
	asked := func(ctx context.Context) error {
		switch state.Load() {
		case dead:
			return errors.New("it is dead")
		case frozen:
			<-ctx.Done()
			return ctx.Err()
		}
		return nil
	}
	p, err := servePages(Subject{
		Queue: "q",
		Depth: func(ctx context.Context) (metrics.Depth, error) { return metrics.Depth{Ready: &n}, asked(ctx) },
		Redis: func(ctx context.Context) (string, error) { return "redis_used_memory 5\n", asked(ctx) },
	}, 50*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	for path, want := range map[string]string{queuePath: `acklab_queue_depth{queue="q",state="ready"} 7`, serverPath: "redis_used_memory 5"} {
		for _, s := range []int32{alive, dead, frozen, alive} {
			state.Store(s)
			status, body := get(t, "http://"+p.addr+path)
			if (s == alive) != (status == http.StatusOK && strings.Contains(body, want)) {
				t.Errorf("%s in state %d: status %d, %q", path, s, status, body)
			}
		}
	}
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 10 * time.Second}
	resp, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}
