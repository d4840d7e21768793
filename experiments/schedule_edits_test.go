package experiments

import (
	"slices"
	"strings"
	"testing"

	"acklab/internal/check"
)

func TestAScheduleThatIsAddedWithoutEffectIsAgainstTheClaim(t *testing.T) {
	needServers(t)
	sys, err := systemNamed("redis")
	if err != nil {
		t.Fatal(err)
	}
	c := editCell(sys, changeAdd)
	c.Stall = 0 // it is about the count
	c.Steps = slices.DeleteFunc(c.Steps, func(s Step) bool { return strings.HasPrefix(s.Name, "acklab schedule add") })
	r, err := newRunner(t.Context(), Options{Self: binary, Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer r.close()
	result, err := r.execute(t.Context(), trialJob{experiment: scheduleEdits.Name, cell: &c, steps: c.Steps, number: 1, seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	if len(result.Unsure) > 0 {
		t.Errorf("unsure: %v", result.Unsure)
	}
	if against := check.WithinStated(c.Claims["G4"], result); len(against) != 1 || !strings.HasPrefix(against[0], "ticks_after 0,") {
		t.Errorf("against the claim: %v", against)
	}
}
