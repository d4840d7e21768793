package check

import (
	"bytes"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"acklab/internal/ledger"
)

// bench writes the ledgers of a trial by hand, on a clock of its own: one
// millisecond a line.
type bench struct {
	t     testing.TB
	trial ledger.Trial
	lines map[string][]ledger.Line // by process
	clock int64
}

const ms = int64(time.Millisecond)

// newBench begins a trial with a runner and a healthy broker.
func newBench(t testing.TB) *bench {
	b := &bench{t: t, lines: map[string][]ledger.Line{}, clock: 1000 * ms}
	b.trial = ledger.Trial{ID: "t", System: "rabbitmq", Queues: []string{"q"}, Setting: map[string]string{"ack": "late"}}
	b.start("runner")
	b.write("runner", ledger.Line{Event: ledger.ProbeOK, Point: "before"})
	return b
}

func (b *bench) tick() int64 { b.clock += ms; return b.clock }

// write appends a line to the ledger of the process and returns its number.
func (b *bench) write(process string, l ledger.Line) int64 {
	l.Seq = int64(len(b.lines[process])) + 1
	l.Mono = b.tick()
	l.Wall = time.Unix(1_700_000_000, l.Mono).UTC()
	b.lines[process] = append(b.lines[process], l)
	return l.Seq
}

func (b *bench) process(name string) *ledger.Process {
	for i := range b.trial.Processes {
		if b.trial.Processes[i].Name == name {
			return &b.trial.Processes[i]
		}
	}
	b.t.Fatalf("no process %s", name)
	return nil
}

func (b *bench) start(names ...string) {
	for _, name := range names {
		b.trial.Processes = append(b.trial.Processes, ledger.Process{Name: name, File: name + ".jsonl", Pid: len(b.trial.Processes) + 100, Start: b.tick()})
		b.write(name, ledger.Line{Event: ledger.Opened})
	}
}

// end is a polite end.
func (b *bench) end(names ...string) {
	for _, name := range names {
		b.write(name, ledger.Line{Event: ledger.Closed})
		b.process(name).End = b.tick()
	}
}

// kill is an end by signal 9 that was meant.
func (b *bench) kill(name string) {
	p := b.process(name)
	p.Killed, p.Signal, p.Code, p.End = true, 9, -1, b.tick()
}

// attempt writes attempted for a message of a task, by the process.
func (b *bench) attempt(process, task, msg string, retries int) {
	b.write(process, ledger.Line{Event: ledger.Attempted, Task: task, Message: msg, Queue: "q", Retries: retries, Hash: "h-" + task})
}

// publish writes an attempt and its outcome.
func (b *bench) publish(process, task, msg string, outcome ledger.Event) {
	b.attempt(process, task, msg, 0)
	b.write(process, ledger.Line{Event: outcome, Task: task, Message: msg, Queue: "q"})
}

// duplicate writes an attempt that is refused because the broker has the message.
func (b *bench) duplicate(process, task, msg string) {
	b.attempt(process, task, msg, 0)
	b.write(process, ledger.Line{Event: ledger.Refused, Task: task, Message: msg, Queue: "q", Detail: map[string]string{ledger.DetailDuplicate: "true"}})
}

// receive writes received.
func (b *bench) receive(process, task, msg, seen string) {
	b.write(process, ledger.Line{Event: ledger.Received, Task: task, Message: msg, Queue: "q", Hash: "h-" + task, Session: 1, Seen: seen})
}

// does writes lines of a worker about one message.
func (b *bench) does(process, task, msg string, events ...ledger.Event) {
	for _, e := range events {
		b.write(process, ledger.Line{Event: e, Task: task, Message: msg, Queue: "q", Session: 1, Final: e == ledger.Failed})
	}
}

// heldMessage is one message of a census.
type heldMessage struct{ task, msg, state string }

// finish probes, counts the queue and closes the runner's ledger.
func (b *bench) finish(held ...heldMessage) {
	b.write("runner", ledger.Line{Event: ledger.ProbeOK, Point: "after"})
	b.census("runner", "q", held...)
	b.write("runner", ledger.Line{Event: ledger.Closed})
}

func (b *bench) census(process, queue string, held ...heldMessage) {
	b.write(process, ledger.Line{Event: ledger.DepthSeen, Queue: queue, N: len(held)})
	b.write(process, ledger.Line{Event: ledger.CensusOpened, Queue: queue})
	for _, h := range held {
		b.write(process, ledger.Line{Event: ledger.Held, Queue: queue, Task: h.task, Message: h.msg, State: h.state})
	}
	b.write(process, ledger.Line{Event: ledger.CensusClosed, Queue: queue, N: len(held)})
}

// raw is the process' ledger as the bytes of a file.
func (b *bench) raw(process string) []byte {
	var buf bytes.Buffer
	for _, l := range b.lines[process] {
		line, err := json.Marshal(l)
		if err != nil {
			b.t.Fatal(err)
		}
		buf.Write(append(line, '\n'))
	}
	return buf.Bytes()
}

// files are the ledgers as a reader finds them.
func (b *bench) files() map[string]ledger.File {
	files := map[string]ledger.File{}
	for _, p := range b.trial.Processes {
		files[p.File] = b.parse(b.raw(p.Name))
	}
	return files
}

func (b *bench) parse(raw []byte) ledger.File {
	f, err := ledger.Parse(bytes.NewReader(raw))
	if err != nil {
		b.t.Fatal(err)
	}
	return f
}

func (b *bench) judge() Result { return Judge(b.trial, b.files()) }

// sure judges a trial that must count.
func (b *bench) sure() Result {
	b.t.Helper()
	r := b.judge()
	if len(r.Unsure) > 0 {
		b.t.Fatalf("the trial does not count: %q", r.Unsure)
	}
	return r
}

// wantCounts compares all counts but those that describe the load.
func wantCounts(t testing.TB, r Result, want Bounds) {
	t.Helper()
	for _, v := range Within(want, r) {
		t.Errorf("%s; counts %v", v, nonZero(r.Counts))
	}
}

func nonZero(c Counts) map[string]int {
	some := map[string]int{}
	for k, v := range c {
		if v != 0 {
			some[k] = v
		}
	}
	return some
}

func (r Result) fate(t testing.TB, task string) Fate {
	t.Helper()
	for _, f := range r.Fates {
		if f.Task == task {
			return f
		}
	}
	t.Fatalf("no fate of %s", task)
	return Fate{}
}

func point(n int) [2]int { return [2]int{n, n} }

func taskID(i int) string    { return fmt.Sprintf("t%d", i) }
func messageID(i int) string { return fmt.Sprintf("m%d", i) }
