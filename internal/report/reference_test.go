package report_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"acklab/internal/report"
)

func TestAReferenceRunIsSmallAndTellsTheSame(t *testing.T) {
	t.Parallel()
	run, dir := claimed(), t.TempDir()
	if err := report.SaveReference(dir, run); err != nil {
		t.Fatal(err)
	}
	got, err := report.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	if want := report.AnswerTable(run); report.AnswerTable(got) != want {
		t.Errorf("the answer table differs:\n%s\nwant\n%s", report.AnswerTable(got), want)
	}
	if c := report.Compare("run", run, "reference", got); !c.Same || len(c.Cells) > 0 || len(c.OnlyCells) > 0 {
		t.Errorf("the reference differs from its run:\n%s", c.Text())
	}
	for i, c := range run.Experiments[0].Cells {
		for j, tr := range c.Trials {
			small := got.Experiments[0].Cells[i].Trials[j]
			if fmt.Sprint(small.Counts) != fmt.Sprint(tr.Counts) || small.Seed != tr.Seed || fmt.Sprint(small.Unsure) != fmt.Sprint(tr.Unsure) {
				t.Fatalf("trial %s became %+v", tr.ID, small)
			}
		}
	}
	whole := t.TempDir()
	if err := report.Save(whole, run, nil); err != nil {
		t.Fatal(err)
	}
	small, large := len(read(t, dir, "report.json")), len(read(t, whole, "report.json"))
	if small > 150_000 || small*5 > large {
		t.Errorf("%d bytes, of %d", small, large)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 2 {
		t.Errorf("a reference run has %v (%v), want report.json and report.md", entries, err)
	}
	again := t.TempDir()
	if err := report.SaveReference(again, got); err != nil {
		t.Fatal(err)
	}
	if read(t, again, "report.json") != read(t, dir, "report.json") || read(t, again, "report.md") != read(t, dir, "report.md") {
		t.Error("a reference run made of a reference run is another one")
	}
}

func TestAReferenceRunThatWouldBeTooLargeIsRefused(t *testing.T) {
	t.Parallel()
	run := flagship()
	for range 100 {
		run.Experiments = append(run.Experiments, run.Experiments[0])
	}
	dir := filepath.Join(t.TempDir(), "none")
	if err := report.SaveReference(dir, run); err == nil || !strings.Contains(err.Error(), "at most 1500") {
		t.Errorf("%v, want one that names the limit", err)
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("something was written")
	}
}

func TestColumnsThatDoNotFitAreRefused(t *testing.T) {
	t.Parallel()
	for trials, want := range map[string]string{
		`{"n": 3, "seed": 1, "counts": {"lost": [0, 1]}}`:           "lost: a column has 2 values for 3 trials",
		`{"n": -1, "seed": 1}`:                                      "-1 trials",
		`{"n": 1000000000, "seed": 1}`:                              "1000000000 trials",
		`{"n": 2, "seed": [], "counts": {}}`:                        "seed: a column has 0 values",
		`{"n": 2, "seed": 1, "measures": {"a": [1, 2, 3]}}`:         "a: a column has 3 values",
		`{"n": 2, "seed": 1, "counts": {"lost": "many"}}`:           "not a report",
		`{"n": 2, "seed": 1, "measures": {"a": {"median": 1e400}}}`: "not a report",
	} {
		raw := `{"schema": 1, "experiments": [{"name": "x", "cells": [{"system": "redis", "trials": ` + trials + `}]}]}`
		if _, err := report.Parse([]byte(raw), "it"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", trials, err, want)
		}
	}
}

const template = "# x\n<!-- answer -->\nby hand\n<!-- /answer -->\nmiddle\n<!-- returns -->\nby hand\n<!-- /returns -->\n<!-- verdicts -->\nby hand\n<!-- /verdicts -->\nend\n"

// withReturns adds the experiment about how long a task takes to come back.
func withReturns(run report.Run) report.Run {
	cell := func(system, lease string, seconds ...float64) report.Cell {
		c := report.Cell{System: system, Setting: map[string]string{"lease": lease}, Outcome: report.AsPredicted}
		for _, s := range seconds {
			c.Trials = append(c.Trials, report.Trial{Counts: map[string]int{"redelivered": 1}, Measures: map[string]float64{"back_after_seconds": s}})
		}
		return c
	}
	run.Experiments = append(run.Experiments, report.Experiment{Name: report.Returns, Cells: []report.Cell{
		cell("redis", "visibility 6s renewed", 6.2), cell("rabbitmq", "as it comes", 0.003, 0.002, 0.004), cell("asynq", "as it comes"),
	}})
	return run
}

func TestTheReadmeShowsTheAnswerAndEveryClaim(t *testing.T) {
	t.Parallel()
	material := map[string]string{"B1": "A crash | before", "B2": "after", "B4": "later", "B9": "poison", "B10": "child", "C2": "fair", "Z1": "z", "Z10": "z", "Z2": "z"}
	got, err := report.Readme(template, withReturns(flagship()), material, "docs/r.md")
	if err != nil {
		t.Fatal(err)
	}
	last := -1
	for _, want := range []string{
		"# x\n<!-- answer -->", "crash at", "ack=late: acknowledged after", "Prefetched from a broker and not begun: 0 of", "<!-- /answer -->\nmiddle\n<!-- returns -->",
		"| rabbitmq | as it comes | 2 ms to 4 ms | 3 |", "| redis | visibility 6s renewed | 6.2 s | 1 |", "<!-- /returns -->\n<!-- verdicts -->",
		`| B1 | A crash \| before | **holds** | before the fetch`, "([all](docs/r.md#claim-b1)) |", "| B2 | after | **depends** |", "| B4 |", "| B9 | poison | **not run** |", "| C2 | fair | **holds** |",
		"Measured 2026-03-01: ", " trials in ", "rabbitmq 3.10.8 and redis 7.0.15", "2 cores", "**Not run**", "B10, Z1, Z2, Z10.", "<!-- /verdicts -->\nend\n",
	} {
		i := strings.Index(got[last+1:], want)
		if i < 0 {
			t.Fatalf("the README lacks %q, or not in this order:\n%s", want, got)
		}
		last += 1 + i
	}
	if strings.Contains(got, "by hand") {
		t.Error("what stood between the markers is still there")
	}
	again, err := report.Readme(got, withReturns(flagship()), material, "docs/r.md")
	if err != nil || again != got {
		t.Errorf("made twice it differs: %v", err)
	}
	for _, bad := range []string{"", "<!-- answer -->", strings.ReplaceAll(template, "/verdicts", "verdict")} {
		if _, err := report.Readme(bad, flagship(), material, ""); err == nil || !strings.Contains(err.Error(), "it needs the lines") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestALongReasonIsCutAtTheEndOfAPart(t *testing.T) {
	t.Parallel()
	run := flagship()
	run.Experiments[0].Verdicts = []report.Verdict{{Claim: "B1", Verdict: "depends", Because: "holds with ack=late; " + strings.Repeat("and so on ", 20) + "; on redis 7.0.15"}}
	got, err := report.Readme(template, run, nil, "r.md")
	if err != nil || !strings.Contains(got, "**depends** | holds with ack=late ([all](r.md#claim-b1)) |") {
		t.Errorf("%v\n%s", err, got)
	}
}

func TestWhatWasNotTriedOfAClaimIsNeverCut(t *testing.T) {
	t.Parallel()
	run := flagship()
	run.Experiments[0].Verdicts = []report.Verdict{{Claim: "B1", Verdict: "holds", Because: "holds in 1 cell; " + strings.Repeat("and so on ", 20) + "; on redis 7.0.15; not tried: the page; nor the rest"}}
	got, err := report.Readme(template, run, nil, "r.md")
	if err != nil || !strings.Contains(got, "**holds** | holds in 1 cell; not tried: the page; nor the rest ([all](r.md#claim-b1)) |") {
		t.Errorf("%v\n%s", err, got)
	}
}
