package experiments

import (
	"context"
	"fmt"
	"time"
)

// A trial about time is one about the machine, too. The pacemaker tells the two
// apart: it does nothing but wake up, and what makes it late is not what is under
// test.

// paceEvery is how often it wakes up. A stall shows in it but for the part that
// the pacemaker would have slept anyway.
const paceEvery = 50 * time.Millisecond

// stalled is the measure of the pacemaker: how late it was at the most, in
// milliseconds.
const stalled = "machine_stalled_ms"

// paced carries out the steps of a cell that asks for a pacemaker (Cell.Stall). One
// that was too late makes the trial unsure.
func (t *Trial) paced(ctx context.Context, steps []Step) {
	pacing, stop := context.WithCancel(ctx)
	worst := make(chan time.Duration, 1)
	go func() { worst <- pace(pacing) }()
	t.do(ctx, steps)
	stop()
	late := <-worst
	if err := t.Measure(stalled, float64(late)/float64(time.Millisecond)); err != nil {
		t.note("pacemaker", err)
	}
	if late > t.cell.Stall {
		t.note("pacemaker", fmt.Errorf("the machine stood still for %s while times were measured, %s at the most is allowed", late.Round(time.Millisecond), t.cell.Stall))
	}
}

// pace wakes up until ctx ends and returns how late it was at the most.
func pace(ctx context.Context) (worst time.Duration) {
	for {
		asked := time.Now()
		err := pause(ctx, paceEvery)
		worst = max(worst, time.Since(asked)-paceEvery)
		if err != nil {
			return worst
		}
	}
}
