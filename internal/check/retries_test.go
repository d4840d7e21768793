package check

import (
	"testing"

	"acklab/internal/ledger"
)

// fails plays a try that fails, and the publish of its retry, due after some
// milliseconds; 0: at once.
func (b *bench) fails(process, task, msg, next string, try, due int, outcome ledger.Event) {
	b.does(process, task, msg, ledger.Accepted, ledger.Started)
	b.write(process, ledger.Line{Event: ledger.Failed, Task: task, Message: msg, Queue: "q", Retries: try - 1})
	b.retry(process, task, next, try, due, outcome)
}

func (b *bench) retry(process, task, msg string, try, due int, outcome ledger.Event) {
	l := ledger.Line{Event: ledger.Attempted, Task: task, Message: msg, Queue: "q", Retries: try, Hash: "h-" + task}
	if due > 0 {
		l.ETA = b.clock + ms + int64(due)*ms
	}
	b.write(process, l)
	b.write(process, ledger.Line{Event: outcome, Task: task, Message: msg, Queue: "q", Retries: try})
}

func (b *bench) settles(process, task, msg string) {
	b.does(process, task, msg, ledger.AckSending, ledger.AckSent)
}

// tried plays a task that fails n times and then finishes.
func (b *bench) tried(process, task string, n int) {
	msg := task + "-0"
	b.receive(process, task, msg, "first")
	for try := 1; try <= n; try++ {
		next := task + "-" + string(rune('0'+try))
		b.fails(process, task, msg, next, try, 2, ledger.Confirmed)
		b.settles(process, task, msg)
		b.clock += 10 * ms
		b.receive(process, task, next, "first")
		msg = next
	}
	b.runs(process, task, msg, "late")
}

func wantMeasures(t *testing.T, r Result, want map[string]float64) {
	t.Helper()
	for name, v := range want {
		got, ok := r.Measures[name]
		if !ok || got < v-1e-9 || got > v+1e-9 {
			t.Errorf("%s is %v (there: %t), want %v", name, got, ok, v)
		}
	}
}

func TestOrdinaryRetriesAreNeitherRestartsNorCopiesNorRedeliveries(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.trial.Expect.MarksAlways = true
	b.start("producer", "worker")
	b.publish("producer", "a", "a-0", ledger.Confirmed)
	b.publish("producer", "b", "b-0", ledger.Confirmed)
	b.tried("worker", "a", 3)
	b.tried("worker", "b", 0)
	b.end("producer", "worker")
	b.finish()
	r := b.sure()
	wantCounts(t, r, Bounds{"finished": point(2), "attempted": point(2)})
	// failed, attempted, confirmed, two lines of settlement and ten of waiting
	// lie before received, accepted, started: one millisecond each.
	wantMeasures(t, r, map[string]float64{
		"attempts_min": 1, "attempts_max": 4, "retry_gap_min_seconds": 0.017, "retry_gap_mean_seconds": 0.017, "retry_gap_max_seconds": 0.017,
		"early_starts": 0, "delay_early": 0, "delay_error_min_seconds": 0.012, "delay_error_mean_seconds": 0.012, "delay_error_max_seconds": 0.012,
	})
	if f := r.Fates[0]; f.Starts != 4 || f.Tries != 4 || f.Restarted {
		t.Errorf("%+v", f)
	}
}

func TestATryThatBeginsTwiceIsARestartWhicheverTryItIs(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.start("producer", "worker", "other")
	b.publish("producer", "a", "a-0", ledger.Confirmed)
	b.receive("worker", "a", "a-0", "first")
	b.fails("worker", "a", "a-0", "a-1", 1, 0, ledger.Confirmed)
	b.settles("worker", "a", "a-0")
	b.receive("worker", "a", "a-1", "first")
	b.does("worker", "a", "a-1", ledger.Accepted, ledger.Started, ledger.Requeuing, ledger.Requeued)
	b.receive("other", "a", "a-1", "again")
	b.runs("other", "a", "a-1", "late")
	b.end("producer", "worker", "other")
	b.finish()
	r := b.sure()
	wantCounts(t, r, Bounds{"finished": point(1), "restarted": point(1), "redelivered": point(1)})
	wantMeasures(t, r, map[string]float64{"attempts_min": 2, "attempts_max": 2, "retry_gap_max_seconds": 0.007})
	if _, there := r.Measures["early_starts"]; there {
		t.Error("starts are called early or not where nothing had an ETA")
	}
}

func TestARetryThatWaitsInTheBrokerIsStranded(t *testing.T) {
	t.Parallel()
	for _, outcome := range []ledger.Event{ledger.Confirmed, ledger.Unsure} {
		r := oneTask(t, ledger.Confirmed, func(b *bench) {
			b.receive("worker", "t0", "m0", "first")
			b.fails("worker", "t0", "m0", "m1", 1, 3_600_000, outcome)
			b.settles("worker", "t0", "m0")
		}, heldMessage{"t0", "m1", "delayed"}).sure()
		wantCounts(t, r, Bounds{"stranded": point(1)})
	}
}

func TestAFailureWithoutItsRetryIsALossAfterTheAcknowledgement(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		play func(*bench)
		want Bounds
	}{
		"early, nothing published": {func(b *bench) {
			b.does("worker", "t0", "m0", ledger.Accepted, ledger.AckSending, ledger.AckSent, ledger.Started)
			b.write("worker", ledger.Line{Event: ledger.Failed, Task: "t0", Message: "m0", Queue: "q"})
		}, Bounds{"lost_after_ack": point(1)}},
		"early, unsure and not there": {func(b *bench) {
			b.settles("worker", "t0", "m0")
			b.fails("worker", "t0", "m0", "m1", 1, 5, ledger.Unsure)
		}, Bounds{"lost_after_ack": point(1)}},
		"settled first, and the confirm of the retry was a lie": {func(b *bench) {
			b.fails("worker", "t0", "m0", "m1", 1, 5, ledger.Confirmed)
			b.settles("worker", "t0", "m0")
		}, Bounds{"lost": point(1), "lost_unexplained": point(0)}},
		"early, refused, so that it failed for good": {func(b *bench) {
			b.settles("worker", "t0", "m0")
			b.fails("worker", "t0", "m0", "m1", 1, 5, ledger.Refused)
			b.write("worker", ledger.Line{Event: ledger.Failed, Task: "t0", Message: "m0", Queue: "q", Final: true})
		}, Bounds{"failed": point(1)}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := oneTask(t, ledger.Confirmed, func(b *bench) {
				b.receive("worker", "t0", "m0", "first")
				c.play(b)
			}).sure()
			if name == "settled first, and the confirm of the retry was a lie" {
				if r.Counts["lost_unexplained"] != 1 {
					t.Errorf("%v", r.Counts)
				}
				return
			}
			wantCounts(t, r, c.want)
		})
	}
}

func TestALateFailureOfAnOlderDeliveryDoesNotUndoASuccess(t *testing.T) {
	t.Parallel()
	for _, final := range []bool{false, true} {
		r := oneTask(t, ledger.Confirmed, func(b *bench) {
			b.receive("worker", "t0", "m0", "first")
			b.does("worker", "t0", "m0", ledger.Accepted, ledger.Started)
			b.receive("worker", "t0", "m0", "again")
			b.runs("worker", "t0", "m0", "late")
			b.write("worker", ledger.Line{Event: ledger.Failed, Task: "t0", Message: "m0", Queue: "q", Final: final})
		}).sure()
		wantCounts(t, r, Bounds{"finished": point(1), "restarted": point(1), "redelivered": point(1)})
	}
}

func TestTwoRetriesOfOneFailureAreCopies(t *testing.T) {
	t.Parallel()
	r := oneTask(t, ledger.Confirmed, func(b *bench) {
		b.receive("worker", "t0", "m0", "first")
		b.fails("worker", "t0", "m0", "m1", 1, 0, ledger.Unsure)
		b.does("worker", "t0", "m0", ledger.Requeuing, ledger.Requeued)
		b.receive("worker", "t0", "m0", "again")
		b.fails("worker", "t0", "m0", "m1-again", 1, 0, ledger.Confirmed)
		b.settles("worker", "t0", "m0")
		for _, m := range []string{"m1", "m1-again"} {
			b.receive("worker", "t0", m, "first")
			b.runs("worker", "t0", m, "late")
		}
	}).sure()
	wantCounts(t, r, Bounds{"finished": point(1), "restarted": point(1), "redelivered": point(1), "copied": point(1), "repeated": point(1)})
	// Each retry is measured from the failure that it was published for.
	wantMeasures(t, r, map[string]float64{"attempts_max": 2, "retry_gap_min_seconds": 0.013, "retry_gap_max_seconds": 0.015})
}

func TestAPostponedMessageIsReplacedAndNotCopied(t *testing.T) {
	t.Parallel()
	postponed := func(next string) func(*bench) {
		return func(b *bench) {
			b.does("worker", "t0", "m0", ledger.Accepted)
			b.retry("worker", "t0", next, 0, 20, ledger.Confirmed)
			b.does("worker", "t0", "m0", ledger.Postponed)
		}
	}
	ends := func(b *bench) {
		b.settles("worker", "t0", "m0")
		b.clock += 30 * ms
		b.receive("worker", "t0", "m1", "first")
		b.runs("worker", "t0", "m1", "late")
	}
	r := oneTask(t, ledger.Confirmed, func(b *bench) {
		b.receive("worker", "t0", "m0", "first")
		postponed("m1")(b)
		ends(b)
	}).sure()
	wantCounts(t, r, Bounds{"finished": point(1)})
	if _, there := r.Measures["attempts_max"]; there {
		t.Error("what was postponed counts as tried again")
	}
	// The first receipt of the message with the ETA: 20 ms after its attempt, 4
	// lines and 30 ms after which it came.
	wantMeasures(t, r, map[string]float64{"delay_early": 0, "delay_error_max_seconds": 0.015})

	r = oneTask(t, ledger.Confirmed, func(b *bench) { // a crash before the acknowledgement
		b.receive("worker", "t0", "m0", "first")
		postponed("m2")(b)
		b.receive("worker", "t0", "m0", "again")
		postponed("m1")(b)
		ends(b)
	}, heldMessage{"t0", "m2", "delayed"}).sure()
	wantCounts(t, r, Bounds{"finished": point(1), "redelivered": point(1), "copied": point(1), "leftover": point(1)})
}

func TestWhatComesOrBeginsBeforeItsTimeIsCounted(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.start("producer", "worker")
	b.retry("producer", "later", "later-0", 0, 500, ledger.Confirmed)
	b.receive("worker", "later", "later-0", "first")
	b.runs("worker", "later", "later-0", "late")
	b.publish("producer", "a", "a-0", ledger.Confirmed)
	b.receive("worker", "a", "a-0", "first")
	b.fails("worker", "a", "a-0", "a-1", 1, 500, ledger.Confirmed)
	b.receive("worker", "a", "a-1", "first")
	b.runs("worker", "a", "a-1", "late")
	b.settles("worker", "a", "a-0")
	b.end("producer", "worker")
	b.finish()
	r := b.sure()
	wantMeasures(t, r, map[string]float64{"early_starts": 1, "delay_early": 2, "delay_error_min_seconds": -0.498, "delay_error_max_seconds": -0.498})
}

func TestATrialInWhichNothingFailsHasNoMeasuresOfRetries(t *testing.T) {
	t.Parallel()
	r := oneTask(t, ledger.Confirmed, func(b *bench) {
		b.receive("worker", "t0", "m0", "first")
		b.runs("worker", "t0", "m0", "late")
	}).sure()
	if len(r.Measures) != 0 {
		t.Errorf("%v", r.Measures)
	}
}

func TestAFailureWithoutARetryIsOneTry(t *testing.T) {
	t.Parallel()
	r := oneTask(t, ledger.Confirmed, func(b *bench) {
		b.receive("worker", "t0", "m0", "first")
		b.does("worker", "t0", "m0", ledger.Accepted, ledger.Started, ledger.Failed, ledger.AckSending, ledger.AckSent)
	}).sure()
	wantCounts(t, r, Bounds{"failed": point(1)})
	if len(r.Measures) != 2 {
		t.Errorf("%v", r.Measures)
	}
	wantMeasures(t, r, map[string]float64{"attempts_min": 1, "attempts_max": 1})
}

func TestARetryThatOthersReceiveDoesNotBringBackWhatTheVictimHeld(t *testing.T) {
	t.Parallel()
	for _, back := range []bool{false, true} {
		b := newBench(t)
		b.trial.Expect = ledger.Expect{Victim: "victim", Checkpoint: "retry-sent", Running: 1, LeaseBound: true}
		b.start("producer", "victim", "survivor")
		b.publish("producer", "t0", "m0", ledger.Confirmed)
		b.receive("victim", "t0", "m0", "first")
		b.fails("victim", "t0", "m0", "m1", 1, 2, ledger.Confirmed)
		b.write("victim", ledger.Line{Event: ledger.Checkpoint, Task: "t0", Message: "m0", Point: "retry-sent"})
		b.kill("victim")
		b.receive("survivor", "t0", "m1", "first")
		b.runs("survivor", "t0", "m1", "late")
		held := []heldMessage{{"t0", "m0", "unacked"}}
		want := Bounds{"finished": point(1), "leftover": point(1)}
		if back {
			b.receive("survivor", "t0", "m0", "again")
			b.does("survivor", "t0", "m0", ledger.Accepted, ledger.Started, ledger.Failed, ledger.AckSending, ledger.AckSent)
			held, want = nil, Bounds{"finished": point(1), "restarted": point(1), "redelivered": point(1)}
		}
		b.end("producer", "survivor")
		b.finish(held...)
		r := b.sure()
		wantCounts(t, r, want)
		if after, came := r.Measures["back_after_seconds"]; came != back || back && after != 0.008 {
			t.Errorf("it came back: %t, after %v s", came, after)
		}
	}
}
