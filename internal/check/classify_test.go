package check

import (
	"strings"
	"testing"

	"acklab/internal/ledger"
)

// oneTask plays a trial of one task t0 (message m0) with one worker.
func oneTask(t testing.TB, outcome ledger.Event, play func(*bench), held ...heldMessage) *bench {
	b := newBench(t)
	b.start("producer", "worker")
	if outcome != "" {
		b.publish("producer", "t0", "m0", outcome)
	}
	if play != nil {
		play(b)
	}
	b.end("producer", "worker")
	b.finish(held...)
	return b
}

func TestEveryClassIsReachedByItsOwnEvidence(t *testing.T) {
	t.Parallel()
	got := func(events ...ledger.Event) func(*bench) {
		return func(b *bench) {
			b.receive("worker", "t0", "m0", "first")
			b.does("worker", "t0", "m0", events...)
		}
	}
	cases := []struct {
		name    string
		outcome ledger.Event
		play    func(*bench)
		held    []heldMessage
		want    Bounds
	}{
		{"finished", ledger.Confirmed, got(ledger.Accepted, ledger.Started, ledger.Finished), nil, Bounds{"finished": point(1)}},
		{"failed for good", ledger.Confirmed, got(ledger.Accepted, ledger.Started, ledger.Failed), nil, Bounds{"failed": point(1)}},
		{"dead by census", ledger.Confirmed, got(ledger.Accepted, ledger.Rejecting, ledger.Rejected), []heldMessage{{"t0", "m0", "dead"}}, Bounds{"dead": point(1)}},
		{"expired", ledger.Confirmed, got(ledger.Accepted, ledger.Expired, ledger.AckSending, ledger.AckSent), nil, Bounds{"expired": point(1)}},
		{"revoked", ledger.Confirmed, got(ledger.Accepted, ledger.Revoked, ledger.AckSending, ledger.AckSent), nil, Bounds{"revoked": point(1)}},
		{"stranded in the queue", ledger.Confirmed, nil, []heldMessage{{"t0", "m0", "queued"}}, Bounds{"stranded": point(1)}},
		{"stranded with nobody", ledger.Confirmed, got(ledger.Accepted), []heldMessage{{"t0", "m0", "unacked"}}, Bounds{"stranded": point(1)}},
		{"stranded on its way", ledger.Confirmed, nil, []heldMessage{{"t0", "m0", "delayed"}}, Bounds{"stranded": point(1)}},
		{"recovered, received", ledger.Unsure, got(), nil, Bounds{"unsure": point(1), "recovered": point(1)}},
		{"recovered, held", ledger.Unsure, nil, []heldMessage{{"t0", "m0", "queued"}}, Bounds{"unsure": point(1), "recovered": point(1)}},
		{"absent", ledger.Unsure, nil, nil, Bounds{"unsure": point(1), "absent": point(1)}},
		{"refused", ledger.Refused, nil, nil, Bounds{"refused": point(1)}},
		{"never sent", "", func(b *bench) {
			b.write("producer", ledger.Line{Event: ledger.Planned, Task: "t0", Queue: "q"})
			b.publish("producer", "t1", "m1", ledger.Refused)
		}, nil, Bounds{"never_sent": point(1), "planned": point(2), "attempted": point(1), "refused": point(1)}},
		{"called off", "", func(b *bench) {
			b.write("producer", ledger.Line{Event: ledger.Planned, Task: "t0", Queue: "q"})
			b.write("worker", ledger.Line{Event: ledger.CalledOff, Task: "t0", Queue: "q", Reason: "UpstreamError: task t1 has failed"})
			b.publish("producer", "t1", "m1", ledger.Refused)
		}, nil, Bounds{"never_sent": point(1), "called_off": point(1), "planned": point(2), "attempted": point(1), "refused": point(1)}},
		{"called off without having been planned", "", func(b *bench) {
			b.write("worker", ledger.Line{Event: ledger.CalledOff, Task: "t0", Queue: "q"})
			b.publish("producer", "t1", "m1", ledger.Refused)
		}, nil, Bounds{"never_sent": point(1), "called_off": point(1), "planned": point(2), "refused": point(1)}},
		{"called off, and then published by another run", ledger.Confirmed, func(b *bench) {
			b.write("worker", ledger.Line{Event: ledger.CalledOff, Task: "t0", Queue: "q"})
			got(ledger.Accepted, ledger.Started, ledger.Finished)(b)
		}, nil, Bounds{"finished": point(1)}},
		{"its chord is lost", ledger.Confirmed, func(b *bench) {
			b.write("producer", ledger.Line{Event: ledger.Planned, Task: "t1", Queue: "q"})
			got(ledger.Accepted, ledger.Started, ledger.Finished)(b)
			b.write("worker", ledger.Line{Event: ledger.JoinLost, Task: "t0"})
			b.write("worker", ledger.Line{Event: ledger.JoinLost, Task: "t1"})
		}, nil, Bounds{"finished": point(1), "never_sent": point(1), "planned": point(2)}},
		{"came again and was collapsed", ledger.Confirmed, func(b *bench) {
			got(ledger.Accepted, ledger.Started, ledger.Finished)(b)
			b.receive("worker", "t0", "m0", "again")
			b.does("worker", "t0", "m0", ledger.Accepted, ledger.Collapsed, ledger.AckSending, ledger.AckSent)
		}, nil, Bounds{"finished": point(1), "redelivered": point(1), "collapsed": point(1)}},
		{"confirmed twice under one id, and held twice", ledger.Confirmed, func(b *bench) {
			b.publish("worker", "t0", "m0", ledger.Confirmed)
		}, []heldMessage{{"t0", "m0", "queued"}, {"t0", "m0", "queued"}}, Bounds{"stranded": point(1), "copied": point(1)}},
		{"confirmed twice under one id, and run twice", ledger.Confirmed, func(b *bench) {
			b.publish("worker", "t0", "m0", ledger.Confirmed)
			got(ledger.Accepted, ledger.Started, ledger.Finished)(b)
			got(ledger.Accepted, ledger.Started, ledger.Finished)(b)
		}, nil, Bounds{"finished": point(1), "repeated": point(1), "restarted": point(1), "redelivered": point(1), "copied": point(1)}},
		{"attempted without an outcome", "", func(b *bench) { b.attempt("producer", "t0", "m0", 0) }, nil, Bounds{"unsure": point(1), "absent": point(1)}},
		{"finished and still held", ledger.Confirmed, got(ledger.Accepted, ledger.Started, ledger.Finished), []heldMessage{{"t0", "m0", "unacked"}}, Bounds{"leftover": point(1)}},
		{"attempted twice under one id, once unsure", ledger.Unsure, func(b *bench) { b.publish("producer", "t0", "m0", ledger.Refused) }, nil,
			Bounds{"unsure": point(1), "absent": point(1)}},
		{"refused twice under one id", ledger.Refused, func(b *bench) { b.publish("producer", "t0", "m0", ledger.Refused) }, nil, Bounds{"refused": point(1)}},
		{"refused by one publisher, unsure by another", ledger.Refused, func(b *bench) { b.publish("worker", "t0", "m0", ledger.Unsure) }, nil,
			Bounds{"unsure": point(1), "absent": point(1)}},
		{"planned, attempted and finished", "", func(b *bench) {
			b.write("producer", ledger.Line{Event: ledger.Planned, Task: "t0", Queue: "q"})
			b.publish("producer", "t0", "m0", ledger.Confirmed)
			got(ledger.Accepted, ledger.Started, ledger.Finished)(b)
		}, nil, Bounds{"planned": point(1), "attempted": point(1), "finished": point(1)}},
		{"a session's settlements are unsure", ledger.Confirmed, func(b *bench) {
			b.write("worker", ledger.Line{Event: ledger.AckUnsure, Session: 1, Reason: "the session ended"})
		}, []heldMessage{{"t0", "m0", "queued"}}, Bounds{"stranded": point(1)}},
		{"its result is lost", ledger.Confirmed, got(ledger.Accepted, ledger.Started, ledger.Finished, ledger.ResultLost), nil, Bounds{"result_lost": point(1)}},
		{"interrupted after an early acknowledgement", ledger.Confirmed,
			got(ledger.Accepted, ledger.AckSending, ledger.AckSent, ledger.Started, ledger.Interrupted), nil, Bounds{"lost_after_ack": point(1)}},
		{"confirmed twice under one id, and both copies acknowledged early", ledger.Confirmed, func(b *bench) {
			b.publish("worker", "t0", "m0", ledger.Confirmed)
			for range 2 {
				got(ledger.Accepted, ledger.AckSending, ledger.AckSent, ledger.Started, ledger.Interrupted)(b)
			}
		}, nil, Bounds{"lost_after_ack": point(1), "copied": point(1), "redelivered": point(1), "restarted": point(1)}},
		{"refused as held already, and held", ledger.Unsure, func(b *bench) {
			b.duplicate("worker", "t0", "m0")
		}, []heldMessage{{"t0", "m0", "queued"}}, Bounds{"stranded": point(1)}},
		{"a second publisher confirms", ledger.Unsure, func(b *bench) {
			b.publish("worker", "t0", "m1", ledger.Confirmed)
		}, []heldMessage{{"t0", "m1", "queued"}}, Bounds{"stranded": point(1)}},
		{"two copies", ledger.Confirmed, func(b *bench) {
			b.publish("producer", "t0", "m1", ledger.Confirmed)
		}, []heldMessage{{"t0", "m0", "queued"}, {"t0", "m1", "queued"}}, Bounds{"stranded": point(1), "copied": point(1)}},
		{"a refused copy is none", ledger.Refused, func(b *bench) {
			b.publish("producer", "t0", "m1", ledger.Confirmed)
		}, []heldMessage{{"t0", "m1", "queued"}}, Bounds{"stranded": point(1)}},
		{"an unsure copy that is held", ledger.Confirmed, func(b *bench) {
			b.publish("producer", "t0", "m1", ledger.Unsure)
		}, []heldMessage{{"t0", "m0", "queued"}, {"t0", "m1", "queued"}}, Bounds{"stranded": point(1), "copied": point(1)}},
		{"an unsure copy that was received", ledger.Confirmed, func(b *bench) {
			b.publish("producer", "t0", "m1", ledger.Unsure)
			b.receive("worker", "t0", "m1", "first")
		}, []heldMessage{{"t0", "m0", "queued"}}, Bounds{"stranded": point(1), "copied": point(1)}},
		{"an unsure copy that nobody saw", ledger.Confirmed, func(b *bench) {
			b.publish("producer", "t0", "m1", ledger.Unsure)
		}, []heldMessage{{"t0", "m0", "queued"}}, Bounds{"stranded": point(1)}},
		{"failed and still held", ledger.Confirmed, got(ledger.Accepted, ledger.Started, ledger.Failed), []heldMessage{{"t0", "m0", "unacked"}}, Bounds{"failed": point(1), "leftover": point(1)}},
		{"expired and still held", ledger.Confirmed, got(ledger.Accepted, ledger.Expired), []heldMessage{{"t0", "m0", "unacked"}}, Bounds{"expired": point(1), "leftover": point(1)}},
		{"revoked and still held", ledger.Confirmed, got(ledger.Accepted, ledger.Revoked), []heldMessage{{"t0", "m0", "unacked"}}, Bounds{"revoked": point(1), "leftover": point(1)}},
		{"dead and still held", ledger.Confirmed, func(b *bench) {
			b.attempt("worker", "t0", "m1", 1)
			b.write("worker", ledger.Line{Event: ledger.Confirmed, Task: "t0", Message: "m1", Queue: "q"})
		}, []heldMessage{{"t0", "m0", "dead"}, {"t0", "m1", "delayed"}}, Bounds{"dead": point(1), "leftover": point(1)}},
		{"a retry is no copy", ledger.Confirmed, func(b *bench) {
			b.attempt("worker", "t0", "m1", 1)
			b.write("worker", ledger.Line{Event: ledger.Confirmed, Task: "t0", Message: "m1", Queue: "q"})
		}, []heldMessage{{"t0", "m1", "delayed"}}, Bounds{"stranded": point(1)}},
		{"given back and received again", ledger.Confirmed, func(b *bench) {
			got(ledger.GivenBack)(b)
			got(ledger.Accepted, ledger.Started, ledger.Finished)(b)
		}, nil, Bounds{"redelivered": point(1)}},
		{"run twice", ledger.Confirmed, func(b *bench) {
			got(ledger.Accepted, ledger.Started, ledger.Finished)(b)
			got(ledger.Accepted, ledger.Started, ledger.Finished)(b)
		}, nil, Bounds{"redelivered": point(1), "restarted": point(1), "repeated": point(1)}},
		{"finished comes before failed", ledger.Confirmed, func(b *bench) {
			got(ledger.Accepted, ledger.Started, ledger.Failed)(b)
			got(ledger.Accepted, ledger.Started, ledger.Finished)(b)
		}, nil, Bounds{"finished": point(1), "redelivered": point(1), "restarted": point(1)}},
		{"failed comes before dead", ledger.Confirmed, got(ledger.Accepted, ledger.Started, ledger.Failed), []heldMessage{{"t0", "m0", "dead"}}, Bounds{"failed": point(1)}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := oneTask(t, c.outcome, c.play, c.held...).sure()
			wantCounts(t, r, c.want)
		})
	}
}

func TestARetryFailureIsNotTheEnd(t *testing.T) {
	t.Parallel()
	r := oneTask(t, ledger.Confirmed, func(b *bench) {
		b.receive("worker", "t0", "m0", "first")
		b.does("worker", "t0", "m0", ledger.Accepted, ledger.Started)
		b.write("worker", ledger.Line{Event: ledger.Failed, Task: "t0", Message: "m0"})
	}, heldMessage{"t0", "m0", "unacked"}).sure()
	wantCounts(t, r, Bounds{"stranded": point(1)})
}

func TestPhantomsAndUnexpectedTasksAreAlwaysASurprise(t *testing.T) {
	t.Parallel()
	phantom := oneTask(t, ledger.Refused, func(b *bench) { b.receive("worker", "t0", "m0", "first") }).sure()
	unexpected := oneTask(t, ledger.Confirmed, func(b *bench) { b.receive("worker", "t9", "m9", "first") }, heldMessage{"t0", "m0", "queued"}).sure()
	foreign := oneTask(t, ledger.Confirmed, nil, heldMessage{"t0", "m0", "queued"}, heldMessage{"", "m9", "queued"}).sure()
	for name, r := range map[string]Result{"phantom": phantom, "unexpected": unexpected, "foreign": foreign} {
		generous := Bounds{"refused": {0, 9}, "phantom": {0, 9}, "unexpected": {0, 9}, "stranded": {0, 9}}
		if outcome, reason := Outcome(generous, []Result{r}); outcome != Surprise {
			t.Errorf("%s is %s (%s)", name, outcome, reason)
		}
	}
	for _, r := range []Result{phantom, unexpected, foreign} {
		if len(r.Broken) > 0 {
			t.Errorf("what nobody sent cannot have been altered: %q", r.Broken)
		}
	}
	if n := unexpected.Counts["unexpected"] + foreign.Counts["unexpected"]; n != 2 {
		t.Errorf("%d unexpected", n)
	}
	if phantom.Counts["phantom"] != 1 || phantom.Counts["refused"] != 1 {
		t.Errorf("phantom: %v", nonZero(phantom.Counts))
	}
}

func TestAPlannedTaskThatWasSeenUnattemptedMakesTheTrialUnsure(t *testing.T) {
	t.Parallel()
	r := oneTask(t, "", func(b *bench) {
		b.write("producer", ledger.Line{Event: ledger.Planned, Task: "t0"})
		b.publish("producer", "t1", "m1", ledger.Refused)
		b.receive("worker", "t0", "m0", "first")
	}).judge()
	wantUnsure(t, r, "a planned task was seen, but nobody attempted it: t0")
	if r.Counts["never_sent"] != 1 || r.Counts["unexpected"] != 0 {
		t.Errorf("%v", nonZero(r.Counts))
	}
}

func TestTheCauseOfALossNeedsEvidence(t *testing.T) {
	t.Parallel()
	ack := func(b *bench) {
		b.receive("worker", "t0", "m0", "first")
		b.does("worker", "t0", "m0", ledger.Accepted, ledger.AckSending)
	}
	retry := func(b *bench) { // the first message is acknowledged, its retry vanishes
		ack(b)
		b.attempt("worker", "t0", "m1", 1)
		b.write("worker", ledger.Line{Event: ledger.Confirmed, Task: "t0", Message: "m1", Queue: "q"})
	}
	brokerFault := func(b *bench) {
		b.trial.Expect.BrokerFault, b.trial.Expect.Faults = true, []string{"kill-broker"}
		b.write("runner", ledger.Line{Event: ledger.FaultInjected, Fault: "kill-broker"})
	}
	cases := []struct {
		name string
		play func(*bench)
		want Cause
	}{
		{"nothing was done to it", nil, Unexplained},
		{"received and not acknowledged", func(b *bench) { b.receive("worker", "t0", "m0", "first") }, Unexplained},
		{"the acknowledgement had begun", ack, AfterAck},
		{"it was acknowledged", func(b *bench) { ack(b); b.does("worker", "t0", "m0", ledger.AckSent) }, AfterAck},
		{"an acknowledgement without its intent", func(b *bench) {
			b.receive("worker", "t0", "m0", "first")
			b.does("worker", "t0", "m0", ledger.Accepted, ledger.AckSent)
		}, AfterAck},
		{"the acknowledgement was unsure", func(b *bench) { ack(b); b.does("worker", "t0", "m0", ledger.AckUnsure) }, AfterAck},
		{"the acknowledgement came too late", func(b *bench) { ack(b); b.does("worker", "t0", "m0", ledger.StaleAck) }, Unexplained},
		{"a stale requeue takes no acknowledgement away", func(b *bench) {
			ack(b)
			b.does("worker", "t0", "m0", ledger.AckSent, ledger.Requeuing, ledger.StaleAck)
		}, AfterAck},
		{"its retry vanished", retry, Unexplained},
		{"its retry vanished in a broken broker", func(b *bench) { brokerFault(b); retry(b) }, InBroker},
		{"a retry that was never stored is nobody's loss", func(b *bench) {
			ack(b)
			b.attempt("worker", "t0", "m1", 1)
			b.write("worker", ledger.Line{Event: ledger.Unsure, Task: "t0", Message: "m1", Queue: "q"})
		}, AfterAck},
		{"its retry was unsure, and was there", func(b *bench) {
			ack(b)
			b.attempt("worker", "t0", "m1", 1)
			b.write("worker", ledger.Line{Event: ledger.Unsure, Task: "t0", Message: "m1", Queue: "q"})
			b.receive("worker", "t0", "m1", "first")
		}, Unexplained},
		{"a fault was done to somebody else", func(b *bench) {
			b.write("runner", ledger.Line{Event: ledger.FaultInjected, Fault: "kill"})
		}, Unexplained},
		{"the broker was broken", brokerFault, InBroker},
		{"the broker was broken after the acknowledgement", func(b *bench) { brokerFault(b); ack(b) }, AfterAck},
		{"a rejection is no permission to forget", func(b *bench) {
			b.receive("worker", "t0", "m0", "first")
			b.does("worker", "t0", "m0", ledger.Accepted, ledger.Rejecting, ledger.Rejected)
		}, Unexplained},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := oneTask(t, ledger.Confirmed, c.play).sure()
			if f := r.fate(t, "t0"); f.Class != Lost || f.Cause != c.want {
				t.Errorf("%s, %s; want lost, %s", f.Class, f.Cause, c.want)
			}
		})
	}
}

func TestAFaultThatNobodySawExcusesNoLoss(t *testing.T) {
	t.Parallel()
	b := oneTask(t, ledger.Confirmed, nil)
	b.trial.Expect.BrokerFault, b.trial.Expect.Faults = true, []string{"kill-broker"}
	r := b.judge()
	wantUnsure(t, r, "nothing shows that the fault kill-broker happened")
	if f := r.fate(t, "t0"); f.Cause != Unexplained {
		t.Errorf("%+v", f)
	}
}

func TestAPublishThatNamesNoMessageIsAnUnsureAttempt(t *testing.T) {
	t.Parallel()
	r := oneTask(t, "", func(b *bench) { b.attempt("producer", "t0", "", 0) }).judge()
	wantUnsure(t, r, "a publish names no message")
	if r.Counts["attempted"] != 1 || r.Counts["absent"] != 1 {
		t.Errorf("%v", nonZero(r.Counts))
	}
}

func TestTheBrokerIsProbedAfterTheLastThingThatWasDoneToIt(t *testing.T) {
	t.Parallel()
	for _, what := range []ledger.Event{ledger.FaultInjected, ledger.FaultHealed} {
		b := oneTask(t, ledger.Refused, nil)
		b.sure()
		b.edit("runner", ledger.DepthSeen, func(l *ledger.Line) { l.Event, l.Fault = what, "cut" })
		wantUnsure(t, b.judge(), "no probe showed a healthy broker after")
	}
}

// together is the in-process queue: one process is producer, queue and worker.
func together(t testing.TB, dies bool) *bench {
	b := newBench(t)
	b.drop("runner", is(ledger.ProbeOK)) // there is no server to probe
	b.trial.Expect.QueueDiesWith = "all"
	b.start("all")
	for i := range 3 {
		b.publish("all", taskID(i), messageID(i), ledger.Confirmed)
	}
	b.receive("all", "t0", "m0", "first")
	b.runs("all", "t0", "m0", "early")
	b.receive("all", "t1", "m1", "first")
	b.does("all", "t1", "m1", ledger.Accepted, ledger.AckSending, ledger.AckSent, ledger.Started)
	if dies {
		b.write("all", ledger.Line{Event: ledger.Acked, Session: 1, Upto: int64(len(b.lines["all"]))})
		b.write("all", ledger.Line{Event: ledger.Checkpoint, Task: "t1", Message: "m1", Point: "started"})
		b.kill("all")
		b.trial.Expect.Victim, b.trial.Expect.Checkpoint = "all", "started"
	} else {
		b.does("all", "t1", "m1", ledger.Finished)
		b.write("all", ledger.Line{Event: ledger.CensusOpened, Queue: "q"})
		b.write("all", ledger.Line{Event: ledger.Held, Queue: "q", Task: "t2", Message: "m2", State: "queued"})
		b.write("all", ledger.Line{Event: ledger.CensusClosed, Queue: "q", N: 1})
		b.end("all")
	}
	b.write("runner", ledger.Line{Event: ledger.Closed})
	return b
}

func TestALossNeedsACensusOfEveryQueueThatWasPublishedTo(t *testing.T) {
	t.Parallel()
	b := oneTask(t, ledger.Confirmed, nil)
	b.edit("producer", ledger.Attempted, func(l *ledger.Line) { l.Queue = "elsewhere" })
	r := b.judge()
	wantUnsure(t, r, "a queue that was published to has no census: elsewhere")
	if f := r.fate(t, "t0"); f.Class != Unaccounted {
		t.Errorf("%+v", f)
	}
	b = oneTask(t, ledger.Refused, nil)
	b.edit("producer", ledger.Attempted, func(l *ledger.Line) { l.Queue = "elsewhere" })
	b.sure() // what was refused is nowhere
}

func TestTheDeathOfAQueueIsItsCensus(t *testing.T) {
	t.Parallel()
	r := together(t, true).sure()
	wantCounts(t, r, Bounds{"lost": point(2), "lost_after_ack": point(1), "lost_in_broker": point(1)})
	if f := r.fate(t, "t2"); f.Cause != InBroker || f.Condition != Waiting {
		t.Errorf("what waited in the queue: %+v", f)
	}
}

func TestAQueueThatEndsByItselfIsCountedByItsProcess(t *testing.T) {
	t.Parallel()
	wantCounts(t, together(t, false).sure(), Bounds{"stranded": point(1)})

	b := together(t, false)
	b.drop("all", func(l ledger.Line) bool {
		return l.Event == ledger.CensusOpened || l.Event == ledger.Held || l.Event == ledger.CensusClosed
	})
	wantUnsure(t, b.judge(), "the census of q is missing")

	b = together(t, false)
	b.drop("all", is(ledger.Held))
	b.edit("all", ledger.CensusClosed, func(l *ledger.Line) { l.N = 0 })
	if f := b.sure().fate(t, "t2"); f.Class != Lost || f.Cause != Unexplained {
		t.Errorf("what the living queue does not have: %+v", f)
	}
	last := len(b.lines["all"]) - 1
	b.lines["all"][last].Event, b.lines["all"][last].Task, b.lines["all"][last].Message = ledger.Received, "t2", "m2"
	b.lines["all"] = append(b.lines["all"], ledger.Line{Event: ledger.Closed, Seq: int64(last + 2), Mono: b.lines["all"][last].Mono})
	r := b.judge()
	wantUnsure(t, r, "the queue still moved after its census was opened")
	if r.Counts["lost"] > 0 {
		t.Error("a task is called lost by a census that was not the last word")
	}

	b = together(t, false)
	b.trial.Expect.QueueDiesWith = "nobody"
	wantUnsure(t, b.judge(), "the process nobody, with which the queue dies, is not in the manifest")
}

// What is owed to the broker's own word is asked for as often as it gave it.
func TestALossOfWhatTheBrokerHadByItsOwnWordIsUnexplained(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		outcome ledger.Event
		play    func(*bench)
	}{
		"confirmed twice under one id, one copy acknowledged early": {ledger.Confirmed, func(b *bench) {
			b.publish("worker", "t0", "m0", ledger.Confirmed)
			b.receive("worker", "t0", "m0", "first")
			b.does("worker", "t0", "m0", ledger.Accepted, ledger.AckSending, ledger.AckSent, ledger.Started, ledger.Interrupted)
		}},
		"attempted by one, refused as held already to another": {"", func(b *bench) {
			b.attempt("producer", "t0", "m0", 0)
			b.duplicate("worker", "t0", "m0")
		}},
	} {
		r := oneTask(t, c.outcome, c.play).sure()
		if f := r.fate(t, "t0"); f.Class != Lost || f.Cause != Unexplained {
			t.Errorf("%s: %s %s", name, f.Class, f.Cause)
		}
	}
}

func TestARefusedDuplicateIsNotListedByACensus(t *testing.T) {
	t.Parallel()
	r := oneTask(t, ledger.Confirmed, func(b *bench) { b.duplicate("worker", "t0", "m0") },
		heldMessage{"t0", "m0", "queued"}, heldMessage{"t0", "m0", "queued"}).judge()
	if len(r.Unsure) != 1 || !strings.Contains(r.Unsure[0], "lists message m0 twice") {
		t.Errorf("%q", r.Unsure)
	}
}
