package experiments

import (
	"testing"

	"acklab/internal/check"
	"acklab/internal/plant"
	"acklab/internal/server"
)

func TestALostPublishIsNotLaidToAWorkerThatTakesInTwoSteps(t *testing.T) {
	if _, err := server.FindRedis(); err != nil {
		t.Skipf("%v (make test installs it)", err)
	}
	if _, err := findCelery(); err != nil {
		t.Skipf("%v (make test installs it)", err)
	}
	sys, err := systemNamed("celery+redis")
	if err != nil {
		t.Fatal(err)
	}
	r, err := newRunner(t.Context(), Options{Self: binary, Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer r.close()
	r.plant = plant.PublishDropped
	cell := readied(celeryRandomCell(sys, "late"), selfTest, 1)
	result, err := r.execute(t.Context(), trialJob{experiment: randomKill.Name, cell: cell, steps: cell.Steps, number: 1, seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	if outcome, reason := check.Outcome(cell.Predicted, []check.Result{result}); outcome != check.Surprise || result.Counts["lost_unexplained"] != 1 {
		t.Errorf("%s (%s), %v; want a surprise: one loss that nothing explains", outcome, reason, result.Counts)
	}
}
