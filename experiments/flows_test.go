package experiments

import (
	"path/filepath"
	"strings"
	"testing"

	"acklab/internal/ledger"
)

// flowTrial is a trial whose members have written these lines.
func flowTrial(t *testing.T, members map[string][]ledger.Line) *Trial {
	t.Helper()
	trial := &Trial{dir: t.TempDir()}
	for name, lines := range members {
		w, err := ledger.Create(filepath.Join(trial.dir, name+".jsonl"), nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range lines {
			w.Write(l)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		trial.order = append(trial.order, name)
	}
	return trial
}

func planned(task, workflow, place string) ledger.Line {
	return ledger.Line{Event: ledger.Planned, Task: task, Detail: map[string]string{ledger.DetailWorkflow: workflow, ledger.DetailPlace: place}}
}

func TestALinkIsEarlyWhenTheOneBeforeItHasNeverFinished(t *testing.T) {
	t.Parallel()
	run := func(task string) []ledger.Line {
		return []ledger.Line{{Event: ledger.Started, Task: task}, {Event: ledger.Finished, Task: task}}
	}
	lines := []ledger.Line{planned("a", "a", "chain[0]"), planned("b", "a", "chain[1]"), planned("c", "a", "chain[2]"), planned("x", "x", "task")}
	lines = append(lines, ledger.Line{Event: ledger.Started, Task: "a"})
	lines = append(append(append(lines, run("b")...), run("a")...), run("c")...)
	f, err := flowTrial(t, map[string][]ledger.Line{"worker": lines}).flows()
	if err != nil || len(f.owed) != 2 || len(f.owed[0]) != 3 {
		t.Fatalf("%v, %v", f.owed, err)
	}
	for pair, want := range map[[2]string]bool{
		{"a", "b"}: true, // it began before a had finished
		{"b", "c"}: false,
		{"x", "c"}: true, // x has never run
		{"a", "x"}: false,
	} {
		if got := f.early(pair[0], pair[1]); got != want {
			t.Errorf("%s after %s: early %v", pair[1], pair[0], got)
		}
	}
}

func TestErrbacksAreTheRunsThatNobodyPlanned(t *testing.T) {
	t.Parallel()
	f, err := flowTrial(t, map[string][]ledger.Line{
		"producer": {planned("a", "a", "chain[0]"), {Event: ledger.Attempted, Task: "a", Name: "noop"}},
		"worker": {
			{Event: ledger.Finished, Task: "a"},
			{Event: ledger.Attempted, Task: "e", Name: "noop"}, {Event: ledger.Finished, Task: "e"}, {Event: ledger.Finished, Task: "e"},
			{Event: ledger.Attempted, Task: "f", Name: "echo"}, {Event: ledger.Finished, Task: "f"},
		},
	}).flows()
	if n := f.unplanned("noop"); err != nil || n != 2 {
		t.Errorf("%d runs, %v; want the two of e", n, err)
	}
}

func TestHandsFindTheirPlaceInTheFirstWorkflow(t *testing.T) {
	t.Parallel()
	trial := flowTrial(t, map[string][]ledger.Line{"producer": {planned("a", "a", "chord[0]"), planned("b", "a", "callback"), planned("c", "c", "callback")}})
	h := Hands{CrashPlace: "callback"}
	if err := trial.findPlace(&h); err != nil || h.crashTask != "b" {
		t.Errorf("%q, %v; want b", h.crashTask, err)
	}
	if err := trial.findPlace(&Hands{CrashPlace: "chain[7]"}); err == nil || !strings.Contains(err.Error(), `no place "chain[7]"`) {
		t.Error(err)
	}
	if err := flowTrial(t, nil).findPlace(&h); err == nil || !strings.Contains(err.Error(), "no workflow was planned") {
		t.Error(err)
	}
}
