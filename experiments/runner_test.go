package experiments

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"acklab/internal/report"
)

// runOf carries out a choice on the in-process system.
func runOf(t *testing.T, words ...string) (report.Run, string) {
	t.Helper()
	plan, err := NewPlan(Choice{What: words, Systems: []string{"memory"}, Trials: 1})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	run, err := Run(t.Context(), plan, Options{Self: binary, Dir: dir, Seed: 7})
	if err != nil {
		t.Fatal(err)
	}
	return run, dir
}

func TestARunIsAsPredictedAndCanBeJudgedAgain(t *testing.T) {
	defer goleak.VerifyNone(t)
	run, dir := runOf(t, "A4", "B4")
	if code := ExitStatus(run); code != 0 {
		t.Errorf("exit status %d: %s", code, report.AnswerTable(run))
	}
	again, err := Recheck(dir)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(outcomes(run), outcomes(again)); diff != "" {
		t.Errorf("judged again it is different:\n%s", diff)
	}
}

func TestARunWhoseLedgerIsGoneIsJudgedUnsure(t *testing.T) {
	run, dir := runOf(t, "A4")
	trial := run.Experiments[0].Cells[0].Trials[0].ID
	if err := os.Remove(filepath.Join(dir, "ledger", trial, "victim.jsonl")); err != nil {
		t.Fatal(err)
	}
	again, err := Recheck(dir)
	if err != nil {
		t.Fatal(err)
	}
	if got := ExitStatus(again); got != 2 {
		t.Errorf("exit status %d, want 2 (unsure): %v", got, outcomes(again))
	}
}

func TestARunThatIsInterruptedEndsWithTheContextsError(t *testing.T) {
	plan, err := NewPlan(Choice{What: []string{"B6"}, Systems: []string{"memory"}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, err := Run(ctx, plan, Options{Self: binary, Dir: t.TempDir(), Seed: 1}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want the context's error", err)
	}
}

func TestTheSeedDecidesTheMomentOfARandomKill(t *testing.T) {
	t.Parallel()
	draw := func(seed int64, system int) [4]int {
		r := &Runner{dir: t.TempDir()}
		trial, err := r.prepare(trialJob{experiment: "x", cell: &Cell{System: Systems[system]}, seed: seed})
		if err != nil {
			t.Fatal(err)
		}
		return [4]int{trial.rng.IntN(1000), trial.rng.IntN(1000), trial.rng.IntN(1000), trial.rng.IntN(1000)}
	}
	first, second, other, elsewhere := draw(3, 0), draw(3, 0), draw(4, 0), draw(3, 1)
	if first != second {
		t.Error("the same seed draws differently")
	}
	if first == other {
		t.Error("another seed draws the same")
	}
	if first == elsewhere {
		t.Error("another system draws the same from the same seed: their trials are not independent")
	}
}

func outcomes(run report.Run) map[string]string {
	all := map[string]string{}
	for _, e := range run.Experiments {
		for _, c := range e.Cells {
			all[e.Name+" "+Setting(c.Setting).String()] = c.Outcome
		}
		for _, v := range e.Verdicts {
			all[v.Claim] = v.Verdict + ": " + v.Because
		}
	}
	return all
}
