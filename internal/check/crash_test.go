package check

import (
	"testing"

	"acklab/internal/ledger"
)

// crash is a whole trial of the flagship: four tasks, a victim with two slots'
// worth of deliveries and one slot, a survivor, a broker that brings back what
// was not acknowledged.
func crash(t testing.TB, mode, point string) *bench {
	b := newBench(t)
	b.trial.Setting = map[string]string{"ack": mode, "crash_at": point}
	b.trial.Expect = ledger.Expect{Victim: "victim", Checkpoint: point, Faults: []string{"kill"}, MarksAlways: true}
	b.start("producer", "victim", "survivor")
	for i := range 4 {
		b.publish("producer", taskID(i), messageID(i), ledger.Confirmed)
	}
	b.end("producer")
	b.write("victim", ledger.Line{Event: ledger.Connected, Session: 1})
	gone := b.victimDies(mode, point)
	b.write("runner", ledger.Line{Event: ledger.FaultInjected, Fault: "kill", Process: "victim"})
	b.write("survivor", ledger.Line{Event: ledger.Consuming})
	for i := range 4 {
		if i == 0 && gone {
			continue
		}
		seen := "first"
		if i < 2 && point != "before-fetch" {
			seen = "again"
		}
		b.receive("survivor", taskID(i), messageID(i), seen)
		b.runs("survivor", taskID(i), messageID(i), mode)
	}
	b.end("survivor")
	b.finish()
	return b
}

// runs takes one delivery from its acceptance to its end.
func (b *bench) runs(process, task, msg, mode string) {
	if mode == "early" {
		b.does(process, task, msg, ledger.Accepted, ledger.AckSending, ledger.AckSent, ledger.Started, ledger.Finished)
		return
	}
	b.does(process, task, msg, ledger.Accepted, ledger.Started, ledger.Finished, ledger.AckSending, ledger.AckSent)
}

// victimDies plays the victim up to the point and tells whether the broker has
// forgotten its running task.
func (b *bench) victimDies(mode, point string) (gone bool) {
	die := func(task, msg string) {
		b.write("victim", ledger.Line{Event: ledger.Checkpoint, Task: task, Message: msg, Point: point})
		b.kill("victim")
	}
	if point == "before-fetch" {
		die("", "")
		return false
	}
	b.write("victim", ledger.Line{Event: ledger.Consuming})
	b.receive("victim", "t0", "m0", "first")
	b.receive("victim", "t1", "m1", "first")
	for _, step := range way(mode) {
		switch step.event {
		case ledger.Acked:
			b.write("victim", ledger.Line{Event: ledger.Acked, Session: 1, Upto: int64(len(b.lines["victim"]))})
		case "":
		default:
			b.does("victim", "t0", "m0", step.event)
		}
		gone = gone || step.event == ledger.AckSent
		if step.point == point {
			die("t0", "m0")
			return gone
		}
	}
	b.t.Fatalf("no point %s with %s acknowledgement", point, mode)
	return false
}

type step struct {
	event ledger.Event
	point string
}

// way is what a worker does with a task, and the checkpoints on it.
func way(mode string) []step {
	if mode == "early" {
		return []step{
			{ledger.Accepted, "fetched"}, {ledger.AckSending, ""}, {ledger.AckSent, "ack-sent"}, {ledger.Acked, "acked"},
			{ledger.Started, "started"}, {"", "mid"}, {ledger.Finished, "finished"}, {"", "result-stored"},
		}
	}
	return []step{
		{ledger.Accepted, "fetched"}, {ledger.Started, "started"}, {"", "mid"}, {ledger.Finished, "finished"}, {"", "result-stored"},
		{ledger.AckSending, ""}, {ledger.AckSent, "late-ack-sent"}, {ledger.Acked, "late-acked"},
	}
}

func TestEveryCheckpointHasItsCountsAndConditions(t *testing.T) {
	t.Parallel()
	lost := Bounds{"lost": point(1), "lost_after_ack": point(1), "redelivered": point(1)}
	cases := []struct {
		mode, point string
		want        Bounds // of the counts; t1 is always redelivered, because the victim held it
		running     Class  // of t0
	}{
		{"early", "before-fetch", Bounds{}, Finished},
		{"early", "fetched", Bounds{"redelivered": point(2)}, Finished},
		{"early", "ack-sent", lost, Lost},
		{"early", "acked", lost, Lost},
		{"early", "started", lost, Lost},
		{"early", "mid", lost, Lost},
		{"early", "finished", Bounds{"redelivered": point(1)}, Finished},
		{"early", "result-stored", Bounds{"redelivered": point(1)}, Finished},
		{"late", "before-fetch", Bounds{}, Finished},
		{"late", "fetched", Bounds{"redelivered": point(2)}, Finished},
		{"late", "started", Bounds{"redelivered": point(2), "restarted": point(1)}, Finished},
		{"late", "mid", Bounds{"redelivered": point(2), "restarted": point(1)}, Finished},
		{"late", "finished", Bounds{"redelivered": point(2), "restarted": point(1), "repeated": point(1)}, Finished},
		{"late", "result-stored", Bounds{"redelivered": point(2), "restarted": point(1), "repeated": point(1)}, Finished},
		{"late", "late-ack-sent", Bounds{"redelivered": point(1)}, Finished},
		{"late", "late-acked", Bounds{"redelivered": point(1)}, Finished},
	}
	for _, c := range cases {
		t.Run(c.mode+"/"+c.point, func(t *testing.T) {
			t.Parallel()
			b := crash(t, c.mode, c.point)
			if c.point == "before-fetch" {
				b.trial.Expect.Waiting = 4
			} else {
				b.trial.Expect.Running, b.trial.Expect.Prefetched, b.trial.Expect.Waiting = 1, 1, 2
			}
			r := b.sure()
			wantCounts(t, r, c.want)
			if len(r.Broken) > 0 {
				t.Errorf("broken: %q", r.Broken)
			}
			if got := r.fate(t, "t0").Class; got != c.running {
				t.Errorf("the victim's own task is %s, want %s", got, c.running)
			}
			conditions := []Condition{Running, Prefetched, Waiting, Waiting}
			if c.point == "before-fetch" {
				conditions = []Condition{Waiting, Waiting, Waiting, Waiting}
			}
			for i, want := range conditions {
				if got := r.fate(t, taskID(i)).Condition; got != want {
					t.Errorf("%s was %q, want %q", taskID(i), got, want)
				}
			}
			_, back := r.Measures["back_after_seconds"]
			if want := c.want["redelivered"][0] == 2; back != want {
				t.Errorf("the running task came back: %v, want %v (%v)", back, want, r.Measures)
			}
		})
	}
}

func TestOneTaskMoreThanTheVictimHadMakesTheTrialUnsure(t *testing.T) {
	t.Parallel()
	for name, expect := range map[string]ledger.Expect{
		"running": {Running: 2}, "prefetched": {Prefetched: 2}, "waiting": {Waiting: 3},
	} {
		b := crash(t, "late", "mid")
		expect.Victim, expect.Checkpoint = "victim", "mid"
		b.trial.Expect = expect
		wantUnsure(t, b.judge(), "tasks were "+name+" for the victim victim")
	}
}

func TestTheTimesCountFromTheCheckpointLine(t *testing.T) {
	t.Parallel()
	b := crash(t, "late", "mid")
	r := b.sure()
	last := b.lines["victim"][len(b.lines["victim"])-1]
	var first, second int64
	for _, l := range b.lines["survivor"] {
		if l.Event == ledger.Received && l.Task == "t0" {
			first = l.Mono
		}
		if l.Event == ledger.Received && l.Task == "t1" {
			second = l.Mono
		}
	}
	for name, want := range map[string]float64{
		"back_after_seconds":     float64(first-last.Mono) / 1e9,
		"redelivery_seconds":     float64(first-last.Mono) / 1e9,
		"back_after_max_seconds": float64(second-last.Mono) / 1e9,
		"running":                1, "running_lost": 0, "running_restarted": 1, "running_repeated": 0,
		"prefetched": 1, "prefetched_lost": 0, "prefetched_restarted": 0, "prefetched_repeated": 0,
		"waiting": 2, "waiting_lost": 0, "waiting_restarted": 0, "waiting_repeated": 0,
	} {
		if got, ok := r.Measures[name]; !ok || got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
}

func TestAKillFromOutsideCountsFromTheReapingAndNeverBelowZero(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.trial.Expect = ledger.Expect{Victim: "victim", Running: 1, Prefetched: 2, Waiting: 1}
	b.start("producer", "victim", "survivor")
	for i := range 5 {
		b.publish("producer", taskID(i), messageID(i), ledger.Confirmed)
	}
	b.end("producer")
	for i := range 4 {
		b.receive("victim", taskID(i), messageID(i), "first")
	}
	b.runs("victim", "t0", "m0", "late") // done with
	b.does("victim", "t1", "m1", ledger.Accepted, ledger.Started)
	// The broker is faster than the reaping.
	b.receive("survivor", "t1", "m1", "again")
	b.kill("victim")
	b.receive("survivor", "t2", "m2", "again")
	b.receive("survivor", "t3", "m3", "again")
	b.receive("survivor", "t4", "m4", "first")
	for i := range 4 {
		b.runs("survivor", taskID(i+1), messageID(i+1), "late")
	}
	b.end("survivor")
	b.finish()
	r := b.sure()
	for name, want := range map[string]float64{
		"running": 1, "prefetched": 2, "waiting": 1, "back_after_seconds": 0, "back_after_max_seconds": 0.002, "redelivery_seconds": 0,
	} {
		if got, ok := r.Measures[name]; !ok || got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	if got := r.fate(t, "t0").Condition; got != Untouched {
		t.Errorf("a task that was finished and acknowledged before the death was %q", got)
	}
}

func TestWhatComesBackAtOnceIsMeasuredAsZeroAndWhatDoesNotIsNotMeasured(t *testing.T) {
	t.Parallel()
	for _, back := range []bool{true, false} {
		b := newBench(t)
		b.trial.Expect = ledger.Expect{Victim: "victim", Running: 2}
		b.start("producer", "victim", "survivor")
		for i := range 2 {
			b.publish("producer", taskID(i), messageID(i), ledger.Confirmed)
			b.receive("victim", taskID(i), messageID(i), "first")
			b.does("victim", taskID(i), messageID(i), ledger.Accepted, ledger.Started)
		}
		held := []heldMessage{{"t0", "m0", "unacked"}, {"t1", "m1", "unacked"}}
		if back {
			held = nil
			for i := range 2 {
				b.receive("survivor", taskID(i), messageID(i), "again") // before the reaping
				b.runs("survivor", taskID(i), messageID(i), "late")
			}
		}
		b.kill("victim")
		b.end("producer", "survivor")
		b.finish(held...)
		r := b.sure()
		for _, name := range []string{"back_after_seconds", "back_after_max_seconds", "redelivery_seconds"} {
			if v, ok := r.Measures[name]; ok != back || v != 0 {
				t.Errorf("back %v: %s is %v, %v", back, name, v, ok)
			}
		}
	}
}

func TestTheSlowestOfSeveralRunningTasksIsTheOneThatCounts(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.trial.Expect = ledger.Expect{Victim: "victim", Running: 2}
	b.start("producer", "victim", "survivor")
	for i := range 2 {
		b.publish("producer", taskID(i), messageID(i), ledger.Confirmed)
		b.receive("victim", taskID(i), messageID(i), "first")
		b.does("victim", taskID(i), messageID(i), ledger.Accepted)
	}
	b.kill("victim") // 1 ms before the first comes back, 2 ms before the second
	b.receive("survivor", "t0", "m0", "again")
	b.receive("survivor", "t1", "m1", "again")
	b.runs("survivor", "t0", "m0", "late")
	b.runs("survivor", "t1", "m1", "late")
	b.end("producer", "survivor")
	b.finish()
	r := b.sure()
	if got := r.Measures["back_after_seconds"]; got != 0.002 {
		t.Errorf("back after %v", got)
	}
	if got := r.Measures["redelivery_seconds"]; got != 0.001 {
		t.Errorf("first redelivery after %v", got)
	}
}

func TestTheRunnersMeasuresAreTakenOver(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for _, v := range []float64{3, 0.5} { // the later one counts
		b.write("runner", ledger.Line{Event: ledger.Measured, Point: "updates_lost", Value: v})
	}
	b.start("other")
	b.write("other", ledger.Line{Event: ledger.Measured, Point: "made_up", Value: 1})
	b.end("other")
	b.finish()
	r := b.sure()
	if len(r.Measures) != 1 || r.Measures["updates_lost"] != 0.5 {
		t.Errorf("%v", r.Measures)
	}
	for _, point := range []string{"running_lost", "finished", ""} {
		b.lines["runner"][2].Point = point
		wantUnsure(t, b.judge(), "the runner measured what only the checker can")
	}
}

func TestWhatIsOverBeforeTheDeathIsNotWaiting(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.trial.Expect = ledger.Expect{Victim: "victim"}
	b.start("producer", "victim", "survivor")
	for i := range 3 {
		b.publish("producer", taskID(i), messageID(i), ledger.Confirmed)
		b.receive("survivor", taskID(i), messageID(i), "first")
	}
	b.runs("survivor", "t0", "m0", "late")
	b.does("survivor", "t1", "m1", ledger.Accepted, ledger.Started) // at work on it
	b.kill("victim")
	b.does("survivor", "t1", "m1", ledger.Finished, ledger.AckSending, ledger.AckSent)
	b.runs("survivor", "t2", "m2", "late")
	b.publish("producer", "t3", "m3", ledger.Confirmed) // after the death
	b.receive("survivor", "t3", "m3", "first")
	b.runs("survivor", "t3", "m3", "late")
	b.end("producer", "survivor")
	b.finish()
	r := b.sure()
	for i, want := range []Condition{Untouched, Waiting, Waiting, Untouched} {
		if got := r.fate(t, taskID(i)).Condition; got != want {
			t.Errorf("%s was %q, want %q", taskID(i), got, want)
		}
	}
}

func TestWhatTheVictimGaveBackIsNeitherPrefetchedNorWaiting(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.trial.Expect = ledger.Expect{Victim: "victim"}
	b.start("producer", "victim", "survivor")
	for i := range 2 {
		b.publish("producer", taskID(i), messageID(i), ledger.Confirmed)
		b.receive("victim", taskID(i), messageID(i), "first")
	}
	b.does("victim", "t0", "m0", ledger.GivenBack)
	b.does("victim", "t1", "m1", ledger.Dropped)
	b.end("producer")
	b.kill("victim")
	for i := range 2 {
		b.receive("survivor", taskID(i), messageID(i), "again")
		b.runs("survivor", taskID(i), messageID(i), "late")
	}
	b.end("survivor")
	b.finish()
	r := b.sure()
	wantCounts(t, r, Bounds{"redelivered": point(2)})
	for i := range 2 {
		if f := r.fate(t, taskID(i)); f.Condition != Untouched || f.BackAfter != -1 {
			t.Errorf("%s was %q and back after %v", f.Task, f.Condition, f.BackAfter)
		}
	}
}

func TestASlotIsDoneWhenItsDeliveryIsSettledAndOver(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		events []ledger.Event
		want   Condition
	}{
		"acknowledged, not begun":       {[]ledger.Event{ledger.Accepted, ledger.AckSending, ledger.AckSent}, Running},
		"acknowledged, begun":           {[]ledger.Event{ledger.Accepted, ledger.AckSending, ledger.AckSent, ledger.Started}, Running},
		"finished, not acknowledged":    {[]ledger.Event{ledger.Accepted, ledger.Started, ledger.Finished}, Running},
		"finished, acknowledging":       {[]ledger.Event{ledger.Accepted, ledger.Started, ledger.Finished, ledger.AckSending}, Running},
		"finished and acknowledged":     {[]ledger.Event{ledger.Accepted, ledger.Started, ledger.Finished, ledger.AckSending, ledger.AckSent}, Untouched},
		"finished, acknowledged unsure": {[]ledger.Event{ledger.Accepted, ledger.Started, ledger.Finished, ledger.AckSending, ledger.AckUnsure}, Untouched},
		"failed and acknowledged":       {[]ledger.Event{ledger.Accepted, ledger.Started, ledger.Failed, ledger.AckSending, ledger.AckSent}, Untouched},
		"expired, not acknowledged":     {[]ledger.Event{ledger.Accepted, ledger.Expired}, Running},
		"expired and acknowledged":      {[]ledger.Event{ledger.Accepted, ledger.Expired, ledger.AckSending, ledger.AckSent}, Untouched},
		"too late to begin":             {[]ledger.Event{ledger.Accepted, ledger.AckSending, ledger.StaleAck}, Untouched},
		"too late, and running":         {[]ledger.Event{ledger.Accepted, ledger.Started, ledger.AckSending, ledger.StaleAck}, Running},
		"too late, and finished":        {[]ledger.Event{ledger.Accepted, ledger.Started, ledger.Finished, ledger.AckSending, ledger.StaleAck}, Untouched},
		"requeuing":                     {[]ledger.Event{ledger.Accepted, ledger.Started, ledger.Requeuing}, Running},
		"requeued":                      {[]ledger.Event{ledger.Accepted, ledger.Started, ledger.Requeuing, ledger.Requeued}, Untouched},
		"rejected":                      {[]ledger.Event{ledger.Accepted, ledger.Rejecting, ledger.Rejected}, Untouched},
		"received":                      {nil, Prefetched},
	} {
		b := newBench(t)
		b.trial.Expect = ledger.Expect{Victim: "victim"}
		b.start("producer", "victim")
		b.publish("producer", "t0", "m0", ledger.Confirmed)
		b.end("producer")
		b.receive("victim", "t0", "m0", "first")
		b.does("victim", "t0", "m0", c.events...)
		b.kill("victim")
		b.finish(heldMessage{"t0", "m0", "unacked"})
		if got := b.sure().fate(t, "t0").Condition; got != c.want {
			t.Errorf("%s: it was %q, want %q", name, got, c.want)
		}
	}
}

func TestARetryThatIsNotYetPublishedKeepsItsTaskRunning(t *testing.T) {
	t.Parallel()
	for _, outcome := range []ledger.Event{"", ledger.Confirmed, ledger.Unsure, ledger.Refused} {
		b := newBench(t)
		b.trial.Expect = ledger.Expect{Victim: "victim"}
		b.start("producer", "victim")
		b.publish("producer", "t0", "m0", ledger.Confirmed)
		b.end("producer")
		b.receive("victim", "t0", "m0", "first")
		b.does("victim", "t0", "m0", ledger.Accepted, ledger.AckSending, ledger.AckSent, ledger.Started)
		b.write("victim", ledger.Line{Event: ledger.Failed, Task: "t0", Message: "m0"})
		want := Fate{Class: Lost, Condition: Running}
		var held []heldMessage
		if outcome != "" {
			b.attempt("victim", "t0", "m0-1", 1)
			b.write("victim", ledger.Line{Event: outcome, Task: "t0", Message: "m0-1", Queue: "q"})
			want.Condition = Untouched
		}
		if outcome == ledger.Confirmed {
			held = append(held, heldMessage{"t0", "m0-1", "delayed"})
			want.Class = Stranded
		}
		b.kill("victim")
		b.finish(held...)
		f := b.sure().fate(t, "t0")
		if f.Class != want.Class || f.Condition != want.Condition {
			t.Errorf("retry %q: %s and %q, want %s and %q", outcome, f.Class, f.Condition, want.Class, want.Condition)
		}
	}
}
