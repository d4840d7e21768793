package experiments

import (
	"strings"
	"testing"
	"time"

	"acklab/internal/check"
)

func TestACellWhoseControlWasNotCleanIsUnsureWhateverItsTrialsSay(t *testing.T) {
	t.Parallel()
	counts := check.Counts{}
	for _, name := range check.Names {
		counts[name] = 0
	}
	fine := check.Result{Counts: counts}
	cell := &Cell{System: Systems[2], Setting: Setting{"ack": "late"}, Trials: 1, Control: "late", Claims: map[string]check.Bounds{"B6": {"lost": {0, 0}}}}
	plan := Plan{Experiments: []Planned{{Experiment: randomKill, cells: []*Cell{cell}}}}
	b := newBook(plan)
	control := trialJob{experiment: randomKill.Name, cell: cell, control: true, number: 1}
	b.controls(1)
	if s := b.record(control, check.Result{Counts: counts, Unsure: []string{"no probe"}}); !strings.Contains(s.Reason, "no probe") {
		t.Errorf("the control's trouble is %q", s.Reason)
	}
	if s := b.record(trialJob{experiment: randomKill.Name, cell: cell, number: 1}, fine); s.Outcome != check.Doubtful {
		t.Errorf("outcome %q (%s), want unsure", s.Outcome, s.Reason)
	}
	run := b.report(time.Now(), nil)
	if v := run.Experiments[0].Verdicts[0]; v.Verdict != check.NotRun {
		t.Errorf("the claim %s %s from a cell in doubt: %s", v.Claim, v.Verdict, v.Because)
	}
}

func TestTheVerdictSaysWhichPartOfTheClaimNobodyTries(t *testing.T) {
	t.Parallel()
	for claim, part := range PartNotBuilt {
		if v := verdicts([]string{claim}, nil, nil)[0]; !strings.Contains(v.Because, "not tried: "+part) {
			t.Errorf("the verdict on %s does not say that this was not tried: %s\n%s", claim, part, v.Because)
		}
	}
}
