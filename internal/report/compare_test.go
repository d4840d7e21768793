package report_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"acklab/internal/check"
	"acklab/internal/report"
)

// claimed is the flagship run with claims on its cells, to be changed.
func claimed() report.Run {
	run := flagship()
	for i := range run.Experiments[0].Cells {
		run.Experiments[0].Cells[i].Claims = map[string]check.Bounds{"B1": {"lost": {0, 0}}, "B2": {"lost": {0, 0}}, "B4": {"repeated": {0, 0}}}
	}
	return run
}

// cellOf is a cell of the flagship experiment.
func cellOf(t *testing.T, run report.Run, system, ack, moment, then string) *report.Cell {
	t.Helper()
	for i := range run.Experiments[0].Cells {
		c := &run.Experiments[0].Cells[i]
		if c.System == system && c.Setting["ack"] == ack && c.Setting["crash_at"] == moment && c.Setting["then"] == then {
			return c
		}
	}
	t.Fatalf("no cell %s %s %s %s", system, ack, moment, then)
	return nil
}

func TestARunDoesNotDifferFromItself(t *testing.T) {
	t.Parallel()
	c := report.Compare("a", claimed(), "b", claimed())
	if !c.Same || len(c.Verdicts)+len(c.Cells)+len(c.Servers)+len(c.OnlyCells) > 0 || c.Agreed == 0 || c.Shared == 0 {
		t.Errorf("%+v", c)
	}
	if text := c.Text(); !strings.Contains(text, "The verdicts are the same: 4 claims in both runs.") {
		t.Error(text)
	}
}

func TestWhatDiffersIsNamed(t *testing.T) {
	t.Parallel()
	a, b := claimed(), claimed()
	b.Servers = map[string]string{"redis": "7.4.1", "rabbitmq": "3.10.8", "postgres": "16.1"}
	b.Experiments[0].Verdicts[0].Verdict, b.Experiments[0].Verdicts[0].Because = "refuted", "lost everywhere"
	b.Experiments[0].Cells = slices.DeleteFunc(b.Experiments[0].Cells, func(c report.Cell) bool { return c.System == "redis" && c.Setting["then"] == "restart" })
	lost := cellOf(t, b, "rabbitmq", "late", "started", "survivor") // counts 1 where 0 was predicted
	lost.Trials[1].Counts["lost"] = 1
	race := cellOf(t, b, "rabbitmq", "early", "ack-sent", "survivor") // 13 of 50 becomes 50 of 50, inside of the prediction
	for i := range race.Trials {
		race.Trials[i].Counts["lost"] = 1
	}
	slow := cellOf(t, b, "asynq", "late", "mid", "survivor")
	for i := range slow.Trials {
		slow.Trials[i].Measures["redelivery_seconds"] *= 2
	}
	near := cellOf(t, b, "asynq", "late", "started", "survivor") // 20 % is noise
	for i := range near.Trials {
		near.Trials[i].Measures["redelivery_seconds"] *= 1.2
	}
	odd := cellOf(t, b, "redis", "late", "mid", "survivor")
	odd.Outcome, odd.Reason = report.Unsure, "a probe failed"

	c := report.Compare("mine", a, "theirs", b)
	if c.Same || len(c.Verdicts) != 1 || c.Verdicts[0].Verdicts != [2]string{"holds", "refuted"} {
		t.Errorf("verdicts: %+v", c.Verdicts)
	}
	if len(c.Servers) != 2 {
		t.Errorf("versions: %+v", c.Servers)
	}
	if len(c.OnlyCells) != 1 || c.OnlyCells[0].Run != 0 || len(c.OnlyCells[0].Cells) != 16 {
		t.Errorf("cells of one run: %+v", c.OnlyCells)
	}
	found := map[string]report.CellDifference{}
	for _, d := range c.Cells {
		found[d.System+" "+d.Setting["ack"]+" "+d.Setting["crash_at"]] = d
	}
	if len(found) != 4 {
		t.Errorf("%d cells differ, want 4: %+v", len(found), c.Cells)
	}
	if d := found["rabbitmq late started"]; d.Outcomes != nil || len(d.Counts) != 1 || d.Counts[0].Values != [2]string{"0", "1 of 3"} {
		t.Errorf("a count that left the prediction: %+v", d)
	}
	if d := found["rabbitmq early ack-sent"]; len(d.Counts) != 1 || d.Counts[0].Why != "more often than chance allows" {
		t.Errorf("a race that changed: %+v", d)
	}
	if d := found["asynq late mid"]; len(d.Measures) != 1 || *d.Measures[0].Ratio < 1.99 || *d.Measures[0].Ratio > 2.01 {
		t.Errorf("a time that doubled: %+v", d)
	}
	if d := found["redis late mid"]; d.Outcomes == nil || *d.Outcomes != [2]string{"as predicted", "unsure"} {
		t.Errorf("an outcome that changed: %+v", d)
	}
	text := c.Text()
	for _, want := range []string{"1 verdict of 4 in both runs differ", "Version: postgres none in A, 16.1 in B.", "Version: redis 7.0.15 in A, 7.4.1 in B.", "(x 2)", "Only A has 16 cells of worker-crash", "and 13 more."} {
		if !strings.Contains(text, want) {
			t.Errorf("the text lacks %q:\n%s", want, text)
		}
	}
	raw, err := json.Marshal(c)
	if err != nil || !strings.Contains(string(raw), `"verdicts":["holds","refuted"]`) {
		t.Errorf("as JSON: %v %s", err, raw)
	}
}

func TestAClaimOfWhichOneRunAloneSpeaksIsNoDifference(t *testing.T) {
	t.Parallel()
	a, b := claimed(), claimed()
	for i := range b.Experiments[0].Cells {
		delete(b.Experiments[0].Cells[i].Claims, "B1")
	}
	b.Experiments[0].Verdicts[0].Verdict = "not run"
	c := report.Compare("a", a, "b", b)
	if !c.Same || !slices.Equal(c.OnlyVerdict[0], []string{"B1"}) || !strings.Contains(c.Text(), "Only A speaks of B1.") {
		t.Errorf("%+v\n%s", c.OnlyVerdict, c.Text())
	}
	b.Experiments[0].Cells[0].Claims["B1"] = check.Bounds{"lost": {0, 0}} // now it was to be run, and was not
	if c := report.Compare("a", a, "b", b); c.Same || len(c.Verdicts) != 1 {
		t.Errorf("%+v", c.Verdicts)
	}
	if c := report.Compare("a", a, "b", report.Run{}); c.Same || !strings.Contains(c.Text(), "No claim is in both runs.") {
		t.Error("two runs without a common claim are called the same")
	}
}
