package experiments

import (
	"slices"
	"strings"
	"testing"

	"acklab/internal/check"
)

func TestEachOfThe87ClaimsIsInAnExperimentOrNotBuilt(t *testing.T) {
	t.Parallel()
	seen := map[string]string{}
	for _, e := range Catalogue {
		for _, c := range e.Claims {
			if other := seen[c]; other != "" {
				t.Errorf("claim %s is in %s and in %s", c, other, e.Name)
			}
			seen[c] = e.Name
		}
	}
	for c := range NotBuilt {
		if e := seen[c]; e != "" {
			t.Errorf("claim %s is in %s and not built", c, e)
		}
		seen[c] = "not built"
	}
	for c := range PartNotBuilt {
		if e := seen[c]; e == "" || e == "not built" {
			t.Errorf("a part of claim %s is not built, and no experiment has the rest", c)
		}
	}
	if len(seen) != 87 {
		t.Errorf("%d claims, want 87", len(seen))
	}
}

func TestNoSuiteHasAPredictionThatCannotFail(t *testing.T) {
	t.Parallel()
	for _, s := range append(slices.Clone(Suites), selfTest) {
		var plan Plan
		for _, e := range Catalogue {
			planned := Planned{Experiment: e}
			for _, sys := range e.systems(Systems) {
				for _, c := range e.Cells(sys, s) {
					planned.cells = append(planned.cells, &c)
				}
			}
			plan.Experiments = append(plan.Experiments, planned)
		}
		if err := plan.lint(); err != nil {
			t.Errorf("suite %s: %v", s, err)
		}
	}
}

func TestThePlantedPredictionOfEverythingIsRefused(t *testing.T) {
	t.Parallel()
	c := &Cell{Predicted: check.Bounds{"lost": {0, 10}}, Reasons: map[string]string{"lost": "who knows"}, Load: 10}
	if err := (Plan{Experiments: []Planned{{Experiment: workerCrash, cells: []*Cell{c}}}}).lint(); err == nil {
		t.Error("a prediction of [0, n] was let through")
	}
}

func TestEveryCellIsDeclaredInFull(t *testing.T) {
	t.Parallel()
	for _, e := range Catalogue {
		if e.Name == "" || !strings.HasSuffix(e.Question, "?") || e.Varies == "" || len(e.Threats) == 0 {
			t.Errorf("experiment %q lacks a name, a question, what it varies or its threats", e.Name)
		}
		for _, sys := range e.systems(Systems) {
			ids := map[string]bool{}
			for _, c := range e.Cells(sys, Full) {
				id := trialJob{experiment: e.Name, cell: &c, number: 1}.id()
				if ids[id] {
					t.Errorf("two cells of %s are called %s", e.Name, id)
				}
				ids[id] = true
				if c.NotRun != "" {
					continue
				}
				if c.Because == "" || c.Trials < 1 || c.Pace == "" || len(c.Steps) == 0 || c.Seconds <= 0 || c.Load < 1 {
					t.Errorf("cell %s is not declared in full: %+v", id, c)
				}
				breaksServer := slices.Contains(c.Expect.Faults, faultCut) || slices.Contains(c.Expect.Faults, faultRestart)
				if breaksServer && !c.Server.Own && !c.Results.Own {
					t.Errorf("cell %s breaks a server that it shares with other trials", id)
				}
				if c.Control != "" && len(c.Clean) == 0 {
					t.Errorf("cell %s names a control and has no steps for it", id)
				}
			}
		}
	}
}

func TestAWordThatNobodyKnowsIsOneClearLine(t *testing.T) {
	t.Parallel()
	for word, want := range map[string]string{
		"B99": "unknown experiment, claim, group or suite \"B99\"; acklab list shows what there is",
		"D4":  "claim D4 is not built yet (failure and retries); acklab list shows what is",
	} {
		if _, err := NewPlan(Choice{What: []string{word}}); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", word, err, want)
		}
	}
	if _, err := NewPlan(Choice{Systems: []string{"kafka"}}); err == nil || !strings.Contains(err.Error(), "unknown system \"kafka\": use memory, ") {
		t.Errorf("unknown system: %v", err)
	}
}

func TestASuiteAClaimAGroupAndANameChoose(t *testing.T) {
	t.Parallel()
	names := func(words ...string) string {
		plan, err := NewPlan(Choice{What: words})
		if err != nil {
			t.Fatal(err)
		}
		var out []string
		for _, e := range plan.Experiments {
			out = append(out, e.Name)
		}
		return strings.Join(out, " ")
	}
	for words, want := range map[string]string{
		"b6":           "worker-killed-at-random",
		"B2 A4":        "queue-holder-killed worker-crash",
		"C":            "task-leaves-the-queue one-worker-per-task",
		"flagship":     "worker-crash worker-killed-at-random worker-stopped-politely",
		"worker-crash": "worker-crash",
	} {
		if got := names(strings.Fields(words)...); got != want {
			t.Errorf("%s: %s, want %s", words, got, want)
		}
	}
}
