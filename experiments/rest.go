package experiments

import (
	"context"
	"time"
)

const (
	// atRestAfter is how long nothing must have moved in a trial that has come to
	// rest: longer than a slow machine stands still between two lines.
	atRestAfter = 8 * time.Second
	// restEvery is how often the server is asked about it.
	restEvery = 500 * time.Millisecond
)

// rest finds out whether a trial has come to rest: nothing is left to deliver,
// nothing is with a worker, alive or dead, and no line has been written for
// atRestAfter. A task that has not run by then will not run. To wait for it until the
// time of the steps is over would make the trial unsure, and what a claim is about
// would never count against it.
type rest struct {
	still stillness
	asked time.Time
}

// reached is to be called again and again while the trial waits.
func (r *rest) reached(ctx context.Context, t *Trial) bool {
	if time.Since(r.asked) < restEvery {
		return false
	}
	r.asked = time.Now()
	held, moving := t.moving(ctx)
	if moving {
		r.still = stillness{}
		return false
	}
	return r.still.since(held, t.lines()) >= atRestAfter
}

// moving tells whether anything is still to come, as far as can be known.
func (t *Trial) moving(ctx context.Context) (held load, moving bool) {
	if !t.anyAlive() || !t.membersIdle() {
		return held, true
	}
	if t.server == nil {
		return held, false
	}
	held, err := t.heldBy(ctx)
	return held, err != nil || held.ready > 0 || held.delayed > 0 || held.unacked > 0
}
