package report_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"acklab/internal/check"
	"acklab/internal/ledger"
	"acklab/internal/report"
)

// works are the lines of a worker that takes, runs and acknowledges a task.
func works(p *tape, name, task, ack string) {
	p.does(name, task, ledger.Received, ledger.Accepted)
	settle := []ledger.Event{ledger.AckSending, ledger.AckSent, ledger.Acked}
	run := []ledger.Event{ledger.Started, ledger.Finished}
	if ack == "early" {
		settle, run = run, settle
	}
	p.does(name, task, run...)
	p.does(name, task, settle...)
}

// life is a trial with one task of interest and the class it must have.
type life struct {
	golden string
	class  check.Class
	make   func(t *testing.T) (ledger.Trial, map[string]ledger.File)
}

func lives() []life {
	nothing := func(*tape) {}
	return []life{
		{"finished", check.Finished, func(t *testing.T) (ledger.Trial, map[string]ledger.File) {
			return crashTrial(t, "rabbitmq", "late", "mid", 2, func(p *tape) {
				p.does("victim", "task-a", ledger.Received, ledger.Accepted, ledger.Started)
				p.crash("victim", "task-a", "mid")
			}, func(p *tape) {
				works(p, "survivor", "task-a", "late")
			})
		}},
		{"lost-early", check.Lost, func(t *testing.T) (ledger.Trial, map[string]ledger.File) {
			return crashTrial(t, "rabbitmq", "early", "started", 2, func(p *tape) {
				p.does("victim", "task-a", ledger.Received, ledger.Accepted, ledger.AckSending, ledger.AckSent, ledger.Acked, ledger.Started)
				p.crash("victim", "task-a", "started")
			}, nothing)
		}},
		{"repeated-late", check.Finished, func(t *testing.T) (ledger.Trial, map[string]ledger.File) {
			return crashTrial(t, "redis", "late", "finished", 2, func(p *tape) {
				p.does("victim", "task-a", ledger.Received, ledger.Accepted, ledger.Started, ledger.Finished)
				p.crash("victim", "task-a", "finished")
			}, func(p *tape) {
				p.wait(58 * time.Second)
				works(p, "survivor", "task-a", "late")
			})
		}},
		{"stranded", check.Stranded, func(t *testing.T) (ledger.Trial, map[string]ledger.File) {
			return crashTrial(t, "asynq", "late", "started", 2, func(p *tape) {
				p.does("victim", "task-a", ledger.Received, ledger.Accepted, ledger.Started)
				p.crash("victim", "task-a", "started")
			}, func(p *tape) {
				p.held = []ledger.Line{{Task: "task-a", State: "unacked"}}
			})
		}},
		{"dead", check.Dead, func(t *testing.T) (ledger.Trial, map[string]ledger.File) {
			return crashTrial(t, "rabbitmq", "late", "started", 2, func(p *tape) {
				p.does("victim", "task-a", ledger.Received, ledger.Accepted, ledger.Started)
				p.crash("victim", "task-a", "started")
			}, func(p *tape) {
				p.does("survivor", "task-a", ledger.Received, ledger.Accepted, ledger.Rejecting, ledger.Rejected)
				p.held = []ledger.Line{{Task: "task-a", State: "dead"}}
			})
		}},
		{"recovered", check.Recovered, func(t *testing.T) (ledger.Trial, map[string]ledger.File) {
			p := newTape(t, "rabbitmq", "late", "none")
			p.start("runner", "producer", "survivor")
			p.say("runner", ledger.Line{Event: ledger.ProbeOK, Point: "before"})
			p.does("producer", "task-a", ledger.Attempted, ledger.Unsure)
			p.stop("producer")
			works(p, "survivor", "task-a", "late")
			p.stop("survivor")
			return p.census()
		}},
	}
}

func TestExplainTellsTheLifeOfATaskOfEachKind(t *testing.T) {
	t.Parallel()
	for _, l := range lives() {
		t.Run(l.golden, func(t *testing.T) {
			t.Parallel()
			trial, files := l.make(t)
			res := check.Judge(trial, files)
			for _, why := range res.Unsure {
				t.Errorf("the fixture does not count: %s", why)
			}
			if got := res.Fates[0].Class; got != l.class {
				t.Errorf("the fixture's task is %s, want %s", got, l.class)
			}
			var b strings.Builder
			if err := report.Explain(&b, trial, files, "task-a"); err != nil {
				t.Fatal(err)
			}
			golden(t, "explain-"+l.golden+".txt", b.String())
		})
	}
}

func TestExplainTakesTheBeginningOfAnIdThatFitsOneTask(t *testing.T) {
	t.Parallel()
	trial, files := lives()[0].make(t)
	var whole, short strings.Builder
	if err := report.Explain(&whole, trial, files, "task-b001"); err != nil {
		t.Fatal(err)
	}
	if err := report.Explain(&short, trial, files, "task-b001"[:9]); err != nil {
		t.Fatal(err)
	}
	if whole.String() != short.String() {
		t.Error("the beginning of the id tells another story")
	}
	err := report.Explain(&short, trial, files, "task-b")
	if !errors.Is(err, report.ErrAmbiguous) || !strings.Contains(err.Error(), "task-b000, task-b001") {
		t.Errorf("ambiguous: %v", err)
	}
	for _, id := range []string{"nobody", ""} {
		err = report.Explain(&short, trial, files, id)
		if !errors.Is(err, report.ErrNoTask) || !strings.Contains(err.Error(), "list every id") {
			t.Errorf("%q: %v", id, err)
		}
	}
}

func TestAKilledWorkerIsNoPartOfATaskThatItHadSettled(t *testing.T) {
	t.Parallel()
	for _, ack := range []string{"early", "late"} {
		p := newTape(t, "rabbitmq", ack, "started")
		p.start("runner", "producer", "victim")
		p.does("producer", "task-a", ledger.Attempted, ledger.Confirmed)
		works(p, "victim", "task-a", ack)
		p.crash("victim", "task-z", "started")
		trial, files := p.census()
		var b strings.Builder
		if err := report.Explain(&b, trial, files, "task-a"); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(b.String(), "was killed here") {
			t.Errorf("ack=%s:\n%s", ack, b.String())
		}
	}
}

// An acknowledgement that was unsure by itself is covered by no later flush.
func TestAnUnsureAcknowledgementIsNotToldAsProcessed(t *testing.T) {
	t.Parallel()
	for name, events := range map[string][]ledger.Event{
		"instead of ack-sent": {ledger.AckSending, ledger.AckUnsure},
		"after ack-sent":      {ledger.AckSending, ledger.AckSent, ledger.AckUnsure},
	} {
		p := newTape(t, "rabbitmq", "late", "started")
		p.start("runner", "producer", "victim")
		p.does("producer", "task-a", ledger.Attempted, ledger.Confirmed)
		p.does("victim", "task-a", ledger.Received, ledger.Accepted, ledger.Started, ledger.Finished)
		p.does("victim", "task-a", events...)
		works(p, "victim", "task-b", "late") // acked in a later session, with all lines so far
		p.crash("victim", "task-z", "started")
		trial, files := p.census()
		var b strings.Builder
		if err := report.Explain(&b, trial, files, "task-a"); err != nil {
			t.Fatal(err)
		}
		if got := b.String(); !strings.Contains(got, "does not know whether its settlement took effect") || strings.Contains(got, "has processed that acknowledgement") {
			t.Errorf("%s:\n%s", name, got)
		}
	}
}

// saveTrial writes a trial's ledgers into the run's folder.
func saveTrial(t *testing.T, runDir string, trial ledger.Trial, files map[string]ledger.File) {
	t.Helper()
	dir := filepath.Join(runDir, "ledger", trial.ID)
	if err := ledger.SaveTrial(dir, trial); err != nil {
		t.Fatal(err)
	}
	for name, f := range files {
		w, err := ledger.Create(filepath.Join(dir, name), nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range f.Lines[1:] {
			if l.Event == ledger.Closed {
				continue
			}
			if _, err := w.Write(l); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestFindTaskLooksThroughEveryTrialOfTheRun(t *testing.T) {
	t.Parallel()
	run := t.TempDir()
	first, files := lives()[1].make(t)
	saveTrial(t, run, first, files)
	p := newTape(t, "redis", "late", "mid")
	p.trial.ID = "worker-crash/redis/late"
	p.start("runner", "producer")
	p.does("producer", "other-task", ledger.Attempted)
	p.does("producer", "task-a", ledger.Attempted)
	second, files := p.census()
	saveTrial(t, run, second, files)

	dir, id, err := report.FindTask(run, "other")
	if want := filepath.Join(run, "ledger", second.ID); err != nil || id != "other-task" || dir != want {
		t.Errorf("found %q in %q (%v), want other-task in %q", id, dir, err, want)
	}
	if _, _, err := report.FindTask(run, "task-b"); !errors.Is(err, report.ErrAmbiguous) || !strings.Contains(err.Error(), "task-b000, task-b001") {
		t.Errorf("ambiguous: %v", err)
	}
	if _, _, err := report.FindTask(run, "task-a"); !errors.Is(err, report.ErrAmbiguous) || !strings.Contains(err.Error(), first.ID) {
		t.Errorf("in two trials: %v", err)
	}
	if _, _, err := report.FindTask(run, "zzz"); !errors.Is(err, report.ErrNoTask) || !strings.Contains(err.Error(), "grep") {
		t.Errorf("unknown: %v", err)
	}
	if _, _, err := report.FindTask(run, ""); err == nil {
		t.Error("an empty id finds something")
	}
	if _, _, err := report.FindTask(t.TempDir(), "x"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no ledgers: %v", err)
	}
}
