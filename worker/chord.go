package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"acklab/internal/ledger"
	"acklab/internal/metrics"
	"acklab/result"
	"acklab/task"
)

// This file counts the members of chords, in the result store.
//
// The member whose join makes the chord complete publishes the callback; the
// store tells it the same when it joins again, so that a crash between the join
// and the publish loses nothing under late acknowledgement. The callback is Once.

// join counts a member that has succeeded. It reports as passOn.
func (w *Worker) join(ctx context.Context, settled bool, c *task.Member, value json.RawMessage) (sure bool) {
	return w.counted(ctx, settled, c, result.Part{Value: value}, "an error in an earlier run")
}

// joinFailed counts a member that has not succeeded. It reports as passOn.
func (w *Worker) joinFailed(ctx context.Context, settled bool, c *task.Member, why *result.Failure) (sure bool) {
	if c.Size == 0 || w.cfg.Results == nil { // it cannot be counted here, so it cannot be complete
		return w.brokenUncounted(ctx, settled, c, dependency(c, why.Error()))
	}
	return w.counted(ctx, settled, c, result.Part{Failed: true}, why.Error())
}

// counted joins a member and does what follows from that: the last publishes the
// callback, the first that failed calls it off. A member that has joined before, and
// ended otherwise then, is what it was. raised is the error for the callback.
func (w *Worker) counted(ctx context.Context, settled bool, c *task.Member, p result.Part, raised string) (sure bool) {
	joined, err := w.count(ctx, c, p)
	switch {
	case errors.Is(err, result.ErrInvalid) && p.Value != nil: // the value: what is without one may be counted
		return w.counted(ctx, settled, c, result.Part{Failed: true}, err.Error())
	case errors.Is(err, result.ErrInvalid):
		w.write(ledger.Line{Event: ledger.JoinLost, Task: c.Task, Reason: err.Error()})
		return w.brokenUncounted(ctx, settled, c, dependency(c, err.Error()))
	case err != nil:
		return w.uncounted(settled, c, err)
	case joined.FirstFailed:
		return w.broken(ctx, settled, c, dependency(c, raised))
	case joined.Last && joined.Failed == 0:
		return w.callBack(ctx, settled, c)
	}
	return true
}

// dependency is the error of a callback whose member c has failed, as Celery words it.
func dependency(c *task.Member, raised string) *result.Failure {
	return celeryFailure(chordError, fmt.Sprintf("Dependency %s raised %s", c.Task, raised))
}

// callBack publishes the callback of a chord that is complete. It reports as passOn.
func (w *Worker) callBack(ctx context.Context, settled bool, c *task.Member) (sure bool) {
	values, err := w.values(ctx, c)
	if err != nil && !errors.Is(err, result.ErrMalformed) && !errors.Is(err, result.ErrInvalid) {
		return w.uncounted(settled, c, err)
	}
	var callback *task.Plan
	if err == nil {
		callback, err = c.Callback(values)
	}
	if err != nil { // the values have expired, or make no message: nobody will do better
		w.write(ledger.Line{Event: ledger.JoinLost, Task: c.Task, Reason: err.Error()})
		return w.broken(ctx, settled, c, celeryFailure(chordError, err.Error()))
	}
	return w.send(ctx, settled, callback.First)
}

// brokenUncounted is broken for a chord whose members cannot be counted, so that none
// is the first to fail: this worker calls it off once, not for each of them.
func (w *Worker) brokenUncounted(ctx context.Context, settled bool, c *task.Member, why *result.Failure) (sure bool) {
	if c.Group != "" && w.uncountable.has(c.Group) {
		return true
	}
	if sure = w.broken(ctx, settled, c, why); sure {
		w.uncountable.add(c.Group)
	}
	return sure
}

// broken calls the errbacks of a chord's callback, and calls it off once they are sure
// to be with the broker. It reports as passOn.
func (w *Worker) broken(ctx context.Context, settled bool, c *task.Member, why *result.Failure) (sure bool) {
	plan, err := c.CalledOff()
	if err != nil {
		w.log.Error("the callback of a chord cannot be called off", "chord", c.Group, "err", err)
		return true
	}
	first := map[string]bool{}
	sure = true
	for _, m := range plan.First {
		first[m.TaskID] = true
		links, err := m.Links()
		if err != nil {
			continue // it is one of ours
		}
		if errbacks, err := m.Failing(links); err == nil {
			sure = w.send(ctx, settled, errbacks.First) && sure
		}
	}
	if !sure && !settled {
		return false
	}
	up := result.NewFailure(upstreamError, fmt.Sprintf("the callback of chord %s did not run: %s", c.Group, why.Error()))
	for _, s := range plan.Owed {
		reason := up
		if first[s.Task] {
			reason = why
		}
		w.callOff(ctx, []task.Step{s}, reason)
	}
	for _, end := range plan.Ends {
		sure = w.joinFailed(ctx, settled, end, why) && sure
	}
	return sure
}

// count joins a member.
func (w *Worker) count(ctx context.Context, c *task.Member, p result.Part) (joined result.Joined, err error) {
	p.Chord, p.Member, p.Size = c.Group, c.Index, c.Size
	err = w.ask(ctx, storeWithin, func(ctx context.Context) (err error) {
		joined, err = w.cfg.Results.Join(ctx, p)
		return err
	})
	return joined, err
}

// values are those of all members, which may be many: they have as long as a publish.
func (w *Worker) values(ctx context.Context, c *task.Member) (values []json.RawMessage, err error) {
	err = w.ask(ctx, publishWithin, func(ctx context.Context) (err error) {
		values, err = w.cfg.Results.Values(ctx, c.Group, c.Size)
		return err
	})
	return values, err
}

// uncounted says that a chord does not know of its member. A delivery that is not
// settled goes back, and the member will be counted. Otherwise the chord is lost.
func (w *Worker) uncounted(settled bool, c *task.Member, err error) (sure bool) {
	if !settled {
		w.log.Warn("a member of a chord was not counted, it will run again", "task", c.Task, "chord", c.Group, "err", err)
		return false
	}
	w.write(ledger.Line{Event: ledger.JoinLost, Task: c.Task, Reason: err.Error()})
	w.metrics.ResultKept(metrics.LostResult)
	w.log.Error("a chord is lost: its member could not be counted", "task", c.Task, "chord", c.Group, "err", err)
	return true
}
