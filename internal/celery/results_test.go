package celery_test

import (
	"testing"
	"time"

	"acklab/internal/celery"
	"acklab/internal/ledger"
	"acklab/result"
	"acklab/task"
)

func TestPythonReadsTheResultsOfOurWorker(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		url, store := b.results(t)
		file := b.oursTrying(t, "results", url, func(p task.RetryPolicy) task.RetryPolicy {
			p.Max, p.Delay, p.For = 3, 100*time.Millisecond, task.ErrorOfKind(task.KindTransient)
			return p
		})
		cases := []struct {
			order  order
			result any
			error  string // what get() raises; empty: nothing
			state  task.State
		}{
			{order: order{Task: "add", Args: []any{4, 4}}, result: 8.0, state: task.Success},
			{order: order{Task: "send_email", Args: []any{"ü😀@example.jp", 1}}, result: "sent to ü😀@example.jp", state: task.Success},
			{order: order{Task: "panic", Args: []any{"Grüße"}}, error: "PanicError: panic: Grüße", state: task.Failure},
			{order: order{Task: "no_such_task"}, error: "NotRegistered: 'no_such_task'", state: task.Failure},
			{order: order{Task: "fail_n_times", Args: []any{2}}, result: 3.0, state: task.Success},
			{order: order{Task: "fail_n_times", Args: []any{9}}, error: "FlakyError: try 4 of 9 that fail", state: task.Failure},
		}
		var orders []order
		for _, c := range cases {
			c.order.Wait = patience.Seconds()
			orders = append(orders, c.order)
		}
		answers, _ := b.send(t, "results", url, orders...)
		for i, c := range cases {
			a := answers[i]
			if inJSON(t, a.Result) != inJSON(t, c.result) || a.Error != c.error {
				t.Errorf("%s %v: Celery's caller got %+v, want %v, %q", c.order.Task, c.order.Args, a, c.result, c.error)
			}
			if r, err := store.Get(t.Context(), a.ID); err != nil || r.State != c.state {
				t.Errorf("%s %v: stored as %+v, %v; want %s", c.order.Task, c.order.Args, r, err, c.state)
			}
		}
		f := file()
		for i, want := range map[int]string{
			4: "started failed started failed started finished",
			5: "started failed started failed started failed started failed",
		} {
			if got := events(f, answers[i].ID, ledger.Started, ledger.Failed, ledger.Finished); got != want {
				t.Errorf("%s %v: %s, want %s", cases[i].order.Task, cases[i].order.Args, got, want)
			}
		}
	})
}

func TestAnUnknownTaskIsTheSameForItsCallerWhoseverWorkerTookIt(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		url, store := b.results(t)
		b.ours(t, "ours", url)
		theirs := b.start(t, "theirs", celery.Options{Result: url, Pool: celery.Solo})
		theirs.await(ledger.Consuming, 1)
		var stored []*result.Failure
		for _, queue := range []string{"ours", "theirs"} {
			answers, _ := b.send(t, queue, url, order{Task: "no_such_task", Wait: patience.Seconds()})
			// The quotes are those of Python's KeyError, which Celery's NotRegistered is and
			// a class that was made up for the name is not.
			if got, want := answers[0].Error, "NotRegistered: 'no_such_task'"; got != want {
				t.Errorf("%s: Celery's caller got %q, want %q", queue, got, want)
			}
			r, err := store.Get(t.Context(), answers[0].ID)
			if err != nil || r.State != task.Failure || r.Error == nil {
				t.Fatalf("%s: stored as %+v, %v", queue, r, err)
			}
			stored = append(stored, r.Error)
		}
		if ours, theirs := inJSON(t, stored[0]), inJSON(t, stored[1]); ours != theirs || stored[1].Module != "celery.exceptions" {
			t.Errorf("our worker stored %s, Celery's %s", ours, theirs)
		}
	})
}
