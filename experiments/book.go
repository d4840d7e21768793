package experiments

import (
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"acklab/internal/check"
	"acklab/internal/report"
)

// book keeps the results of a run until they become a report. It is safe for
// concurrent use.
type book struct {
	mu      sync.Mutex
	plan    Plan
	done    map[*Cell][]doneTrial
	control map[string]string // trial of each control
	trouble map[string]string // what was wrong with a control; none: it ran clean
}

type doneTrial struct {
	number int
	id     string
	seed   int64
	result check.Result
}

func newBook(p Plan) *book {
	return &book{plan: p, done: map[*Cell][]doneTrial{}, control: map[string]string{}, trouble: map[string]string{}}
}

// controls are the trials without a fault: one for each control that cells
// name.
func (b *book) controls(seed int64) []trialJob {
	var jobs []trialJob
	for e, c := range b.plan.each() {
		key := controlKey(e.Name, c)
		if c.NotRun != "" || c.Control == "" || b.control[key] != "" {
			continue
		}
		job := trialJob{experiment: e.Name, cell: c, steps: c.Clean, control: true, number: 1, seed: seed}
		b.control[key] = job.id()
		jobs = append(jobs, job)
	}
	return jobs
}

// controlTrouble says what is wrong with a trial without a fault; empty: it
// ran clean.
func controlTrouble(id string, r check.Result) string {
	wrong := check.Clean(r)
	if len(wrong) == 0 {
		return ""
	}
	return fmt.Sprintf("the same without the fault was not clean: %s (trial %s)", wrong[0], id)
}

// doubted is the result with the trouble of its control, if there was any: no
// trial counts whose cell was not clean without its fault.
func doubted(r check.Result, trouble string) check.Result {
	if trouble != "" {
		r.Unsure = append(slices.Clone(r.Unsure), trouble)
	}
	return r
}

func controlKey(experiment string, c *Cell) string {
	return experiment + " " + c.System.Name + " " + c.Control
}

// trials are the trials of all cells of a pace.
func (b *book) trials(p Pace, seed int64) []trialJob {
	var jobs []trialJob
	for e, c := range b.plan.each() {
		if c.NotRun != "" || c.Pace != p {
			continue
		}
		for n := 1; n <= c.Trials; n++ {
			jobs = append(jobs, trialJob{experiment: e.Name, cell: c, steps: c.Steps, number: n, seed: seed + int64(n)})
		}
	}
	return jobs
}

// record takes in the result of a job. It returns the cell's state for the
// progress: how many of its trials are done, and its outcome so far.
func (b *book) record(job trialJob, result check.Result) CellState {
	b.mu.Lock()
	defer b.mu.Unlock()
	if job.control {
		trouble := controlTrouble(job.id(), result)
		if trouble != "" {
			b.trouble[controlKey(job.experiment, job.cell)] = trouble
		}
		return CellState{Cell: job.cell, Control: true, Done: 1, Of: 1, Reason: trouble}
	}
	b.done[job.cell] = append(b.done[job.cell], doneTrial{job.number, job.id(), job.seed, result})
	state := CellState{Cell: job.cell, Done: len(b.done[job.cell]), Of: job.cell.Trials}
	state.Outcome, state.Reason = b.outcome(job.experiment, job.cell)
	if state.Done == state.Of {
		state.Classes = b.classes(job.cell)
	}
	return state
}

// classes are how many tasks of the cell's trials ended in each class.
func (b *book) classes(c *Cell) map[string]int {
	all := map[string]int{}
	for _, t := range b.done[c] {
		for _, f := range t.result.Fates {
			all[string(f.Class)]++
		}
	}
	return all
}

func (b *book) outcome(experiment string, c *Cell) (string, string) {
	if c.NotRun != "" {
		return "not run", c.NotRun
	}
	var results []check.Result
	for _, t := range b.sorted(c) {
		results = append(results, doubted(t.result, b.trouble[controlKey(experiment, c)]))
	}
	return check.Outcome(c.Predicted, results)
}

// interim is the report of the experiments that have a result by now.
func (b *book) interim(started time.Time, servers map[string]string) report.Run {
	run := b.report(started, servers)
	run.Experiments = slices.DeleteFunc(run.Experiments, func(e report.Experiment) bool {
		return !slices.ContainsFunc(e.Cells, func(c report.Cell) bool { return len(c.Trials) > 0 })
	})
	return run
}

// sorted are the cell's trials in the order of their numbers, so that "trial
// 3" is the one that its folder is called by once all are done.
func (b *book) sorted(c *Cell) []doneTrial {
	trials := slices.Clone(b.done[c])
	slices.SortFunc(trials, func(x, y doneTrial) int { return x.number - y.number })
	return trials
}

// report makes the report of what is known by now.
func (b *book) report(started time.Time, servers map[string]string) report.Run {
	b.mu.Lock()
	defer b.mu.Unlock()
	run := report.Run{Schema: report.Schema, Started: started, Host: host(), Servers: maps.Clone(servers)}
	for _, planned := range b.plan.Experiments {
		e := report.Experiment{Name: planned.Name, Question: planned.Question, Claims: planned.Claims}
		for _, c := range planned.cells {
			e.Cells = append(e.Cells, b.cell(planned.Name, c))
		}
		e.Verdicts = verdicts(e.Claims, e.Cells, run.Servers)
		run.Experiments = append(run.Experiments, e)
	}
	return run
}

func (b *book) cell(experiment string, c *Cell) report.Cell {
	out := report.Cell{
		System: c.System.Name, Setting: c.Setting, Predicted: c.Predicted, Because: c.Because, Reasons: c.Reasons, Claims: c.Claims,
		Missing: c.Missing, Control: b.control[controlKey(experiment, c)],
	}
	out.Outcome, out.Reason = b.outcome(experiment, c)
	for _, t := range b.sorted(c) {
		out.Trials = append(out.Trials, reportTrial(t.id, t.seed, doubted(t.result, b.trouble[controlKey(experiment, c)])))
	}
	return out
}

func reportTrial(id string, seed int64, r check.Result) report.Trial {
	return report.Trial{ID: id, Seed: seed, Counts: r.Counts, Measures: r.Measures, Unsure: r.Unsure, Broken: r.Broken}
}

// verdicts judges each claim by the cells that speak of it. The sentence names
// the versions of the servers that answered, and the part of the claim that nobody tries.
func verdicts(claims []string, cells []report.Cell, servers map[string]string) []report.Verdict {
	var out []report.Verdict
	for _, claim := range claims {
		var about []check.ClaimCell
		for _, c := range cells {
			if bounds, ok := c.Claims[claim]; ok {
				about = append(about, claimCell(c, bounds))
			}
		}
		verdict, because := check.Verdict(claim, about)
		if on := versions(about, servers); on != "" {
			because += "; on " + on
		}
		if part := PartNotBuilt[claim]; part != "" {
			because += "; not tried: " + part
		}
		out = append(out, report.Verdict{Claim: claim, Verdict: verdict, Because: because})
	}
	return out
}

// versions are the servers behind the cells that have trials: "redis 7.0.15".
func versions(cells []check.ClaimCell, servers map[string]string) string {
	var on []string
	for _, c := range cells {
		sys, err := systemNamed(c.System)
		if err != nil || len(c.Trials) == 0 {
			continue
		}
		name := string(sys.Kind)
		if v := servers[name]; v != "" && !slices.Contains(on, name+" "+v) {
			on = append(on, name+" "+v)
		}
	}
	return strings.Join(on, ", ")
}

func claimCell(c report.Cell, bounds check.Bounds) check.ClaimCell {
	out := check.ClaimCell{System: c.System, Setting: c.Setting, Bounds: bounds, Predicted: c.Predicted, Outcome: c.Outcome}
	for _, t := range c.Trials {
		out.Trials = append(out.Trials, check.Result{Counts: t.Counts, Measures: t.Measures, Unsure: t.Unsure, Broken: t.Broken})
	}
	return out
}

func host() map[string]any {
	return map[string]any{"os": runtime.GOOS, "arch": runtime.GOARCH, "cores": runtime.NumCPU(), "go": runtime.Version()}
}
