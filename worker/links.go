package worker

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"acklab/broker"
	"acklab/internal/ledger"
	"acklab/internal/metrics"
	"acklab/result"
	"acklab/task"
)

// This file is what follows a task in a workflow.
//
// Success: its callbacks and the next step of its chain are published and
// confirmed, and its chord is told, after its result was stored and before a late
// acknowledgement: a crash in between repeats the task, and what follows it is
// published again, under the same ids. Early, a crash from the acknowledgement to
// the confirm leaves the rest of the workflow unpublished.
// Failure for good: its errbacks are published, and what will not run now is
// called off, in the ledger and with a FAILURE for whoever waits for it.

// The types of the errors of tasks that did not run.
const (
	upstreamError = "UpstreamError" // a task before it in its chain has failed
	chordError    = "ChordError"    // a member of its chord has failed; Celery's own
)

// unsureSuccessor is why a delivery goes back.
const unsureSuccessor = "what follows it is not sure to be with the broker, or with the result store"

// batch is how many messages are published together.
const batch = 256

// job is a delivery, and what follows its task.
type job struct {
	*broker.Delivery
	msg    *task.Message // with the queue that it came from
	links  task.Links
	member *task.Member // of a chord; nil: of none

	// settled: it was acknowledged, so that it cannot go back.
	settled bool
}

// job reads what follows the task of a delivery. The error says why this worker
// cannot see to that: then it must not run the task, and what could be read is told
// that it has failed. Of a message that cannot be read only its chord is told.
func (w *Worker) job(d *broker.Delivery) (j job, err error) {
	j = job{Delivery: d, msg: d.Message}
	if d.Message.Embed == nil {
		return j, nil
	}
	m := *d.Message
	m.Queue = d.Queue
	j.msg = &m
	var unread, unplaced error
	j.links, unread = m.Links()
	j.member, unplaced = m.Member(j.links)
	if d.Malformed != nil { // its id may be made up: only its chord is told
		j.links = task.Links{}
		return j, nil
	}
	if err := cmp.Or(unread, unplaced); err != nil {
		return j, err
	}
	if _, err := m.CalledOff(j.links); err != nil {
		return j, fmt.Errorf("what follows it cannot be published: %w", err)
	}
	switch {
	case j.member == nil:
	case j.member.Size == 0:
		return j, errors.New("it is a member of a chord that Celery has begun, and Celery counts the members in its own result backend: have Celery's workers run them")
	case w.cfg.Results == nil:
		return j, errors.New("it is a member of a chord, whose members are counted in a result store, and this worker has none: name one with --result")
	}
	return j, nil
}

// follows tells whether anything has to be done once the task has ended.
func (j job) follows() bool {
	return len(j.links.Callbacks)+len(j.links.Errbacks)+len(j.links.Chain) > 0 || j.member != nil
}

// passOn publishes what follows a success. It reports whether the broker is known
// to have it; if not, a late acknowledgement must not be given.
func (w *Worker) passOn(ctx context.Context, j job, value json.RawMessage) (sure bool) {
	next, err := j.successors(value)
	return w.publishNext(ctx, j, value, next, err)
}

// successors is what follows a success, nil if nothing does; the error says why it
// cannot be published.
func (j job) successors(value json.RawMessage) (*task.Plan, error) {
	if !j.follows() {
		return nil, nil
	}
	return j.msg.Successors(j.links, value)
}

// publishNext is passOn with what successors has said.
func (w *Worker) publishNext(ctx context.Context, j job, value json.RawMessage, next *task.Plan, err error) (sure bool) {
	switch {
	case err != nil:
		return w.breakOff(ctx, j, result.NewFailure(upstreamError, "what follows it cannot be published: "+err.Error()))
	case next == nil:
		return true
	}
	sure = w.send(ctx, j.settled, next.First)
	if j.member != nil {
		sure = w.join(ctx, j.settled, j.member, value) && sure
	}
	return sure
}

// followed marks that what follows a task is sure to be with the broker, if it is.
func (j job) followed(at watch, sure bool) bool {
	if sure && j.follows() {
		at.reach(LinksSent)
	}
	return sure
}

// send publishes messages of a workflow and reports as passOn; settled says that the
// delivery they follow from cannot go back. One that certainly
// is not with the broker, and never will be, has failed.
func (w *Worker) send(ctx context.Context, settled bool, ms []*task.Message) (sure bool) {
	sure = true
	for i, err := range w.publishAll(ctx, ms) {
		switch {
		case err == nil, broker.RefusedAs(err, broker.Duplicate): // it has it
		case impossible(err), settled && errors.Is(err, broker.ErrRefused) && w.ledger.Err() == nil:
			sure = w.unsent(ctx, settled, ms[i], err) && sure
		default:
			w.log.Error("a task of a workflow is not sure to be with the broker", "task", ms[i].TaskID, "name", ms[i].Name, "err", err)
			sure = sure && settled // there is nothing left to give back
		}
	}
	return sure
}

// unsent ends a task that could not be published: as one that has failed.
func (w *Worker) unsent(ctx context.Context, settled bool, m *task.Message, cause error) (sure bool) {
	why := result.NewFailure(upstreamError, "its message was not taken: "+cause.Error())
	w.log.Error("a task of a workflow was not taken by the broker", "task", m.TaskID, "name", m.Name, "err", cause)
	w.storeOff(ctx, task.Step{Task: m.TaskID, Name: m.Name, Queue: m.Queue, Group: m.GroupID, IgnoreResult: m.IgnoreResult}, why)
	links, err := m.Links()
	if err != nil {
		return true // it is one of ours
	}
	member, _ := m.Member(links)
	return w.fallOut(ctx, job{msg: m, links: links, member: member, settled: settled}, why)
}

// fallOut does what follows a task that has ended without success, for the
// reason why. One that has succeeded before, as the result store knows it, has begun
// what follows it: that goes on. It reports as passOn.
func (w *Worker) fallOut(ctx context.Context, j job, why *result.Failure) (sure bool) {
	if !j.follows() {
		return true
	}
	if value, before := w.succeededBefore(ctx, j.msg); before {
		return w.passOn(ctx, j, value)
	}
	return w.breakOff(ctx, j, why)
}

// breakOff calls the errbacks of a task, and calls off what follows it: as much of
// both as can be planned. It reports as passOn. As long as the task may run again,
// because its errbacks are not sure, nothing is called off and its chord is not told.
func (w *Worker) breakOff(ctx context.Context, j job, why *result.Failure) (sure bool) {
	errbacks, err := j.msg.Failing(j.links)
	if err != nil {
		w.log.Error("the errbacks of a task cannot be called", "task", j.msg.TaskID, "err", err)
		errbacks = &task.Plan{}
	}
	off, err := j.msg.CalledOff(j.links)
	if err != nil {
		w.log.Error("what follows a task cannot be called off", "task", j.msg.TaskID, "err", err)
		off = &task.Plan{}
	}
	if sure = w.send(ctx, j.settled, errbacks.First); !sure && !j.settled {
		return false
	}
	up := result.NewFailure(upstreamError, fmt.Sprintf("task %s has failed: %s", j.msg.TaskID, why.Error()))
	w.callOff(ctx, off.Owed, up)
	for _, end := range off.Ends {
		sure = w.joinFailed(ctx, j.settled, end, up) && sure
	}
	if j.member != nil {
		sure = w.joinFailed(ctx, j.settled, j.member, why) && sure
	}
	return sure
}

// callOff says of tasks that they will not run.
func (w *Worker) callOff(ctx context.Context, steps []task.Step, why *result.Failure) {
	for _, s := range steps {
		w.write(ledger.Line{Event: ledger.CalledOff, Task: s.Task, Name: s.Name, Queue: s.Queue, Reason: why.Error()})
		w.storeOff(ctx, s, why)
	}
}

// storeOff keeps FAILURE for a task that has not run: whoever waits for it is not
// to wait for ever.
func (w *Worker) storeOff(ctx context.Context, s task.Step, why *result.Failure) {
	if w.cfg.Results == nil || s.IgnoreResult {
		return
	}
	r := result.Result{
		TaskID: s.Task, State: task.Failure, Error: why, Name: s.Name, Queue: s.Queue, GroupID: s.Group,
		Worker: w.cfg.Name, Done: time.Now(),
	}
	if err := w.store(ctx, r); err != nil && !errors.Is(err, result.ErrFinished) {
		w.write(ledger.Line{Event: ledger.Untold, Task: s.Task, Name: s.Name, Queue: s.Queue, State: string(r.State), Reason: err.Error()})
		w.metrics.ResultKept(metrics.LostResult)
		w.log.Error("a result is lost", "task", s.Task, "name", s.Name, "state", r.State, "err", err)
	}
}
