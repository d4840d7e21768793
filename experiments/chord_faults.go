package experiments

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"acklab/internal/check"
	"acklab/internal/ledger"
	"acklab/internal/server"
)

// Chords with a fault: a worker killed midway, deliveries that come again, and the
// window that is left: a callback that is delivered again before its first run has
// ended.

// chordCrash: one of four workers dies in the middle of its fifth member.
func chordCrash(sys System, suite Suite, ack string) Cell {
	words, want := chordNaps()
	c := chordOf(sys, Setting{"ack": ack, "fault": "a worker killed midway"}, want)
	if sys.Kind == NoServer {
		c.NotRun = diesWithItsWorker
		return c
	}
	c.Expect, c.Control = ledger.Expect{Victim: "worker1", Checkpoint: "mid", Running: 1}, ack
	awaitLease(&c, sys, suite)
	hands := chordHands(ack)
	victim := hands
	victim.CrashAt, victim.CrashNth = "mid", 5
	load := chordSteps(sys, &c, Job{Count: 1, Workflow: words}, hands, chordSize+1)
	c.Clean = load
	runs, held := chordSize+1, "how many members it held beside the running one is a race"
	fact := "the acknowledgements of the members before were handed over, and some may not have been processed when the worker died: at most as many as it had in hand"
	c.wide("repeated", 0, 3, fact)
	c.wide("restarted", 1, 4, fact)
	c.wide("redelivered", 1, 7, held+"; "+fact)
	c.Because = "the members that the dead worker held come back to the others, and the last one publishes the callback"
	if ack == "early" {
		runs -= 2
		c.Predicted = check.Bounds{"lost": {1, 1}, "lost_after_ack": {1, 1}, "never_sent": {1, 1}, "callbacks_run": {0, 0}, "results_in_order": {0, 0}, "callback_failed": {0, 0}, "errbacks_run": {0, 0}}
		c.Reasons = map[string]string{}
		c.wide("redelivered", 0, 4, held)
		c.Because = "the running member was acknowledged and is lost: the chord is never complete, and nobody says so"
	}
	before := len(load) - 2*chordWorkers - 1 // the workers, and the wait
	c.Steps = append(load[:before:before], atOnceWith(sys, victim, hands)...)
	c.Steps = append(c.Steps, AwaitCrash("worker1"), AwaitRuns(runs))
	return c
}

// atOnceWith starts the victim and the other workers of a chord, and lets all of
// them begin together: each is to have its share. Celery's cannot wait.
func atOnceWith(sys System, victim, others Hands) []Step {
	if !sys.Celery {
		victim.PauseAt, others.PauseAt = "before-fetch", "before-fetch"
	}
	names := workerNames()[:chordWorkers]
	steps := []Step{StartWorker(names[0], victim)}
	for _, name := range names[1:] {
		steps = append(steps, StartWorker(name, others))
	}
	if sys.Celery {
		return steps
	}
	for _, name := range names {
		steps = append(steps, AwaitHolding(name, "before-fetch", 0))
	}
	for _, name := range names {
		steps = append(steps, Release(name))
	}
	return steps
}

// chordRedelivered: members are delivered again while they run: RabbitMQ's
// connections are closed, on Redis the lease is shorter than some members.
func chordRedelivered(sys System) Cell {
	words, want := chordNaps()
	c := chordOf(sys, Setting{"ack": "late", "fault": "members delivered again"}, want)
	switch {
	case sys.Name == "redis":
		return leaseTooShort(c)
	case sys.Kind == NoServer:
		c.NotRun = "no such point: the in-process queue delivers each message once, and has no connection that could be closed; copies are another cell"
		return c
	case sys.Kind != RabbitMQ || sys.Celery:
		c.NotRun = "no such point: its deliveries do not come again while their worker lives; worker crashes and copies are other cells"
		return c
	}
	c.Server.Own = true
	held := chordWorkers * 4
	why := "the moment of the fault decides how many deliveries were unsettled, and how many of them had finished"
	for _, name := range []string{"restarted", "repeated"} {
		c.wide(name, 0, held, why)
	}
	c.wide("redelivered", 1, held, why+"; one at least was in hand")
	c.Because = "what comes again runs again and is counted once, by its place in the chord"
	c.Expect, c.Control = ledger.Expect{Faults: []string{faultCut}, InHand: 1}, "late"
	job := Job{Count: 1, Workflow: words}
	c.Clean = chordSteps(sys, &c, job, chordHands("late"), chordSize+1)
	c.Steps = []Step{Declare(), Publish(job)}
	for _, name := range workerNames()[:chordWorkers] {
		c.Steps = append(c.Steps, StartWorker(name, chordHands("late")))
	}
	for _, name := range workerNames()[:chordWorkers] {
		c.Steps = append(c.Steps, AwaitCount(name, ledger.Started, 1))
	}
	c.Steps = append(c.Steps, CloseConnections(), AwaitRuns(chordSize+1))
	return c
}

// chordNaps are the words of a chord whose members take a fiftieth of a second, so
// that a fault finds them at work, and what its callback is given.
func chordNaps() (words []string, want string) {
	words = []string{"--chord", "echo"}
	values := make([]float64, chordSize)
	for i := range values {
		values[i] = 0.02 + float64(i)/100_000
		words = append(words, fmt.Sprintf("sleep [%g]", values[i]))
	}
	return words, inJSON(values)
}

// leaseTooShort: the first four members take one and a half times as long as their
// lease, which nobody renews.
func leaseTooShort(c Cell) Cell {
	words, _ := chordWords(chordSize)
	values := make([]float64, chordSize)
	for i := range values {
		values[i] = 0.001
		if i < chordWorkers {
			values[i] = shortest.task.Seconds()
		}
		words[2+i] = fmt.Sprintf("sleep [%g]", values[i])
	}
	c.Final = []Step{MeasureChord(inJSON(values), chordErrback)}
	c.Server.Own, c.Seconds = true, 8
	c.Options = []string{"visibility=" + shortest.lease.String(), "restore=" + shortest.sweep.String(), "lease=fixed", "settle=celery"}
	why := "each of the four long members comes again when its lease is over, and may come a third time to whoever is free by then"
	for _, name := range []string{"redelivered", "restarted", "repeated"} {
		c.wide(name, 1, 4*chordWorkers, why)
	}
	late := "the second run of the member that made the chord complete publishes the callback again, if it ends"
	c.wide("copied", 0, 1, late)
	c.wide("collapsed", 0, 1, late)
	c.Because = "members that outlive their lease run again and are counted once, by their place in the chord"
	hands := Hands{Ack: "late", Concurrency: 1, Multiplier: 1}
	c.Steps = flowSteps(c.System, &c, Job{Count: 1, Workflow: words}, hands, chordWorkers, chordSize+2)
	return c
}

// callbackSize is the number of members where the callback is what matters.
const callbackSize = 10

// callbackCrash: the worker of the callback dies in it.
func callbackCrash(sys System, suite Suite, ack, at string) Cell {
	words, want := chordWords(callbackSize)
	c := chordOf(sys, Setting{"ack": ack, "fault": "the callback's worker killed", "crash_at": at}, want)
	if sys.Kind == NoServer {
		c.NotRun = diesWithItsWorker
		return c
	}
	c.Load, c.Control = callbackSize+1, "callback "+ack
	c.Expect = ledger.Expect{Victim: "victim", Checkpoint: at, Running: 1}
	awaitLease(&c, sys, suite)
	hands := Hands{Ack: ack, Concurrency: 1, Multiplier: 1}
	victim := hands
	victim.CrashAt, victim.CrashPlace = at, "callback"
	job := Job{Count: 1, Workflow: words}
	c.Clean = flowSteps(sys, &c, job, hands, 1, callbackSize+1)
	runs := callbackSize + 1
	one := [2]int{1, 1}
	switch {
	case ack == "early" && at == "finished":
		c.Predicted["results_in_order"] = [2]int{0, 0}
		c.Claims = map[string]check.Bounds{"F3": {"callbacks_run": {1, 1}}} // it was called back; that its result is lost is no matter of chords
		c.Because = "the callback had run and was acknowledged before: it is not run again, and its result is lost"
	case ack == "late" && at == "result-stored" && !sys.Celery:
		c.Predicted["redelivered"], c.Predicted["collapsed"] = one, one
		c.Because = "the callback comes again, and the result store knows that it has succeeded: it is not run again"
	default:
		runs++
		c.Predicted["redelivered"], c.Predicted["restarted"], c.Predicted["repeated"] = one, one, one
		c.Predicted["callbacks_run"] = [2]int{2, 2}
		c.Because = "the callback has run, and nobody knows it but the dead worker: it comes again and runs again"
	}
	c.Steps = []Step{Declare(), Publish(job)}
	if sys.Celery {
		c.Steps = append(c.Steps, TellCeleryChord())
		c.Clean = append([]Step{c.Clean[0], c.Clean[1], TellCeleryChord()}, c.Clean[2:]...)
		if ack == "late" && at == "result-stored" {
			c.Because = "the callback comes again and runs again: nothing in Celery asks whether it has succeeded"
		}
	}
	c.Steps = append(c.Steps, StartWorker("victim", victim), AwaitCrash("victim"), StartWorker("restarted", hands), AwaitConsuming("restarted"), AwaitRuns(runs))
	return c
}

// callbackTwice: the callback comes again while its first run has not ended. On Redis
// its lease is over; elsewhere its worker stands still, and is taken for dead.
func callbackTwice(sys System) Cell {
	words, want := chordWords(callbackSize)
	c := chordOf(sys, Setting{"ack": "late", "fault": "the callback delivered again while it runs"}, want)
	c.Load, c.Seconds = callbackSize+1, 5
	hands := Hands{Ack: "late", Concurrency: 1, Multiplier: 1}
	slow := hands
	slow.PauseAt, slow.CrashPlace = "mid", "callback"
	again := []Step{AwaitCount("second", ledger.Finished, 1)}
	switch {
	case sys.Kind == NoServer:
		c.NotRun = "no such point: the in-process queue delivers each message once, and its worker stands still with it"
		return c
	case sys.Celery:
		c.NotRun = "no such point: its worker would have to outlive a lease of an hour, or stand still for minutes; it would show what it shows for ours"
		return c
	case sys.Name == "redis":
		c.Server.Own = true // a sweep is everybody's on a server
		c.Options = []string{"visibility=" + shortest.lease.String(), "restore=" + shortest.sweep.String(), "lease=fixed"}
	default:
		c.Control = "callback late"
		c.Clean = flowSteps(sys, &c, Job{Count: 1, Workflow: words}, hands, 1, callbackSize+1)
		again = []Step{Freeze("slow"), Aside(again[0]), Thaw("slow")}
		c.Expect.Faults = []string{faultFreeze}
		if sys.Kind == RabbitMQ {
			c.Options, c.Seconds = []string{"heartbeat=2"}, 8
		} else if awaitLease(&c, sys, Full); c.Pace == Waiting {
			delete(c.Setting, "wait")
		}
	}
	one := [2]int{1, 1}
	c.Predicted["redelivered"], c.Predicted["restarted"], c.Predicted["repeated"], c.Predicted["callbacks_run"] = one, one, one, [2]int{2, 2}
	c.Because = "the second worker asks the result store, and the first has not stored anything yet: the window that no deterministic id closes"
	c.Steps = concat([]Step{
		Declare(), Publish(Job{Count: 1, Workflow: words}), StartWorker("slow", slow), AwaitHolding("slow", "mid", callbackSize+1),
		StartWorker("second", hands), AwaitConsuming("second"),
	}, again, []Step{Release("slow"), AwaitRuns(callbackSize + 2)})
	return c
}

// TellCeleryChord writes how many members the trial's chord has to where Celery's
// producer would have written it: the Redis of the result backend
// (celery/backends/redis.py, set_chord_size). The rest of a chord is in its messages.
func TellCeleryChord() Step {
	return Step{"tell Celery's result backend the size of the chord", func(ctx context.Context, t *Trial) error {
		f, err := t.flows()
		if err != nil {
			return err
		}
		backend, ok := t.resultServer.(*server.Redis)
		if !ok {
			return fmt.Errorf("tell Celery the size of a chord: the results are not in Redis")
		}
		size, group := 0, ""
		for _, l := range f.owed[0] {
			if id := l.Detail[ledger.DetailGroup]; id != "" {
				size, group = size+1, id
			}
		}
		client := backend.Client()
		defer client.Close()
		conn := client.Conn()
		defer conn.Close()
		if err := conn.Select(ctx, 1).Err(); err != nil {
			return fmt.Errorf("tell Celery the size of a chord: %w", err)
		}
		if err := conn.Set(ctx, "celery-taskset-meta-"+group+".s", size, time.Hour).Err(); err != nil {
			return fmt.Errorf("tell Celery the size of a chord: %w", err)
		}
		return nil
	}}
}

// inJSON is for values that always can be.
func inJSON(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return "null"
	}
	return string(b)
}
