package report_test

import (
	"fmt"
	"testing"
	"time"

	"acklab/internal/ledger"
)

// tape writes the ledgers of a trial: one clock, several processes.
type tape struct {
	t     *testing.T
	trial ledger.Trial
	files map[string]ledger.File
	now   int64
	held  []ledger.Line // what the census will find
}

func newTape(t *testing.T, system, ack, point string) *tape {
	return &tape{t: t, now: 5e9, files: map[string]ledger.File{}, trial: ledger.Trial{
		ID: "worker-crash-" + system + "-" + ack + "-" + point + "-1", Experiment: "worker-crash", System: system,
		Setting: map[string]string{"ack": ack, "crash_at": point, "then": "survivor"}, Seed: 1, Queues: []string{"q"},
	}}
}

// start begins a process; its first line is opened.
func (p *tape) start(names ...string) {
	for _, name := range names {
		p.trial.Processes = append(p.trial.Processes, ledger.Process{Name: name, File: name + ".jsonl", Pid: 100 + len(p.trial.Processes), Start: p.now})
		p.say(name, ledger.Line{Event: ledger.Opened})
	}
}

// say writes a line; every line takes a millisecond.
func (p *tape) say(name string, l ledger.Line) int64 {
	p.now += 1e6
	f := p.files[name+".jsonl"]
	l.Seq, l.Mono = int64(len(f.Lines))+1, p.now
	l.Wall = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC).Add(time.Duration(p.now))
	f.Path = name + ".jsonl"
	f.Lines = append(f.Lines, l)
	p.files[name+".jsonl"] = f
	return l.Seq
}

// does writes one line for each event about the task's message.
func (p *tape) does(name, task string, events ...ledger.Event) {
	for _, e := range events {
		l := ledger.Line{Event: e, Task: task, Message: "m-" + task, Queue: "q", Name: "send_email"}
		switch e {
		case ledger.Acked:
			f := p.files[name+".jsonl"]
			l = ledger.Line{Event: e, Session: 1, Upto: int64(len(f.Lines))}
		case ledger.Received:
			l.Session, l.Seen = 1, "first"
			if p.received(task) {
				l.Seen = "again"
			}
		case ledger.AckSending, ledger.AckSent:
			l.Session = 1
		case ledger.Unsure:
			l.Reason = "connection lost before the confirm"
		case ledger.Rejecting, ledger.Rejected:
			l.Reason = "ran 5 times and killed its worker each time"
		}
		p.say(name, l)
	}
}

func (p *tape) received(task string) bool {
	for _, f := range p.files {
		for _, l := range f.Lines {
			if l.Task == task && l.Event == ledger.Received {
				return true
			}
		}
	}
	return false
}

func (p *tape) wait(d time.Duration) { p.now += int64(d) }

func (p *tape) process(name string) *ledger.Process {
	for i := range p.trial.Processes {
		if p.trial.Processes[i].Name == name {
			return &p.trial.Processes[i]
		}
	}
	p.t.Fatalf("no process %s", name)
	return nil
}

// crash kills the process at the checkpoint.
func (p *tape) crash(name, task, point string) {
	p.say(name, ledger.Line{Event: ledger.Checkpoint, Point: point, Task: task, Message: "m-" + task})
	p.now += 2e5
	proc := p.process(name)
	proc.End, proc.Signal, proc.Killed = p.now, 9, true
	p.trial.Expect.Victim, p.trial.Expect.Checkpoint = name, point
}

// stop ends processes politely.
func (p *tape) stop(names ...string) {
	for _, name := range names {
		p.say(name, ledger.Line{Event: ledger.Closed})
		p.process(name).End = p.now
	}
}

// census ends the trial: what is still held, and the runner's last line.
func (p *tape) census(held ...ledger.Line) (ledger.Trial, map[string]ledger.File) {
	p.say("runner", ledger.Line{Event: ledger.ProbeOK, Point: "after"})
	p.say("runner", ledger.Line{Event: ledger.DepthSeen, Queue: "q", N: len(held)})
	p.say("runner", ledger.Line{Event: ledger.CensusOpened, Queue: "q"})
	for _, h := range held {
		h.Event, h.Queue, h.Message = ledger.Held, "q", "m-"+h.Task
		p.say("runner", h)
	}
	p.say("runner", ledger.Line{Event: ledger.CensusClosed, Queue: "q", N: len(held)})
	p.stop("runner")
	return p.trial, p.files
}

// crashTrial is a trial of two workers with n tasks behind the one of the
// crash, which is "task-a"; what the victim does with it is the case.
func crashTrial(t *testing.T, system, ack, point string, n int, victim func(p *tape), after func(p *tape)) (ledger.Trial, map[string]ledger.File) {
	p := newTape(t, system, ack, point)
	p.start("runner", "producer", "victim", "survivor")
	p.say("runner", ledger.Line{Event: ledger.ProbeOK, Point: "before"})
	p.does("producer", "task-a", ledger.Attempted, ledger.Confirmed)
	for i := range n {
		p.does("producer", fmt.Sprintf("task-b%03d", i), ledger.Attempted, ledger.Confirmed)
	}
	p.stop("producer")
	victim(p)
	for i := range n {
		id := fmt.Sprintf("task-b%03d", i)
		p.does("survivor", id, ledger.Received, ledger.Accepted, ledger.Started, ledger.Finished, ledger.AckSending, ledger.AckSent)
		p.say("survivor", ledger.Line{Event: ledger.Acked, Session: 1, Upto: int64(len(p.files["survivor.jsonl"].Lines))})
	}
	after(p)
	p.stop("survivor")
	return p.census(p.held...)
}
