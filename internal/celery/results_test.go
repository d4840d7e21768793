package celery_test

import (
	"testing"
	"time"

	"acklab/internal/ledger"
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
			{order: order{Task: "no_such_task"}, error: `Reject: unknown task "no_such_task"`, state: task.Failure},
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
