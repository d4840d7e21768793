package experiments

import (
	"slices"
	"strings"
	"testing"

	"acklab/internal/check"
)

// Each cell without the step that makes the change is a change that has no effect.
func TestAChangeWithoutEffectIsAgainstTheClaim(t *testing.T) {
	needServers(t)
	sys, err := systemNamed("redis")
	if err != nil {
		t.Fatal(err)
	}
	r, err := newRunner(t.Context(), Options{Self: binary, Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.close)
	for i, c := range []struct {
		change, step string
		against      []string
	}{
		{changeAdd, "acklab schedule add", []string{"ticks_after 0,"}},
		{changeEnable, "acklab schedule disable", []string{"ticks_while_off "}},
		{changeFile, "rewrite the file", []string{"ticks_added 0,", "ticks_silent ", "ticks_slower "}},
		{changeBroken, "rewrite the file", []string{"ticks_added 0,", "ticks_silent ", "ticks_slower "}},
	} {
		t.Run(c.change, func(t *testing.T) {
			t.Parallel()
			cell := editCell(sys, c.change)
			cell.Stall = 0 // it is about the count
			first := slices.IndexFunc(cell.Steps, func(s Step) bool { return strings.HasPrefix(s.Name, c.step) })
			cell.Steps = slices.Delete(cell.Steps, first, first+1)
			result, err := r.execute(t.Context(), trialJob{experiment: scheduleEdits.Name, cell: &cell, steps: cell.Steps, number: i + 1, seed: 1})
			if err != nil {
				t.Fatal(err)
			}
			if len(result.Unsure) > 0 {
				t.Errorf("unsure: %v", result.Unsure)
			}
			against := check.WithinStated(cell.Claims["G4"], result)
			if !slices.EqualFunc(against, c.against, strings.HasPrefix) {
				t.Errorf("against the claim: %q, want %q", against, c.against)
			}
		})
	}
}
