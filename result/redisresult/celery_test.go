package redisresult_test

import (
	"bufio"
	"cmp"
	_ "embed"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"acklab/internal/server"
	"acklab/internal/server/servertest"
	"acklab/result"
	"acklab/task"
)

//go:embed testdata/asyncresult.py
var asyncResult string

// Celery's own client fetches what we store, waits for what we store while it
// waits, and stores what we fetch.
func TestCeleryReadsOursAndWeReadCelerys(t *testing.T) {
	t.Parallel()
	python := cmp.Or(os.Getenv("ACKLAB_PYTHON"), "/usr/bin/python3")
	if err := exec.CommandContext(t.Context(), python, "-c", "import celery, redis").Run(); err != nil {
		t.Skipf("%s has no celery (%v); make test installs it (apt-get install python3-celery python3-redis)", python, err)
	}
	ctx := t.Context()
	r := servertest.Redis(t, server.RedisOptions{})
	s := open(t, r.URL(""), result.Options{})
	store := func(one result.Result) {
		t.Helper()
		if err := s.Store(ctx, one); err != nil {
			t.Fatal(err)
		}
	}
	store(result.Result{TaskID: "ours", State: task.Success, Value: json.RawMessage(`{"größe":[8,null]}`), Done: done, Children: []string{"child"}})
	failure := result.NewFailure("ValueError", "böse")
	failure.Module, failure.Traceback = "builtins", "Traceback: ValueError"
	store(result.Result{TaskID: "failed", State: task.Failure, Error: failure, Done: done})
	store(result.Result{TaskID: "foreign", State: task.Failure, Error: result.NewFailure("*url.Error", "no route"), Done: done})
	store(result.Result{TaskID: "retried", State: task.Retry, Error: result.NewFailure("Retry", "in 3s"), Retries: 1})

	cmd := exec.CommandContext(ctx, python, "-c", asyncResult, r.URL(""))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var said []string
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if lines.Text() == "waiting" {
			store(result.Result{TaskID: "late", State: task.Success, Value: json.RawMessage(`"now"`), Done: done})
			continue
		}
		said = append(said, lines.Text())
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	want := []string{
		`ours SUCCESS {"gr\u00f6\u00dfe": [8, null]} child 2026-11-21T07:31:43.594084`,
		`failed FAILURE builtins ValueError b\xf6se Traceback: ValueError`,
		`foreign FAILURE *url.Error no route`,
		`retried RETRY`, `unknown PENDING`, `late now`, `ours stays 8`,
	}
	if strings.Join(said, "\n") != strings.Join(want, "\n") {
		t.Errorf("celery says\n%s\nwant\n%s", strings.Join(said, "\n"), strings.Join(want, "\n"))
	}

	if got, err := s.Get(ctx, "theirs"); err != nil || got.State != task.Success || string(got.Value) != `{"sum": 8}` || got.Done.IsZero() {
		t.Errorf("theirs: %+v, %v", got, err)
	}
	got, err := s.Get(ctx, "broken")
	if err != nil || got.State != task.Failure || got.Error == nil || got.Error.Error() != "KeyError: kä" || got.Error.Module != "builtins" || got.Error.Traceback != "tb" {
		t.Errorf("broken: %+v, %v", got, err)
	}
	if err := s.Store(ctx, result.Result{TaskID: "theirs", State: task.Started}); !errors.Is(err, result.ErrFinished) {
		t.Errorf("STARTED over Celery's SUCCESS: %v", err)
	}
}
