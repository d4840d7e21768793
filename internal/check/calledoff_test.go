package check

import (
	"strings"
	"testing"

	"acklab/internal/ledger"
)

func TestATaskIsCalledOffOnlyAfterOneOfItsWorkflowHasFallen(t *testing.T) {
	t.Parallel()
	plan := func(b *bench, task, workflow string) {
		b.write("producer", ledger.Line{Event: ledger.Planned, Task: task, Queue: "q", Detail: map[string]string{ledger.DetailWorkflow: workflow}})
	}
	off := func(b *bench) { b.write("worker", ledger.Line{Event: ledger.CalledOff, Task: "t1", Queue: "q"}) }
	ends := func(events ...ledger.Event) func(*bench) {
		return func(b *bench) {
			b.receive("worker", "t0", "m0", "first")
			b.does("worker", "t0", "m0", append([]ledger.Event{ledger.Accepted}, events...)...)
		}
	}
	unstorable := func(b *bench) {
		ends(ledger.Started, ledger.Finished)(b)
		b.write("worker", ledger.Line{Event: ledger.ResultStored, Task: "t0", Message: "m0", State: "FAILURE"})
	}
	for name, c := range map[string]struct {
		of     string // the workflow of t1; that of t0 is w
		before func(*bench)
		after  func(*bench)
		lie    bool
	}{
		"after a failure":                {"w", ends(ledger.Started, ledger.Failed), nil, false},
		"after an expiry":                {"w", ends(ledger.Expired), nil, false},
		"after a rejection":              {"w", ends(ledger.Rejecting), nil, false},
		"after a lost join":              {"w", ends(ledger.Started, ledger.Finished, ledger.JoinLost), nil, false},
		"after a value that is no JSON":  {"w", unstorable, nil, false},
		"after a lost result":            {"w", ends(ledger.Started, ledger.Finished, ledger.ResultLost), nil, false},
		"after a refusal":                {"w", func(b *bench) { b.publish("worker", "t0", "m1", ledger.Refused) }, nil, false},
		"of nobody's plan":               {"", ends(ledger.Started, ledger.Failed), nil, false},
		"after a success":                {"w", ends(ledger.Started, ledger.Finished), nil, true},
		"before the failure":             {"w", nil, ends(ledger.Started, ledger.Failed), true},
		"after another workflow's":       {"v", ends(ledger.Started, ledger.Failed), nil, true},
		"after a refused duplicate":      {"w", func(b *bench) { b.duplicate("worker", "t0", "m0") }, nil, true},
		"of nobody's plan and no reason": {"", ends(ledger.Started, ledger.Finished), nil, true},
	} {
		b := newBench(t)
		b.start("producer", "worker")
		plan(b, "t0", "w")
		if c.of != "" {
			plan(b, "t1", c.of)
		}
		b.publish("producer", "t0", "m0", ledger.Confirmed)
		for _, play := range []func(*bench){c.before, off, c.after} {
			if play != nil {
				play(b)
			}
		}
		b.end("producer", "worker")
		b.finish()
		r := b.sure()
		found := len(r.Broken) == 1 && strings.Contains(r.Broken[0], "no task of its workflow had failed")
		if found != c.lie || !c.lie && len(r.Broken) > 0 {
			t.Errorf("%s: %q", name, r.Broken)
		}
	}
}
