package check

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"acklab/internal/ledger"
)

// story is one way in which a task may go, and the class it then has. Stories
// are consistent: what they write could have happened.
type story struct {
	class Class
	play  func(b *bench, task, msg string) []heldMessage
}

var stories = []story{
	{Finished, func(b *bench, task, msg string) []heldMessage {
		b.publish("producer", task, msg, ledger.Confirmed)
		b.receive("survivor", task, msg, "first")
		b.runs("survivor", task, msg, "late")
		return nil
	}},
	{Finished, func(b *bench, task, msg string) []heldMessage { // twice, and a copy stays
		b.publish("producer", task, msg, ledger.Confirmed)
		b.receive("victim", task, msg, "first")
		b.does("victim", task, msg, ledger.Accepted, ledger.Started, ledger.Finished)
		b.receive("survivor", task, msg, "again")
		b.runs("survivor", task, msg, "late")
		b.publish("producer", task, msg+"-copy", ledger.Confirmed)
		return []heldMessage{{task, msg + "-copy", "queued"}}
	}},
	{Finished, func(b *bench, task, msg string) []heldMessage { // at the second try
		b.publish("producer", task, msg, ledger.Confirmed)
		b.receive("survivor", task, msg, "first")
		b.does("survivor", task, msg, ledger.Accepted, ledger.Started)
		b.write("survivor", ledger.Line{Event: ledger.Failed, Task: task, Message: msg})
		b.attempt("survivor", task, msg+"-1", 1)
		b.write("survivor", ledger.Line{Event: ledger.Confirmed, Task: task, Message: msg + "-1", Queue: "q"})
		b.does("survivor", task, msg, ledger.AckSending, ledger.AckSent)
		b.receive("survivor", task, msg+"-1", "first")
		b.runs("survivor", task, msg+"-1", "late")
		return nil
	}},
	{Failed, func(b *bench, task, msg string) []heldMessage {
		b.publish("producer", task, msg, ledger.Confirmed)
		b.receive("survivor", task, msg, "first")
		b.does("survivor", task, msg, ledger.Accepted, ledger.Started, ledger.Failed, ledger.AckSending, ledger.AckSent)
		return nil
	}},
	{Dead, func(b *bench, task, msg string) []heldMessage {
		b.publish("producer", task, msg, ledger.Confirmed)
		b.receive("survivor", task, msg, "first")
		b.does("survivor", task, msg, ledger.Accepted, ledger.Rejecting, ledger.Rejected)
		return []heldMessage{{task, msg, "dead"}}
	}},
	{Expired, func(b *bench, task, msg string) []heldMessage {
		b.publish("producer", task, msg, ledger.Confirmed)
		b.receive("survivor", task, msg, "first")
		b.does("survivor", task, msg, ledger.Accepted, ledger.Expired, ledger.AckSending, ledger.AckSent)
		return nil
	}},
	{Revoked, func(b *bench, task, msg string) []heldMessage {
		b.publish("producer", task, msg, ledger.Confirmed)
		b.receive("survivor", task, msg, "first")
		b.does("survivor", task, msg, ledger.Accepted, ledger.Revoked, ledger.AckSending, ledger.AckSent)
		return nil
	}},
	{Stranded, func(b *bench, task, msg string) []heldMessage {
		b.publish("producer", task, msg, ledger.Confirmed)
		b.receive("victim", task, msg, "first")
		return []heldMessage{{task, msg, "unacked"}}
	}},
	{Lost, func(b *bench, task, msg string) []heldMessage { // after its acknowledgement
		b.publish("producer", task, msg, ledger.Confirmed)
		b.receive("victim", task, msg, "first")
		b.does("victim", task, msg, ledger.Accepted, ledger.AckSending, ledger.AckSent, ledger.Started)
		return nil
	}},
	{Lost, func(b *bench, task, msg string) []heldMessage { // nobody knows where
		b.publish("producer", task, msg, ledger.Confirmed)
		return nil
	}},
	{Recovered, func(b *bench, task, msg string) []heldMessage {
		b.publish("producer", task, msg, ledger.Unsure)
		b.receive("survivor", task, msg, "first")
		b.runs("survivor", task, msg, "early")
		return nil
	}},
	{Recovered, func(b *bench, task, msg string) []heldMessage { // its publisher died
		b.attempt("victim", task, msg, 0)
		return []heldMessage{{task, msg, "queued"}}
	}},
	{Absent, func(b *bench, task, msg string) []heldMessage {
		b.publish("producer", task, msg, ledger.Unsure)
		return nil
	}},
	{Refused, func(b *bench, task, msg string) []heldMessage {
		b.publish("producer", task, msg, ledger.Refused)
		return nil
	}},
	{NeverSent, func(b *bench, task, _ string) []heldMessage {
		b.write("producer", ledger.Line{Event: ledger.Planned, Task: task, Queue: "q"})
		return nil
	}},
	{Phantom, func(b *bench, task, msg string) []heldMessage {
		b.publish("producer", task, msg, ledger.Refused)
		return []heldMessage{{task, msg, "queued"}}
	}},
	{Unexpected, func(b *bench, task, msg string) []heldMessage {
		return []heldMessage{{task, msg, "queued"}}
	}},
}

// randomTrial plays n random stories, one after another, and says how many of
// each class there must be.
func randomTrial(t testing.TB, rng *rand.Rand, n int) (*bench, map[Class]int) {
	b := newBench(t)
	b.trial.Expect = ledger.Expect{Victim: "victim", Faults: []string{"kill"}}
	b.start("producer", "victim", "survivor")
	b.publish("producer", "always", "always", ledger.Refused) // so that there is work
	want := map[Class]int{Refused: 1}
	var held []heldMessage
	for i := range n {
		s := stories[rng.IntN(len(stories))]
		want[s.class]++
		held = append(held, s.play(b, taskID(i), messageID(i))...)
	}
	b.kill("victim")
	b.write("runner", ledger.Line{Event: ledger.FaultInjected, Fault: "kill"})
	b.end("producer", "survivor")
	rng.Shuffle(len(held), func(i, j int) { held[i], held[j] = held[j], held[i] })
	b.finish(held...)
	return b, want
}

func TestRandomTrialsAreJudgedAsTheirStoriesSay(t *testing.T) {
	t.Parallel()
	reached := map[Class]bool{}
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 1))
		b, want := randomTrial(t, rng, rng.IntN(30))
		r := b.sure()
		got := map[Class]int{}
		for _, f := range r.Fates {
			got[f.Class]++
			reached[f.Class] = true
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("seed %d: %v, want %v", seed, got, want)
		}
		for class, n := range want {
			if c := r.Counts[string(class)]; c != n && class != Refused { // refused counts the phantoms too
				t.Fatalf("seed %d: the count %s is %d, want %d", seed, class, c, n)
			}
		}
		if wrong := r.Counts.sums(); wrong != nil {
			t.Fatalf("seed %d: %q", seed, wrong)
		}
	}
	for _, s := range stories {
		if !reached[s.class] {
			t.Errorf("no trial reached %s", s.class)
		}
	}
}

// TestNoLineIsMissedSilently: whatever line is taken out of whatever file, the
// numbering tells, unless it was the last word of a process that was killed.
func TestNoLineIsMissedSilently(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(7, 7))
	b, _ := randomTrial(t, rng, 25)
	b.sure()
	for _, p := range b.trial.Processes {
		lines := bytes.SplitAfter(b.raw(p.Name), []byte("\n"))
		lines = lines[:len(lines)-1] // what follows the last newline
		for i := range lines {
			if p.Killed && i == len(lines)-1 {
				continue
			}
			files := b.files()
			files[p.File] = b.parse(bytes.Join(slices.Delete(slices.Clone(lines), i, i+1), nil))
			if r := Judge(b.trial, files); len(r.Unsure) == 0 {
				t.Fatalf("line %d of %s is gone and nobody noticed", i+1, p.Name)
			} else if r.Counts["lost"] > 0 {
				t.Fatalf("line %d of %s is gone and %d tasks are called lost", i+1, p.Name, r.Counts["lost"])
			}
		}
	}
}

// TestDamageNeverMakesAPanicOrAFalseSum changes bytes at random.
func TestDamageNeverMakesAPanicOrAFalseSum(t *testing.T) {
	t.Parallel()
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 2))
		b, _ := randomTrial(t, rng, 10)
		files := b.files()
		for _, p := range b.trial.Processes {
			raw := b.raw(p.Name)
			for range rng.IntN(4) {
				raw[rng.IntN(len(raw))] = byte(rng.IntN(256))
			}
			files[p.File] = b.parse(raw[:len(raw)-rng.IntN(20)])
		}
		r := Judge(b.trial, files)
		if wrong := r.Counts.sums(); wrong != nil {
			t.Fatalf("seed %d: %q", seed, wrong)
		}
	}
}

// FuzzJudge gives the checker whatever JSON can express: manifests and lines
// that no room would write.
func FuzzJudge(f *testing.F) {
	b := crash(f, "late", "mid")
	manifest, err := json.Marshal(b.trial)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(manifest, b.raw("runner"), b.raw("victim"), b.raw("survivor"))
	f.Add([]byte(`{"processes":[{"file":"a"},{"file":"b","killed":true,"signal":9}],"expect":{"victim":"","queue_dies_with":""}}`),
		[]byte(`{"seq":-9223372036854775808,"event":"received","msg":"m","seen":"first"}`), []byte("{}\n{}"), []byte("\x00"))
	f.Fuzz(func(t *testing.T, manifest, runner, victim, other []byte) {
		var trial ledger.Trial
		if json.Unmarshal(manifest, &trial) != nil {
			return
		}
		files := map[string]ledger.File{}
		for i, raw := range [][]byte{runner, victim, other} {
			file, err := ledger.Parse(bytes.NewReader(raw))
			if err != nil {
				t.Fatal(err)
			}
			if i < len(trial.Processes) {
				files[trial.Processes[i].File] = file
			}
		}
		var loose []ledger.Line // not even what Parse lets through
		if json.Unmarshal(other, &loose) == nil && len(trial.Processes) > 0 {
			files[trial.Processes[len(trial.Processes)-1].File] = ledger.File{Lines: loose}
		}
		r := Judge(trial, files)
		if wrong := r.Counts.sums(); wrong != nil {
			t.Errorf("%q", wrong)
		}
		if again := Judge(trial, files); fmt.Sprint(again) != fmt.Sprint(r) {
			t.Error("the same evidence was judged in two ways")
		}
		Outcome(Bounds{"lost": {0, 1}}, []Result{r})
	})
}

func BenchmarkJudge(b *testing.B) {
	bench := newBench(b)
	bench.trial.Expect.MarksAlways = true
	bench.start("producer", "worker")
	for i := range 10_000 {
		bench.publish("producer", taskID(i), messageID(i), ledger.Confirmed)
		bench.receive("worker", taskID(i), messageID(i), "first")
		bench.runs("worker", taskID(i), messageID(i), "late")
	}
	bench.end("producer", "worker")
	bench.finish()
	files := bench.files()
	b.ReportAllocs()
	for b.Loop() {
		if r := Judge(bench.trial, files); len(r.Unsure) > 0 || r.Counts["finished"] != 10_000 {
			b.Fatal(r.Unsure)
		}
	}
}
