package report

import (
	"fmt"
	"slices"
	"strings"

	"acklab/internal/check"
)

// celeryPrefix begins the systems whose workers are Celery's; what follows is
// the system of ours beside it.
const celeryPrefix = "celery+"

// besideCounts are what is compared: what became of tasks, not how much was in
// whose hands on the way, which differs with every pool and prefetch.
var besideCounts = []string{"lost", "repeated", "restarted", "copied", "failed"}

// besideMeasures are compared too, where both cells have them: how often a task
// was tried, what was stored of it and what a caller saw of that, and how often
// a chord called back.
var besideMeasures = []string{
	"attempts_min", "attempts_max", "stuck_in_retry", "unknown_pending",
	"stored_started", "stored_retry", "stored_success", "stored_failure",
	"polled_started", "polled_retry", "polled_success", "polled_failure",
	"callbacks_run",
}

// beside is one cell of Celery's and ours.
type beside struct {
	experiment    *Experiment
	ours, celerys *Cell
	names         []string // of the numbers that differ
	differ        []string // as in "lost 1, Celery 0"
	why           string   // it is meant; empty: it is not, or nothing differs
}

// besides pairs the cells of a run. A cell of Celery's without one of ours that
// was carried out has none.
func besides(run Run) (pairs []beside) {
	for i := range run.Experiments {
		e := &run.Experiments[i]
		for _, c := range e.cells() {
			system, celery := strings.CutPrefix(c.System, celeryPrefix)
			if !celery || len(c.counted()) == 0 {
				continue
			}
			j := slices.IndexFunc(e.Cells, func(o Cell) bool {
				return o.System == system && len(o.counted()) > 0 && sameButPool(o.Setting, c.Setting)
			})
			if j >= 0 {
				pairs = append(pairs, newBeside(e, &e.Cells[j], c))
			}
		}
	}
	return pairs
}

// sameButPool tells whether Celery's setting is ours, but for what only Celery
// has and for whether a lease was waited for.
func sameButPool(ours, celerys map[string]string) bool {
	for k, v := range celerys {
		if k != "pool" && k != "wait" && k != "lease" && ours[k] != v {
			return false
		}
	}
	return true
}

func newBeside(e *Experiment, ours, celerys *Cell) beside {
	b := beside{experiment: e, ours: ours, celerys: celerys}
	for _, name := range besideCounts {
		if !chance(ours, celerys, name) {
			b.compare(name, ours.tally(name).String(), celerys.tally(name).String())
		}
	}
	for _, name := range besideMeasures {
		if !bothPredict(ours, celerys, name) {
			b.compare(name, valueRange(ours.measures(name)), valueRange(celerys.measures(name)))
		}
	}
	if i := slices.IndexFunc(meant, func(d difference) bool { return d.explains(b) }); i >= 0 && len(b.differ) > 0 {
		b.why = meant[i].why
	}
	return b
}

// chance tells whether two tallies are races whose rates are no further apart
// than chance allows, or have too few trials for a rate and are within the race
// that both cells predict.
func chance(ours, celerys *Cell, name string) bool {
	o, c := ours.tally(name), celerys.tally(name)
	if o.race() && c.race() {
		return !rateDiffers(o.trials(), len(o.values), c.trials(), len(c.values))
	}
	return bothPredict(ours, celerys, name)
}

// bothPredict tells whether the two predictions of a number are ranges, which
// have a reason of their own, and each holds what the other cell has, too: what
// differs then is the race that both foresaw.
func bothPredict(ours, celerys *Cell, name string) bool {
	for _, c := range []*Cell{ours, celerys} {
		r, bound := c.Predicted[name]
		if !bound || r[0] == r[1] || !within(r, ours.numbers(name)) || !within(r, celerys.numbers(name)) {
			return false
		}
	}
	return true
}

// asPredicted tells whether the number is within its cell's prediction, if it
// has one.
func asPredicted(c *Cell, name string) bool {
	r, bound := c.Predicted[name]
	return !bound || within(r, c.numbers(name))
}

func within(r [2]int, values []float64) bool {
	return !slices.ContainsFunc(values, func(v float64) bool { return v < float64(r[0]) || v > float64(r[1]) })
}

// numbers are a count's or a measure's values over the trials that count.
func (c *Cell) numbers(name string) []float64 {
	if !slices.Contains(check.Names, name) {
		return c.measures(name)
	}
	var values []float64
	for _, v := range c.tally(name).values {
		values = append(values, float64(v))
	}
	return values
}

// compare notes a number that differs.
func (b *beside) compare(name, ours, celerys string) {
	if ours != celerys && ours != "-" && celerys != "-" {
		b.names = append(b.names, name)
		b.differ = append(b.differ, fmt.Sprintf("%s %s, Celery %s", strings.ReplaceAll(name, "_", " "), ours, celerys))
	}
}

// valueRange is the smallest and the largest value; "-" without any.
func valueRange(values []float64) string {
	if len(values) == 0 {
		return "-"
	}
	lo, hi := slices.Min(values), slices.Max(values)
	if lo == hi {
		return fmt.Sprintf("%g", lo)
	}
	return fmt.Sprintf("%g-%g", lo, hi)
}

// verdict says whether they are the same, and if not, whether that is meant.
func (b beside) verdict() string {
	switch {
	case len(b.differ) == 0:
		return "the same"
	case b.why != "":
		return "meant: " + b.why
	}
	return "**not meant**: a fault of one of the two"
}

// markBeside is the section of report.md about Celery and ours.
func markBeside(b *strings.Builder, run Run) {
	pairs := besides(run)
	if len(pairs) == 0 {
		return
	}
	same := 0
	var rows [][]string
	for _, p := range pairs {
		if len(p.differ) == 0 {
			same++
			continue
		}
		rows = append(rows, []string{p.experiment.Name, p.celerys.System, setting(p.celerys.Setting), strings.Join(p.differ, "; "), p.verdict()})
	}
	fmt.Fprintf(b, "## Celery beside ours\n\nOf %s of Celery's, each beside the same of ours on the same broker, %d have the same tasks lost, repeated, restarted, copied and failed, as many tries, the same states stored and seen by a caller, and chords that call back as often.\n\n", plural(len(pairs), "cell"), same)
	if len(rows) > 0 {
		markTable(b, []string{"experiment", "system", "setting", "what differs", "is it meant?"}, rows)
	}
}
