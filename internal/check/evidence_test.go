package check

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
	"testing"

	"acklab/internal/ledger"
)

// wantUnsure: the trial does not count, and one of the reasons says why.
func wantUnsure(t testing.TB, r Result, reason string) {
	t.Helper()
	if !slices.ContainsFunc(r.Unsure, func(s string) bool { return strings.Contains(s, reason) }) {
		t.Errorf("no reason says %q; reasons: %q", reason, r.Unsure)
	}
	if outcome, _ := Outcome(Bounds{}, []Result{r}); outcome != Doubtful {
		t.Errorf("the outcome of an unsure trial is %q", outcome)
	}
}

// drop leaves out the lines that match and numbers the rest again: evidence
// that was never written.
func (b *bench) drop(process string, match func(ledger.Line) bool) {
	kept := slices.DeleteFunc(slices.Clone(b.lines[process]), match)
	if len(kept) == len(b.lines[process]) {
		b.t.Fatalf("nothing to drop in %s", process)
	}
	for i := range kept {
		kept[i].Seq = int64(i + 1)
	}
	b.lines[process] = kept
}

func is(e ledger.Event) func(ledger.Line) bool {
	return func(l ledger.Line) bool { return l.Event == e }
}

// edit changes the first line of the event.
func (b *bench) edit(process string, e ledger.Event, change func(*ledger.Line)) {
	for i, l := range b.lines[process] {
		if l.Event == e {
			change(&b.lines[process][i])
			return
		}
	}
	b.t.Fatalf("no %s in %s", e, process)
}

// swap exchanges what two lines say, but not their numbers and times.
func (b *bench) swap(process string, i, j int) {
	l := b.lines[process]
	l[i], l[j] = l[j], l[i]
	l[i].Seq, l[j].Seq = l[j].Seq, l[i].Seq
	l[i].Mono, l[j].Mono = l[j].Mono, l[i].Mono
}

// stranding is a trial whose victim dies in the middle of a task that then
// stays with the broker.
func stranding(t testing.TB) *bench {
	b := newBench(t)
	b.trial.Expect = ledger.Expect{Victim: "victim", Checkpoint: "mid", Running: 1, Prefetched: 1, Faults: []string{"kill"}}
	b.start("producer", "victim")
	for i := range 3 {
		b.publish("producer", taskID(i), messageID(i), ledger.Confirmed)
	}
	b.end("producer")
	b.write("victim", ledger.Line{Event: ledger.Consuming})
	b.receive("victim", "t0", "m0", "first")
	b.receive("victim", "t1", "m1", "first")
	b.does("victim", "t0", "m0", ledger.Accepted, ledger.Started)
	b.write("victim", ledger.Line{Event: ledger.Checkpoint, Task: "t0", Message: "m0", Point: "mid"})
	b.kill("victim")
	b.write("runner", ledger.Line{Event: ledger.FaultInjected, Fault: "kill"})
	b.finish(heldMessage{"t0", "m0", "unacked"}, heldMessage{"t1", "m1", "unacked"}, heldMessage{"t2", "m2", "queued"})
	return b
}

func TestAStrandingTrialThatIsWholeCounts(t *testing.T) {
	t.Parallel()
	wantCounts(t, stranding(t).sure(), Bounds{"stranded": point(3)})
}

// TestEveryDamageToTheEvidenceMakesTheTrialUnsure plants one fault in the
// evidence at a time. Each must be named.
func TestEveryDamageToTheEvidenceMakesTheTrialUnsure(t *testing.T) {
	t.Parallel()
	lineBefore := func(n int) []byte { return []byte(`{"seq":` + string(rune('0'+n)) + `,`) }
	cases := []struct {
		name   string
		damage func(*bench)
		files  func(*bench, map[string]ledger.File)
		reason string
	}{
		{"a ledger is missing", nil, func(_ *bench, f map[string]ledger.File) { delete(f, "producer.jsonl") }, "the ledger of producer is missing"},
		{"the victim's ledger is missing", nil, func(_ *bench, f map[string]ledger.File) { delete(f, "victim.jsonl") }, "the ledger of victim is missing"},
		{"the runner's ledger is missing", nil, func(_ *bench, f map[string]ledger.File) { delete(f, "runner.jsonl") }, "the ledger of runner is missing"},
		{"all ledgers are missing", nil, func(_ *bench, f map[string]ledger.File) { clear(f) }, "the ledger of runner is missing"},
		{"a process names no ledger", func(b *bench) { b.process("producer").File = "" }, nil, "the ledger of producer is missing"},
		{"two processes have one ledger", func(b *bench) { b.process("victim").File = "producer.jsonl" }, nil, "belongs to two processes"},
		{"two processes have one name", func(b *bench) { b.process("producer").Name = "victim" }, nil, "two processes are named victim"},
		{"no process at all", func(b *bench) { b.trial.Processes = nil }, nil, "names no process"},
		{"a torn line without a kill", nil, func(b *bench, f map[string]ledger.File) {
			raw := b.raw("producer")
			f["producer.jsonl"] = b.parse(raw[:len(raw)-5])
		}, "the ledger of producer ends in the middle of a line"},
		{"a torn line after the checkpoint", nil, func(b *bench, f map[string]ledger.File) {
			f["victim.jsonl"] = b.parse(append(b.raw("victim"), `{"seq":8,"wa`...))
		}, "is not the last word of the victim"},
		{"a gap", nil, func(b *bench, f map[string]ledger.File) {
			lines := bytes.SplitAfter(b.raw("producer"), []byte("\n"))
			f["producer.jsonl"] = b.parse(bytes.Join(slices.Delete(lines, 3, 4), nil))
		}, "the ledger of producer is damaged: line 4 is numbered 5"},
		{"a gap in the ledger of a killed process", nil, func(b *bench, f map[string]ledger.File) {
			lines := bytes.SplitAfter(b.raw("victim"), []byte("\n"))
			f["victim.jsonl"] = b.parse(bytes.Join(slices.Delete(lines, 3, 4), nil))
		}, "the ledger of victim is damaged"},
		{"a line that is no JSON", nil, func(b *bench, f map[string]ledger.File) {
			f["producer.jsonl"] = b.parse(bytes.Replace(b.raw("producer"), lineBefore(3), []byte("garbage"), 1))
		}, "the ledger of producer is damaged: line 3 is not a ledger line"},
		{"not closed though not killed", func(b *bench) { b.drop("producer", is(ledger.Closed)) }, nil, "the ledger of producer does not end with closed"},
		{"the runner did not close", func(b *bench) { b.drop("runner", is(ledger.Closed)) }, nil, "the ledger of runner does not end with closed"},
		{"the head is missing", func(b *bench) { b.drop("producer", is(ledger.Opened)) }, nil, "does not begin with opened"},
		{"a line is younger than its process", func(b *bench) { b.process("producer").End = b.lines["producer"][2].Mono }, nil, "is younger than its process"},
		{"a line is older than its process", func(b *bench) { b.process("producer").Start = b.lines["producer"][2].Mono }, nil, "is older than its process"},
		{"a clock runs backwards", func(b *bench) { b.lines["producer"][3].Mono = 1001 * ms }, nil, "the clock runs backwards"},
		{"a process never ended", func(b *bench) { b.process("producer").End = 0 }, nil, "producer never ended"},
		{"the victim never ended", func(b *bench) { b.process("victim").End = 0 }, nil, "victim never ended"},
		{"a process failed", func(b *bench) { b.process("producer").Code = 1 }, nil, "producer ended with exit status 1"},
		{"a process died that nobody meant to", func(b *bench) { b.process("producer").Signal = 11 }, nil, "producer ended by signal 11"},
		{"the victim left by itself", func(b *bench) { p := b.process("victim"); p.Signal, p.Code = 0, 1 }, nil, "victim victim was not ended by signal 9"},
		{"the victim died of another signal", func(b *bench) { b.process("victim").Signal = 15 }, nil, "victim victim was not ended by signal 9"},
		{"a victim that left by itself must have closed", func(b *bench) { p := b.process("victim"); p.Signal, p.Code = 0, 1 }, nil, "the ledger of victim does not end with closed"},
		{"it was to be killed and left", func(b *bench) { p := b.process("victim"); p.Signal, p.Code = 0, 1 }, nil, "victim was to be killed but ended by itself with exit status 1"},
		{"it was to be killed by another signal", func(b *bench) { b.process("victim").Signal = 15 }, nil, "victim was to be killed by signal 9 but ended by signal 15"},
		{"another signal explains no missing end", func(b *bench) { b.process("victim").Signal = 15 }, nil, "the ledger of victim does not end with closed"},
		{"a kill that nobody meant explains no missing end", func(b *bench) { b.process("victim").Killed = false }, nil, "the ledger of victim does not end with closed"},
		{"a kill that nobody meant explains no torn line", func(b *bench) { b.process("victim").Killed = false }, func(b *bench, f map[string]ledger.File) {
			f["victim.jsonl"] = b.parse(append(b.raw("victim"), '{'))
		}, "the ledger of victim ends in the middle of a line"},
		{"a message before the census", func(b *bench) { b.swap("runner", 5, 6) }, nil, "has a message outside of its opening and closing"},
		{"a message after the census", func(b *bench) { n := len(b.lines["runner"]); b.swap("runner", n-3, n-2) }, nil, "has a message outside of its opening and closing"},
		{"a census that nobody asked for is not complete", func(b *bench) {
			last := len(b.lines["runner"]) - 1
			b.lines["runner"][last] = ledger.Line{Seq: int64(last + 1), Mono: b.lines["runner"][last].Mono, Event: ledger.CensusOpened, Queue: "q2"}
			b.write("runner", ledger.Line{Event: ledger.Closed})
		}, nil, "the census of q2 was never closed"},
		{"the victim was not meant to die", func(b *bench) { b.process("victim").Killed = false }, nil, "and nobody meant it to"},
		{"the victim is not there", func(b *bench) { b.trial.Expect.Victim = "nobody" }, nil, "the victim nobody is not in the manifest"},
		{"the victim is the runner", func(b *bench) { b.trial.Expect.Victim = "runner" }, nil, "is the runner"},
		{"a state is expected of no victim", func(b *bench) { b.trial.Expect.Victim = "" }, nil, "names no victim"},
		{"a checkpoint is expected of no victim", func(b *bench) { b.trial.Expect = ledger.Expect{Checkpoint: "mid"} }, nil, "names no victim"},
		{"tasks are expected of no victim", func(b *bench) { b.trial.Expect = ledger.Expect{Waiting: 1} }, nil, "names no victim"},
		{"the checkpoint was not reached", func(b *bench) { b.drop("victim", is(ledger.Checkpoint)) }, nil, `is not the checkpoint mid but "started"`},
		{"another checkpoint was reached", func(b *bench) { b.edit("victim", ledger.Checkpoint, func(l *ledger.Line) { l.Point = "started" }) }, nil, "is not the checkpoint mid but started"},
		{"the checkpoint is not the last line", func(b *bench) {
			l := b.lines["victim"][len(b.lines["victim"])-1]
			l.Event, l.Seq = ledger.Received, l.Seq+1
			l.Message, l.Task = "m2", "t2"
			b.lines["victim"] = append(b.lines["victim"], l)
		}, nil, `is not the checkpoint mid but "received"`},
		{"the victim had closed before it was killed", func(b *bench) {
			b.edit("victim", ledger.Checkpoint, func(l *ledger.Line) { l.Event = ledger.Closed })
		}, nil, "had ended its work before it was killed"},
		{"the victim was idle", func(b *bench) {
			b.drop("victim", func(l ledger.Line) bool { return l.Event != ledger.Opened && l.Event != ledger.Checkpoint })
			b.edit("victim", ledger.Checkpoint, func(l *ledger.Line) { l.Task, l.Message = "", "" })
		}, nil, "0 tasks were running for the victim"},
		{"the victim had fetched nothing ahead", func(b *bench) {
			b.drop("victim", func(l ledger.Line) bool { return l.Task == "t1" })
		}, nil, "0 tasks were prefetched for the victim"},
		{"the census is missing", func(b *bench) {
			b.drop("runner", func(l ledger.Line) bool {
				return l.Event == ledger.CensusOpened || l.Event == ledger.Held || l.Event == ledger.CensusClosed
			})
		}, nil, "the census of q is missing"},
		{"the census was never closed", func(b *bench) { b.drop("runner", is(ledger.CensusClosed)) }, nil, "the census of q was never closed"},
		{"the census is incomplete by its own word", func(b *bench) {
			b.edit("runner", ledger.CensusClosed, func(l *ledger.Line) { l.Reason = "the connection was lost" })
		}, nil, "the census of q is incomplete: the connection was lost"},
		{"the census leaves out what is unacknowledged", func(b *bench) {
			b.drop("runner", func(l ledger.Line) bool { return l.Event == ledger.Held && l.State == "unacked" })
			b.edit("runner", ledger.CensusClosed, func(l *ledger.Line) { l.N = 1 })
		}, nil, "the census of q lists 1 messages, but the broker's depth was 3"},
		{"a line of the census is missing", func(b *bench) {
			b.drop("runner", func(l ledger.Line) bool { return l.Event == ledger.Held && l.Task == "t2" })
		}, nil, "the census of q says 3 messages and lists 2"},
		{"a message is listed twice", func(b *bench) {
			b.edit("runner", ledger.Held, func(l *ledger.Line) { l.Task, l.Message = "t2", "m2" })
		}, nil, "the census of q lists message m2 twice"},
		{"the depth is missing", func(b *bench) { b.drop("runner", is(ledger.DepthSeen)) }, nil, "the census of q has no depth"},
		{"the census was taken twice", func(b *bench) {
			b.edit("runner", ledger.DepthSeen, func(l *ledger.Line) { l.Event = ledger.CensusOpened })
		}, nil, "the census of q was taken 2 times"},
		{"the census came before the end of a worker", func(b *bench) { b.process("victim").End = b.clock }, nil, "was opened before victim had ended"},
		{"a queue has no census", func(b *bench) { b.trial.Queues = append(b.trial.Queues, "q2") }, nil, "the census of q2 is missing"},
		{"no queue is named", func(b *bench) {
			b.trial.Queues = nil
		}, nil, "names no queue"},
		{"a queue was published to that nobody counted", func(b *bench) {
			b.edit("producer", ledger.Attempted, func(l *ledger.Line) { l.Queue = "elsewhere" })
		}, nil, "a queue that was published to has no census: elsewhere"},
		{"no probe before", func(b *bench) {
			b.drop("runner", func(l ledger.Line) bool { return l.Event == ledger.ProbeOK && l.Point == "before" })
		}, nil, "no probe showed a healthy broker before"},
		{"no probe after", func(b *bench) {
			b.drop("runner", func(l ledger.Line) bool { return l.Event == ledger.ProbeOK && l.Point == "after" })
		}, nil, "no probe showed a healthy broker after"},
		{"the probe before came after the fault", func(b *bench) {
			b.edit("runner", ledger.ProbeOK, func(l *ledger.Line) { l.Event = "note" })
			b.edit("runner", ledger.DepthSeen, func(l *ledger.Line) { l.Event, l.Point = ledger.ProbeOK, "before" })
		}, nil, "no probe showed a healthy broker before"},
		{"the probe after came before the fault", func(b *bench) { b.swap("runner", 2, 3) }, nil, "no probe showed a healthy broker after"},
		{"both probes came after the fault", func(b *bench) {
			b.edit("runner", ledger.ProbeOK, func(l *ledger.Line) { l.Point = "after" })
		}, nil, "no probe showed a healthy broker before"},
		{"a probe failed", func(b *bench) {
			b.edit("runner", ledger.DepthSeen, func(l *ledger.Line) { l.Event, l.Point, l.Reason = ledger.ProbeFailed, "after", "refused" })
		}, nil, "a health probe failed: after: refused"},
		{"nothing shows the fault", func(b *bench) { b.drop("runner", is(ledger.FaultInjected)) }, nil, "nothing shows that the fault kill happened"},
		{"another fault happened", func(b *bench) { b.edit("runner", ledger.FaultInjected, func(l *ledger.Line) { l.Fault = "freeze" }) }, nil, "nothing shows that the fault kill happened"},
		{"somebody else says that the fault happened", func(b *bench) {
			b.drop("runner", is(ledger.FaultInjected))
			b.edit("victim", ledger.Consuming, func(l *ledger.Line) { l.Event, l.Fault = ledger.FaultInjected, "kill" })
		}, nil, "nothing shows that the fault kill happened"},
		{"a broker fault without a name", func(b *bench) { b.trial.Expect.BrokerFault, b.trial.Expect.Faults = true, nil }, nil, "the manifest names none"},
		{"a control with a fault", func(b *bench) { b.trial.Control = true }, nil, "the control had a fault"},
		{"a confirm without an attempt", func(b *bench) { b.drop("producer", is(ledger.Attempted)) }, nil, "more outcomes than attempts"},
		{"nothing was attempted", func(b *bench) {
			b.drop("producer", func(l ledger.Line) bool { return l.Event == ledger.Attempted || l.Event == ledger.Confirmed })
		}, nil, "nothing was attempted"},
		{"a message of two tasks", func(b *bench) { b.edit("victim", ledger.Received, func(l *ledger.Line) { l.Task = "t2" }) }, nil, "a message belongs to two tasks"},
		{"a line about nothing", func(b *bench) {
			b.edit("victim", ledger.Received, func(l *ledger.Line) { l.Task, l.Message = "", "" })
		}, nil, "a line names neither task nor message"},
		{"a publish without a message", func(b *bench) { b.edit("producer", ledger.Attempted, func(l *ledger.Line) { l.Message = "" }) }, nil, "a publish names no message"},
		{"the runner measures a count", func(b *bench) {
			b.edit("runner", ledger.ProbeOK, func(l *ledger.Line) { l.Event, l.Point = ledger.Measured, "lost" })
		}, nil, "measured what only the checker can"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := stranding(t)
			if c.damage != nil {
				c.damage(b)
			}
			files := b.files()
			if c.files != nil {
				c.files(b, files)
			}
			r := Judge(b.trial, files)
			wantUnsure(t, r, c.reason)
			if n := r.Counts["lost"]; n > 0 {
				t.Errorf("%d tasks are called lost on damaged evidence", n)
			}
		})
	}
}

func TestLinesMayShareAMomentWithEachOtherAndWithTheirProcess(t *testing.T) {
	t.Parallel()
	b := stranding(t)
	lines := b.lines["producer"]
	lines[2].Mono = lines[1].Mono
	b.process("producer").Start = lines[0].Mono
	b.process("producer").End = lines[len(lines)-1].Mono
	b.sure()
}

func TestADepthAloneAsksForNoCensus(t *testing.T) {
	t.Parallel()
	b := stranding(t)
	last := len(b.lines["runner"]) - 1
	b.lines["runner"][last] = ledger.Line{Seq: int64(last + 1), Mono: b.lines["runner"][last].Mono, Event: ledger.DepthSeen, Queue: "q2", N: 3}
	b.write("runner", ledger.Line{Event: ledger.Closed})
	b.sure()
}

func TestAKillExplainsATornLastLineAndAMissingEnd(t *testing.T) {
	t.Parallel()
	b := stranding(t)
	b.trial.Expect.Checkpoint = "" // killed from outside, wherever it was
	files := b.files()
	files["victim.jsonl"] = b.parse(append(b.raw("victim"), `{"seq":8,"wa`...))
	r := Judge(b.trial, files)
	if len(r.Unsure) > 0 {
		t.Errorf("unsure: %q", r.Unsure)
	}
}

func TestTenThousandLinesWithOneFaultMakeOneSentence(t *testing.T) {
	t.Parallel()
	b := stranding(t)
	for range 100 {
		b.lines["victim"] = slices.Insert(b.lines["victim"], 1, ledger.Line{Event: ledger.Received, Mono: b.lines["victim"][0].Mono})
	}
	b.drop("victim", is(ledger.Consuming)) // numbers the lines again
	r := b.judge()
	n := 0
	for _, s := range r.Unsure {
		if strings.Contains(s, "names neither") {
			n++
			if !strings.Contains(s, "and 99 more") {
				t.Error(s)
			}
		}
	}
	if n != 1 {
		t.Errorf("%d sentences: %q", n, r.Unsure)
	}
}

func TestAnAcknowledgementThatNobodyVouchesForMakesAnExactCheckpointARace(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		mode, point string
		race        bool
	}{
		{"early", "ack-sent", true}, {"early", "acked", false}, {"early", "started", false}, {"early", "finished", false},
		{"late", "late-ack-sent", true}, {"late", "late-acked", false},
	} {
		b := crash(t, c.mode, c.point)
		for i, l := range b.lines["victim"] {
			if l.Event == ledger.Acked { // of an earlier acknowledgement
				b.lines["victim"][i].Upto = 3
			}
		}
		if c.race {
			b.sure()
			continue
		}
		wantUnsure(t, b.judge(), "nothing shows that its acknowledgement had been processed")
	}
}

func TestAnIncompleteCensusCallsATaskUnaccountedAndNotLost(t *testing.T) {
	t.Parallel()
	b := crash(t, "early", "mid")
	b.edit("runner", ledger.CensusClosed, func(l *ledger.Line) { l.Reason = "gave up" })
	r := b.judge()
	wantUnsure(t, r, "1 tasks are unaccounted for")
	if f := r.fate(t, "t0"); f.Class != Unaccounted {
		t.Errorf("t0 is %s", f.Class)
	}
}

func TestALedgerThatIsNotWholeCallsATaskUnaccountedAndNotLost(t *testing.T) {
	t.Parallel()
	b := crash(t, "early", "mid")
	files := b.files()
	delete(files, "survivor.jsonl") // it may have finished t0
	r := Judge(b.trial, files)
	wantUnsure(t, r, "4 tasks are unaccounted for")
}

func TestAFaultThatMetNobodyAtWorkMakesTheTrialUnsure(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		before []ledger.Event
		unsure string
	}{
		"received":          {[]ledger.Event{ledger.Received}, ""},
		"and begun":         {[]ledger.Event{ledger.Received, ledger.Accepted, ledger.Started}, ""},
		"and settled":       {[]ledger.Event{ledger.Received, ledger.AckSending, ledger.AckSent}, "the fault met 0 deliveries in the hands of workers"},
		"and given back":    {[]ledger.Event{ledger.Received, ledger.GivenBack}, "the fault met 0 deliveries in the hands of workers"},
		"received too late": {nil, "the fault met 0 deliveries in the hands of workers"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.trial.Expect = ledger.Expect{Faults: []string{"cut"}, InHand: 1}
			b.start("producer", "worker")
			b.publish("producer", "t1", "m1", ledger.Confirmed)
			b.does("worker", "t1", "m1", tc.before...)
			began := b.tick()
			if tc.before == nil {
				b.receive("worker", "t1", "m1", "first")
			}
			b.write("runner", ledger.Line{Event: ledger.FaultInjected, Fault: "cut", Detail: map[string]string{"start_ns": strconv.FormatInt(began, 10)}})
			b.receive("worker", "t1", "m1", "again")
			b.does("worker", "t1", "m1", ledger.Accepted, ledger.Started, ledger.Finished, ledger.AckSending, ledger.AckSent)
			b.end("producer", "worker")
			b.finish()
			if tc.unsure == "" {
				b.sure()
			} else {
				wantUnsure(t, b.judge(), tc.unsure)
			}
		})
	}
}
