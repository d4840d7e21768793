package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"acklab"
	"acklab/internal/report"
)

// referenceRun is the reference run that was built in.
func referenceRun(t *testing.T) report.Run {
	t.Helper()
	run, err := report.Parse(acklab.ReferenceReport, "the reference run")
	if err != nil {
		t.Fatal(err)
	}
	if len(run.Experiments) == 0 || len(run.Servers) == 0 || len(run.Host) == 0 {
		t.Fatalf("the reference run lacks experiments, servers or host: %v %v", run.Servers, run.Host)
	}
	return run
}

func TestCompareEndsWithZeroOnlyWhenTheVerdictsAreTheSame(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	b.run("compare", "reference", "reference").ended(0)
	run := referenceRun(t)
	v := verdictOf(t, &run)
	was := v.Verdict
	v.Verdict = map[string]string{"holds": "refuted"}[was]
	if v.Verdict == "" {
		v.Verdict = "holds"
	}
	if err := report.SaveReference(b.path("other"), run); err != nil {
		t.Fatal(err)
	}
	p := b.run("compare", "reference", b.path("other"))
	p.ended(1)
	if text := p.stdout.String(); !strings.Contains(text, "1 verdict of") || !strings.Contains(text, v.Claim) {
		t.Errorf("it says\n%s", text)
	}
	p = b.run("compare", "--json", "reference", b.path("other"))
	p.ended(1)
	var c report.Comparison
	if err := json.Unmarshal(p.stdout.Bytes(), &c); err != nil {
		t.Fatal(err)
	}
	if c.Same || len(c.Verdicts) != 1 || c.Verdicts[0].Claim != v.Claim || c.Verdicts[0].Verdicts[0] != was {
		t.Errorf("as JSON: %+v", c.Verdicts)
	}
}

// verdictOf is the first verdict of the run that was decided.
func verdictOf(t *testing.T, run *report.Run) *report.Verdict {
	t.Helper()
	for i := range run.Experiments {
		for j := range run.Experiments[i].Verdicts {
			if v := &run.Experiments[i].Verdicts[j]; v.Verdict != "not run" {
				return v
			}
		}
	}
	t.Fatal("the reference run decides nothing")
	return nil
}

func TestARunThatCannotBeComparedIsSaid(t *testing.T) {
	t.Parallel()
	torn := t.TempDir()
	if err := os.WriteFile(filepath.Join(torn, "report.json"), []byte(`{"schema": 1, "experiments": [`), 0o644); err != nil {
		t.Fatal(err)
	}
	wrongInput(t, nil, []wrong{
		{"compare", "compare needs two runs"},
		{"compare reference", "compare needs two runs"},
		{"compare reference reference reference", "compare needs two runs"},
		{"compare reference nowhere", "nowhere.*it has no report.json"},
		{"compare nowhere reference --json", "nowhere.*it has no report.json"},
		{"compare reference " + torn, "not a report"},
		{"compare reference latest", "runs/latest.*it has no report.json"},
		{"reference nowhere", "reference needs the folder of a run"},
		{"readme", "readme needs the README"},
	})
}

func TestTheReferenceRunAndTheReadmeAreWhatTheGeneratorsMake(t *testing.T) {
	t.Parallel()
	const dir = "../../docs/reference-run"
	again := t.TempDir()
	if err := report.SaveReference(again, referenceRun(t)); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"report.json", "report.md"} {
		if diff := cmp.Diff(text(t, again, name), text(t, dir, name)); diff != "" {
			t.Errorf("docs/reference-run/%s is not what is made from the reference run; write it again with\n\tbin/acklab reference docs/reference-run docs/reference-run\n%s", name, diff)
		}
	}
	was := text(t, "../..", "README.md")
	now, err := readme(was, dir, "docs/reference-run")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(now, was); diff != "" {
		t.Errorf("README.md is not what is made from docs/reference-run; write it again with\n\tmake docs\n%s", diff)
	}
	if changed, err := readme(strings.Replace(was, "| **", "| __", 1), dir, "docs/reference-run"); err != nil || changed != was {
		t.Errorf("a table that was changed by hand would not be seen: %v", err)
	}
}

func text(t *testing.T, dir, name string) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}
