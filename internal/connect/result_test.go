package connect

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"acklab/result"
	"acklab/task"
)

func TestEachSchemeOpensItsResultStore(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"memory://":                                 "memory 24h0m0s",
		"memory://?expires=0":                       "memory 0s",
		"redis://127.0.0.1:1":                       "redis 24h0m0s",
		"redis://127.0.0.1:1/0?expires=1h":          "redis 1h0m0s",
		"rediss://:pw@127.0.0.1:1/0":                "redis 24h0m0s",
		"postgres://u:p@127.0.0.1:1/db?expires=90s": "postgres 1m30s",
		"postgresql://127.0.0.1:1/db":               "postgres 24h0m0s",
	} {
		s, err := OpenResult(t.Context(), raw, result.Options{})
		if err != nil {
			t.Errorf("%s: %v", raw, err)
			continue
		}
		traits := s.Traits(t.Context())
		if got := traits.Name + " " + traits.Expires.String(); got != want {
			t.Errorf("%s opens %s; want %s", raw, got, want)
		}
		if err := s.Close(t.Context()); err != nil {
			t.Errorf("close %s: %v", raw, err)
		}
	}
}

func TestAResultURLThatOpensNothingSaysWhatToDo(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"":                          "--result",
		"localhost:6379":            `"localhost:6379" has no scheme`,
		"mongodb://host":            `scheme "mongodb" is unknown: use one of memory://, redis://`,
		"asynq://host:6379":         `scheme "asynq" is unknown`,
		"redis://":                  "no host",
		"postgres:///db":            "no host",
		"memory://?expires=soon":    "expires=soon",
		"redis://h/0?expires=-1h":   "expires=-1h",
		"postgres://h/db?expires=x": "expires=x",
	} {
		s, err := OpenResult(t.Context(), raw, result.Options{})
		if err == nil || s != nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: %v; want one line with %q", raw, err, want)
		}
	}
}

func TestNoErrorOfAResultStoreEverShowsThePassword(t *testing.T) {
	t.Parallel()
	addr := refusing(t)
	for _, password := range passwords {
		var all []string
		for _, raw := range forms(addr, password) {
			all = append(all, raw)
			if rest, ok := strings.CutPrefix(raw, "redis://"); ok {
				all = append(all, "postgres://"+rest, "memory://"+rest, fmt.Sprintf("postgres://%s?sslmode=%s", rest, "no"))
			}
		}
		for _, raw := range all {
			s, err := OpenResult(t.Context(), raw, result.Options{})
			if err == nil {
				ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
				err = s.Store(ctx, result.Result{TaskID: "t", State: task.Started})
				if err == nil {
					err = errors.New("nobody listens there, and it worked")
					t.Errorf("%q: %v", raw, err)
				}
				if closeErr := s.Close(ctx); closeErr != nil {
					t.Errorf("close: %v", closeErr)
				}
				cancel()
			}
			if leaks(err.Error(), password) {
				t.Errorf("%q: %v", raw, err)
			}
		}
	}
}
