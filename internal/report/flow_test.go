package report_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"acklab/internal/ledger"
	"acklab/internal/report"
)

// plans writes the planned lines of a workflow: place, task and handler of each.
func plans(p *tape, steps ...[3]string) {
	for _, s := range steps {
		p.say("producer", ledger.Line{Event: ledger.Planned, Task: s[1], Name: s[2], Queue: "q", Detail: map[string]string{
			ledger.DetailWorkflow: steps[0][1], ledger.DetailPlace: s[0],
		}})
	}
}

// crashedChain is a chain whose worker died in its second link; the third was never
// sent.
func crashedChain(t *testing.T) (ledger.Trial, map[string]ledger.File) {
	p := newTape(t, "rabbitmq", "early", "mid")
	p.start("runner", "producer", "victim")
	p.say("runner", ledger.Line{Event: ledger.ProbeOK, Point: "before"})
	plans(p, [3]string{"chain[0]", "task-a", "add"}, [3]string{"chain[1]", "task-b", "add"}, [3]string{"chain[2]", "task-c", "noop"})
	p.does("producer", "task-a", ledger.Attempted, ledger.Confirmed)
	p.stop("producer")
	works(p, "victim", "task-a", "early")
	p.does("victim", "task-b", ledger.Attempted, ledger.Confirmed, ledger.Received, ledger.Accepted, ledger.AckSending, ledger.AckSent, ledger.Acked, ledger.Started)
	p.wait(20 * time.Millisecond)
	p.crash("victim", "task-b", "mid")
	return p.census()
}

// brokenChord is a chord of forty members one of which fails; another runs twice.
func brokenChord(t *testing.T) (ledger.Trial, map[string]ledger.File) {
	p := newTape(t, "redis", "late", "none")
	p.start("runner", "producer", "worker1", "worker2")
	p.say("runner", ledger.Line{Event: ledger.ProbeOK, Point: "before"})
	var steps [][3]string
	for i := range 40 {
		steps = append(steps, [3]string{fmt.Sprintf("chord[%d]", i), fmt.Sprintf("task-%02d", i), "add"})
	}
	plans(p, append(steps, [3]string{"callback", "task-cb", "xsum"})...)
	for _, s := range steps {
		p.does("producer", s[1], ledger.Attempted, ledger.Confirmed)
	}
	p.stop("producer")
	for i, s := range steps {
		who := []string{"worker1", "worker2"}[i%2]
		switch i {
		case 20:
			p.does(who, s[1], ledger.Received, ledger.Accepted, ledger.Started)
			p.say(who, ledger.Line{Event: ledger.Failed, Task: s[1], Message: "m-" + s[1], Queue: "q", Name: "add", Final: true, Reason: "boom"})
			p.say(who, ledger.Line{Event: ledger.CalledOff, Task: "task-cb", Name: "xsum", Reason: "ChordError: Dependency task-20 raised TaskError: boom"})
			p.does(who, s[1], ledger.AckSending, ledger.AckSent, ledger.Acked)
		case 30:
			works(p, who, s[1], "late")
			works(p, "worker1", s[1], "late")
		default:
			works(p, who, s[1], "late")
		}
	}
	p.stop("worker1", "worker2")
	return p.census()
}

func TestExplainDrawsTheWorkflowOfATask(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		make func(*testing.T) (ledger.Trial, map[string]ledger.File)
		task string
	}{
		"chain": {crashedChain, "task-b"}, "chord": {brokenChord, "task-cb"},
	} {
		trial, files := c.make(t)
		var b strings.Builder
		if err := report.Explain(&b, trial, files, c.task); err != nil {
			t.Fatal(err)
		}
		golden(t, "flow-"+name+".txt", b.String())
	}
}

func TestATaskThatStandsAloneHasNoPicture(t *testing.T) {
	t.Parallel()
	p := newTape(t, "redis", "late", "none")
	p.start("runner", "producer", "worker1")
	plans(p, [3]string{"task", "task-a", "add"})
	p.does("producer", "task-a", ledger.Attempted, ledger.Confirmed)
	works(p, "worker1", "task-a", "late")
	p.stop("producer", "worker1")
	trial, files := p.census()
	var b strings.Builder
	if err := report.Explain(&b, trial, files, "task-a"); err != nil || strings.Contains(b.String(), "workflow") {
		t.Errorf("%v:\n%s", err, &b)
	}
}

func TestAPlanIsDrawnAsATree(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	err := report.DrawPlan(&b, "0123456789", []report.PlannedStep{
		{"chain[0]", "a0000000-1", "add"}, {"chain[1].group[0]", "b", "add"}, {"chain[1].group[1].chain[0]", "c", "add"},
		{"chain[1].group[1].chain[1].chord[0]", "d", "add"}, {"chain[1].group[1].chain[1].callback", "e", "xsum"},
		{"chain[2]", "f", "xsum"}, {"chain[2].link[0]", "g", "noop"}, {"link[0]", "h", "noop"},
	})
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "flow-plan.txt", b.String())
	if err := report.DrawPlan(full{}, "x", []report.PlannedStep{{"task", "a", "add"}}); !errors.Is(err, errFull) {
		t.Errorf("a writer that takes nothing: %v", err)
	}
}

var errFull = errors.New("full")

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errFull }
