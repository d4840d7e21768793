package worker

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"

	"acklab/broker"
	"acklab/internal/ledger"
	"acklab/task"
)

// Point is a checkpoint of the worker's way with one task.
type Point string

// The checkpoints. Those that are not facts but races (AckSent, LateAckSent)
// lie between handing an acknowledgement to the client library and the
// broker's having processed it.
const (
	BeforeFetch  Point = "before-fetch"  // connected, nothing requested yet
	Fetched      Point = "fetched"       // a slot has the task, nothing is acknowledged
	AckSent      Point = "ack-sent"      // early: handed to the client library
	Acked        Point = "acked"         // early: the broker has processed it
	Started      Point = "started"       // just before the handler's first line
	Mid          Point = "mid"           // in the middle of the handler
	Finished     Point = "finished"      // the handler has returned, well or badly
	ResultStored Point = "result-stored" // the store has taken the result, or it is lost
	LinksSent    Point = "links-sent"    // what follows it in its workflow is confirmed, its chord told; late: it is not settled
	Failed       Point = "failed"        // the handler has failed and is to be tried again, its retry is not published
	RetrySent    Point = "retry-sent"    // the broker has confirmed the retry; late: the failed delivery is not settled
	LateAckSent  Point = "late-ack-sent" // late: handed to the client library
	LateAcked    Point = "late-acked"    // late: the broker has processed it
)

// Points are the checkpoints that exist in the mode, in the order in which a
// task meets them. A task that does not fail does not meet Failed and RetrySent;
// one that will be tried again does not meet ResultStored; LinksSent is met by
// those that something follows.
func Points(mode AckMode) []Point {
	if mode == Late {
		return []Point{BeforeFetch, Fetched, Started, Mid, Finished, ResultStored, LinksSent, Failed, RetrySent, LateAckSent, LateAcked}
	}
	return []Point{BeforeFetch, Fetched, AckSent, Acked, Started, Mid, Finished, ResultStored, LinksSent, Failed, RetrySent}
}

// Trigger names a checkpoint of one task: the one with the id Task, or, when
// that is empty, the Nth that a slot accepts, counted from 1.
type Trigger struct {
	At   Point
	Task string
	Nth  int
}

func (t *Trigger) check(mode AckMode) error {
	if t == nil {
		return nil
	}
	if !slices.Contains(Points(mode), t.At) {
		return fmt.Errorf("no checkpoint %q with %s acknowledgement: use one of %s", t.At, mode, pointList(mode))
	}
	if t.Task == "" && t.Nth < 1 {
		return fmt.Errorf("checkpoint %q: name a task id, or a number from 1", t.At)
	}
	return nil
}

func pointList(mode AckMode) string {
	var names []string
	for _, p := range Points(mode) {
		names = append(names, string(p))
	}
	return strings.Join(names, ", ")
}

// checkpoints decide which task is watched and act when it gets there.
type checkpoints struct {
	crash, pause *Trigger
	resume       <-chan struct{}
	ledger       *ledger.Writer
	accepted     atomic.Int64
}

// watch is what one accepted task needs to know of the triggers.
type watch struct {
	c            *checkpoints
	msg          *task.Message
	session      int // of its delivery
	crash, pause bool
	stop         <-chan struct{} // ends a pause like resume; nil: nothing else does
}

// accept counts the task and tells which triggers are meant for it.
func (c *checkpoints) accept(d *broker.Delivery) watch {
	m := d.Message
	n := int(c.accepted.Add(1))
	meant := func(t *Trigger) bool {
		return t != nil && (t.Task == m.TaskID && t.Task != "" || t.Task == "" && t.Nth == n)
	}
	return watch{c: c, msg: m, session: d.Session, crash: meant(c.crash), pause: meant(c.pause)}
}

// begin is the watch of the checkpoint before any task. There is nothing yet
// that a polite stop would have to wait for.
func (c *checkpoints) begin(stop <-chan struct{}) watch {
	at := func(t *Trigger) bool { return t != nil && t.At == BeforeFetch }
	return watch{c: c, msg: &task.Message{}, crash: at(c.crash), pause: at(c.pause), stop: stop}
}

// reach pauses or dies here if a trigger says so.
func (w watch) reach(p Point) {
	if w.pause && w.c.pause.At == p {
		w.c.ledger.Write(ledger.Line{Event: ledger.Holding, Task: w.msg.TaskID, Message: w.msg.ID, Point: string(p)})
		select {
		case <-w.c.resume:
		case <-w.stop:
			return
		}
	}
	if w.crash && w.c.crash.At == p {
		w.c.ledger.WriteLast(ledger.Line{Event: ledger.Checkpoint, Task: w.msg.TaskID, Message: w.msg.ID, Session: w.session, Point: string(p)})
		die()
	}
}

// armed tells whether the task is to die at p or later: then the facts before
// that point must be facts.
func (w watch) armed(mode AckMode, p Point) bool {
	if !w.crash {
		return false
	}
	points := Points(mode)
	return slices.Index(points, w.c.crash.At) >= slices.Index(points, p)
}

// die ends the process as a crash does: no deferred call, no flush, no word.
func die() {
	syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {}
}
