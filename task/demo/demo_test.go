package demo

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"acklab/task"
)

// run looks a demo task up and runs it, and gives the result as JSON. It also
// checks that a task that ends well was halfway once.
func run(t *testing.T, ctx context.Context, name string, retries int, args, kwargs string) (string, error) {
	t.Helper()
	r := task.NewRegistry()
	Register(r)
	h, err := r.Lookup(name)
	if err != nil {
		t.Fatal(err)
	}
	m := &task.Message{Name: name, Options: task.Options{Retries: retries}}
	if m.Args, err = task.ParseArgs(args); err != nil {
		t.Fatal(err)
	}
	if m.Kwargs, err = task.ParseKwargs(kwargs); err != nil {
		t.Fatal(err)
	}
	halves := 0
	result, err := h(task.WithHalfway(ctx, func() { halves++ }), &task.Call{Message: m})
	if err != nil {
		return "", err
	}
	if halves != 1 {
		t.Errorf("%s%s was halfway %d times", name, args, halves)
	}
	text, err := json.Marshal(result)
	if err != nil {
		t.Fatal(err)
	}
	return string(text), nil
}

func TestTheDemoTasksAreRegistered(t *testing.T) {
	t.Parallel()
	r := task.NewRegistry()
	Register(r)
	want := []string{"add", "allocate", "daily_report", "echo", "fail_n_times", "fetch_url", "noop", "panic", "process_payment", "send_email", "sleep", "web_scrape", "xsum"}
	if got := r.Names(); !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}

func TestADemoTaskReturnsWhatItPromises(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, args, kwargs, want string }{
		{"noop", ``, ``, `null`},
		{"add", `[4, 4]`, ``, `8`},
		{"add", `[2]`, `{"y": -3}`, `-1`},
		{"add", `[9223372036854775807, 1]`, ``, `9223372036854775808`},
		{"add", `[1.5, 2]`, ``, `3.5`},
		{"add", `[1e3, 2]`, ``, `1002`},
		{"xsum", `[[1, 2, 3]]`, ``, `6`},
		{"xsum", `[[]]`, ``, `0`},
		{"xsum", `[[9223372036854775807, 1, -1]]`, ``, `9223372036854775807`},
		{"echo", `[{"a": [1, "x"]}]`, ``, `{"a":[1,"x"]}`},
		{"echo", ``, `{"value": null}`, `null`},
		{"sleep", `[0.001]`, ``, `0.001`},
		{"sleep", ``, `{"seconds": 0}`, `0`},
		{"send_email", `["ada@example.org", 0]`, ``, `"sent to ada@example.org"`},
		{"send_email", `["Ada \u003cada@example.org\u003e"]`, `{"ms": 1}`, `"sent to ada@example.org"`},
		{"process_payment", `["A-1", 19.90]`, ``, `{"order":"A-1","amount":19.90,"receipt":"b2c9953f3e470790"}`},
		{"web_scrape", `["http://u:secret@example.org/a"]`, ``, ``},
		{"daily_report", `["2026-11-21"]`, ``, ``},
		{"fail_n_times", `[0]`, ``, `1`},
		{"allocate", `[0]`, ``, `0`},
		{"allocate", `[3]`, ``, `3145728`},
	}
	for _, tt := range tests {
		t.Run(tt.name+tt.args+tt.kwargs, func(t *testing.T) {
			t.Parallel()
			got, err := run(t, t.Context(), tt.name, 0, tt.args, tt.kwargs)
			if err != nil {
				t.Fatal(err)
			}
			if tt.want != "" && got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
			again, err := run(t, t.Context(), tt.name, 0, tt.args, tt.kwargs)
			if err != nil || again != got {
				t.Errorf("the second run gave %s, %v after %s", again, err, got)
			}
			if strings.Contains(got, "secret") {
				t.Errorf("a password in %s", got)
			}
		})
	}
}

func TestBadArgumentsAreOneClearErrorThatNoRetryHelps(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, args, want string }{
		{"noop", `[1]`, `task "noop": takes at most 0 arguments, got 1`},
		{"add", `["4", 4]`, `task "add": argument 1: want number, got string`},
		{"add", `[4]`, `task "add": argument "y": missing`},
		{"add", `[1e308, 1e308]`, `task "add": argument "x, y": 1e308 + 1e308 is too large for a float`},
		{"add", `[1e999, 1]`, `task "add": argument "x, y": 1e999 + 1 is too large for a float`},
		{"add", `[1` + strings.Repeat("0", maxDigits) + `, 1]`, `at most 1000 digits`},
		{"xsum", `[[1, "2"]]`, `task "xsum": argument "numbers": "2" is not a number`},
		{"xsum", `[[1e308, 1e308]]`, `task "xsum": argument "numbers": 1e+308 + 1e308 is too large for a float`},
		{"echo", `[]`, `task "echo": argument "value": missing`},
		{"sleep", `[-1]`, `task "sleep": argument "seconds": -1 is outside 0 to 86400`},
		{"sleep", `[1e30]`, `is outside 0 to 86400`},
		{"sleep", `["1"]`, `argument 1: want float64, got string`},
		{"send_email", `["nobody"]`, `task "send_email": argument "to": "nobody" is not an email address`},
		{"send_email", `["a@b.c", -1]`, `argument "ms": -1 is outside 0 to 86400000`},
		{"process_payment", `["", 5]`, `argument "order": is empty`},
		{"process_payment", `["A", 0]`, `argument "amount": 0 is not a positive amount`},
		{"process_payment", `["A", -5]`, `argument "amount": -5 is not a positive amount`},
		{"process_payment", `["A", 1.999]`, `argument "amount": 1.999 is not a positive amount with at most two decimals`},
		{"process_payment", `["A", 1e3]`, `argument "amount": 1e3 is not`},
		{"web_scrape", `["ftp://u:secret@example.org"]`, `argument "url": not an http or https URL with a host`},
		{"web_scrape", `["http://"]`, `not an http or https URL`},
		{"web_scrape", `["http://u:secret@%zz"]`, `not an http or https URL`},
		{"daily_report", `["2026-02-30"]`, `argument "day": "2026-02-30" is not a day such as 2026-11-21`},
		{"fail_n_times", `[1, "odd"]`, `argument "kind": "odd" is neither "flaky" nor "fatal"`},
		{"fetch_url", `["ftp://u:secret@example.org"]`, `argument "url": not an http or https URL with a host`},
		{"fetch_url", `["file:///etc/passwd"]`, `not an http or https URL with a host`},
		{"fetch_url", `["http://"]`, `not an http or https URL`},
		{"fetch_url", `["http://127.0.0.1", 0]`, `argument "ms": 0 is outside 1 to 86400000`},
		{"fail_n_times", `[-1]`, `argument "n": -1 is negative`},
		{"panic", `[]`, `argument "text": missing`},
		{"allocate", `[-1]`, `argument "megabytes": -1 is outside 0 to 65536`},
		{"allocate", `[65537]`, `argument "megabytes": 65537 is outside`},
	}
	for _, tt := range tests {
		_, err := run(t, t.Context(), tt.name, 0, tt.args, "")
		var bad *task.ArgumentError
		if !errors.As(err, &bad) || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s%.60s:\n got %v\nwant %s", tt.name, tt.args, err, tt.want)
		}
	}
}

func TestFailNTimesFailsByTheRetriesOfTheMessage(t *testing.T) {
	t.Parallel()
	for retries := range 2 {
		_, err := run(t, t.Context(), "fail_n_times", retries, `[2]`, "")
		var bad *task.ArgumentError
		if err == nil || errors.As(err, &bad) {
			t.Errorf("try %d: %v", retries+1, err)
		}
	}
	if got, err := run(t, t.Context(), "fail_n_times", 2, `[2]`, ""); got != "3" || err != nil {
		t.Errorf("the third try: %s, %v", got, err)
	}
}

func TestPanicPanicsWithItsText(t *testing.T) {
	t.Parallel()
	defer func() {
		if got := recover(); got != "boom" {
			t.Errorf("recovered %v", got)
		}
	}()
	_, err := run(t, t.Context(), "panic", 0, `["boom"]`, "")
	t.Errorf("no panic: %v", err)
}

func TestADemoTaskObeysItsContext(t *testing.T) {
	t.Parallel()
	for name, args := range map[string]string{
		"sleep": `[3600]`, "send_email": `["a@example.org", 3600000]`, "process_payment": `["A", 5]`,
		"web_scrape": `["http://example.org"]`, "daily_report": `["2026-11-21"]`, "allocate": `[60000]`,
	} {
		cause := errors.New("the worker stops")
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(cause)
		if _, err := run(t, ctx, name, 0, args, ""); !errors.Is(err, cause) {
			t.Errorf("%s with a dead context: %v", name, err)
		}
		ctx, cancel = context.WithCancelCause(t.Context())
		if name == "sleep" || name == "send_email" {
			time.AfterFunc(5*time.Millisecond, func() { cancel(cause) })
			if _, err := run(t, ctx, name, 0, args, ""); !errors.Is(err, cause) {
				t.Errorf("%s cut short: %v", name, err)
			}
		}
		cancel(nil)
	}
}

func TestTheMadeUpResultsDependOnTheArguments(t *testing.T) {
	t.Parallel()
	for name, args := range map[string][2]string{
		"web_scrape":      {`["http://example.org/a"]`, `["http://example.org/b"]`},
		"daily_report":    {`["2026-11-21"]`, `["2026-11-22"]`},
		"process_payment": {`["A", 5]`, `["B", 5]`},
	} {
		a, errA := run(t, t.Context(), name, 0, args[0], "")
		b, errB := run(t, t.Context(), name, 0, args[1], "")
		if errA != nil || errB != nil || a == b {
			t.Errorf("%s: %s and %s, errors %v and %v", name, a, b, errA, errB)
		}
	}
}

func TestTheReceiptDependsOnTheOrderAlone(t *testing.T) {
	t.Parallel()
	var a, b Payment
	for amount, into := range map[string]*Payment{`["A", 5]`: &a, `["A", 6.50]`: &b} {
		text, err := run(t, t.Context(), "process_payment", 0, amount, "")
		if err != nil || json.Unmarshal([]byte(text), into) != nil {
			t.Fatal(text, err)
		}
	}
	if a.Receipt == "" || a.Receipt != b.Receipt || a.Amount == b.Amount {
		t.Errorf("got %+v and %+v", a, b)
	}
}
