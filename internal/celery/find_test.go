package celery_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"acklab/internal/celery"
	"acklab/internal/server"
)

func TestFindSaysWhatIsMissingAndHowToGetIt(t *testing.T) {
	dir := t.TempDir()
	script := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for python, says := range map[string]string{
		filepath.Join(dir, "none"): "no such file",
		script("bare", "echo Traceback >&2; echo \"ModuleNotFoundError: No module named 'celery'\" >&2; exit 1"): "No module named 'celery'",
		script("odd", "echo nonsense"): "invalid character",
	} {
		t.Setenv(celery.PythonVariable, python)
		_, err := celery.Find(t.Context())
		missing, ok := errors.AsType[*server.MissingError](err)
		if !ok || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), celery.PythonVariable+"="+python) || missing.Install != python+" -m pip install celery redis" {
			t.Errorf("%s: %v, want %q and how to install it", python, err, says)
		}
	}
	t.Setenv(celery.PythonVariable, script("good", `echo '{"celery": "5.2.6", "kombu": "5.2.4", "amqp": "5.1.1", "redis": "4.3.4"}'`))
	found, err := celery.Find(t.Context())
	if want := "Celery 5.2.6 (kombu 5.2.4, py-amqp 5.1.1, redis-py 4.3.4)"; err != nil || found.String() != want {
		t.Errorf("found %s (%v), want %s", found, err, want)
	}
}

func TestOptionsThatCeleryDoesNotHave(t *testing.T) {
	t.Parallel()
	good := celery.Options{Broker: "redis://localhost:1/0?visibility=30s&restore=1s"}
	if err := good.Check(); err != nil {
		t.Error(err)
	}
	if args := strings.Join(good.Args(), " "); !strings.HasSuffix(args, "--visibility-timeout 30 --restore-interval 1") {
		t.Errorf("the URL's options are not in %s", args)
	}
	good.Broker = "amqp://localhost:1/?durable=false&persistent=false&confirms=false&priority=on"
	if args := strings.Join(good.Args(), " "); !strings.HasSuffix(args, "--max-priority 9 --durable false --persistent false") {
		t.Errorf("what all clients of a queue agree on is not in %s", args)
	}
	good.Broker = "redis://localhost:1/0?visibility=30s&restore=1s"
	if env := good.Env(); env[0] != "ACKLAB_BROKER_URL=redis://localhost:1/0" {
		t.Errorf("the environment has %s", env[0])
	}
	for _, c := range []struct {
		change func(*celery.Options)
		says   string
	}{
		{func(o *celery.Options) { o.Broker = "asynq://localhost:1/0" }, "no transport"},
		{func(o *celery.Options) { o.Broker = "amqp://u:geheim@[" }, "cannot be read"},
		{func(o *celery.Options) { o.Broker = "amqp://localhost/?queue_type=quorum" }, "only classic queues"},
		{func(o *celery.Options) { o.Pool = "gevent" }, "unknown pool"},
		{func(o *celery.Options) { o.CrashAt = "acked" }, "no such point: acked"},
		{func(o *celery.Options) { o.PauseAt = "fetched" }, "no such point: fetched"},
		{func(o *celery.Options) { o.CrashAt = "result-stored" }, "results are not stored"},
		{func(o *celery.Options) { o.PauseAt = celery.StateRead }, "results are not stored"},
		{func(o *celery.Options) { o.CrashAt, o.Result = celery.StateRead, "redis://localhost:1/0" }, "no such point: state-read"},
	} {
		o := good
		o.RetryDelay = time.Second
		c.change(&o)
		if err := o.Check(); err == nil || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "geheim") {
			t.Errorf("%+v: %v, want %q", o, err, c.says)
		}
	}
}
