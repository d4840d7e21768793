// Package fault breaks servers and processes on purpose, one small file a fault,
// and says what really happened. It is laid out like the failpoints of etcd's
// robustness tests (tests/robustness/failpoint): a fault has a name, says whether
// it can be injected, is injected, and is healed.
//
// A fault that did not happen, or happened to nobody, is an error of Inject, never
// silence: an experiment without its fault proves nothing.
package fault

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"acklab/internal/minder"
)

// ErrDidNotHappen means that Inject could not make sure that the fault happened as
// named: the target had ended by itself, nobody was connected, a polite stop had to
// be forced.
var ErrDidNotHappen = errors.New("the fault did not happen")

// Fault is one thing that goes wrong with one target. A fault is injected once, and
// its methods are not called concurrently.
type Fault interface {
	// Name is for reports: "kill redis", "freeze worker-1".
	Name() string
	// Available returns nil when the fault can be injected now, on this machine, and
	// else what is in the way.
	Available() error
	// Inject makes the fault happen, makes sure that it did, and returns the evidence.
	// ErrDidNotHappen: see there. Evidence that comes with an error says how far it got.
	Inject(ctx context.Context) (Evidence, error)
	// Heal undoes what can be undone: a server is up again, a frozen process runs.
	// It is safe after an Inject that failed, and when there is nothing to heal.
	Heal(ctx context.Context) error
}

// Evidence is what really happened.
type Evidence struct {
	Fault  string `json:"fault"`  // its kind: "kill", "freeze" ...
	Target string `json:"target"` // the name of the server or process
	Pid    int    `json:"pid"`    // of the process that was hit
	// Start is just before the fault, End when it was certain, in nanoseconds of
	// CLOCK_MONOTONIC (minder.Now). For a fault with a duration of its own, such as a
	// restart, End is when it was over.
	Start int64 `json:"start"`
	End   int64 `json:"end"`
	// Detail is particular to the fault; each constructor names its keys. Keys that
	// end in _ns are readings of the same clock.
	Detail map[string]string `json:"detail,omitempty"`
}

// begin opens the evidence, and fails when the target has ended already.
func begin(kind string, p *minder.Process) (Evidence, error) {
	e := Evidence{Fault: kind, Target: p.Name(), Pid: p.Pid(), Start: minder.Now(), Detail: map[string]string{}}
	return e, running(p)
}

// running is nil while the process has not ended.
func running(p *minder.Process) error {
	if p.Alive() {
		return nil
	}
	return fmt.Errorf("%w: %s (pid %d) had ended before, with %s", ErrDidNotHappen, p.Name(), p.Pid(), p.Exit())
}

// ended enters how the process ended.
func (e *Evidence) ended(x minder.Exit) {
	e.End = x.At
	e.Detail["exit"] = x.String()
	e.Detail["reaped_ns"] = strconv.FormatInt(x.At, 10)
}

// wait pauses, unless the context ends first.
func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
