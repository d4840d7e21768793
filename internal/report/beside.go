package report

import (
	"fmt"
	"slices"
	"strings"
)

// celeryPrefix begins the systems whose workers are Celery's; what follows is
// the system of ours beside it.
const celeryPrefix = "celery+"

// besideCounts are what is compared: what became of tasks, not how much was in
// whose hands on the way, which differs with every pool and prefetch.
var besideCounts = []string{"lost", "repeated", "restarted", "copied", "failed"}

// besideMeasures are compared too, where a cell has them.
var besideMeasures = []string{"stuck_in_retry", "polled_started", "polled_retry", "polled_success", "polled_failure"}

// meant are the differences that are known and wanted: traits of Celery's, or
// of ours. Any other is a fault of one of the two.
var meant = []struct {
	experiment string
	system     string // empty: any of Celery's
	setting    map[string]string
	counts     []string // what may differ for that reason
	why        string
}{
	{Flagship, "", map[string]string{"pool": "solo", "ack": "early"}, ackLater, "Celery's solo pool acknowledges early only when the body is over"},
	{Flagship, "", map[string]string{"pool": "threads", "ack": "early"}, ackLater, "the loop of a Celery worker acknowledges while a thread already runs the task: which comes first is a race"},
	{randomly, "celery+redis", nil, ackLater, twoSteps + "; and its lease is not waited for here"},
	{randomly, "celery+rabbitmq", map[string]string{"ack": "early"}, ackLater, heardLater},
	{randomly, "celery+rabbitmq", map[string]string{"ack": "late"}, ranAgain, heardLater},
	{politely, "celery+redis", map[string]string{"task": "short"}, ackLater, twoSteps + "; and " + interrupted},
	{politely, "celery+rabbitmq", map[string]string{"task": "short"}, ranAgain, interrupted},
	{politely, "celery+redis", map[string]string{"task": "longer than the grace period", "wait": "none"}, ranAgain, "killed while it waits, a Celery worker has given back nothing, and its lease is not waited for here"},
	{"late-retry-state", "", nil, []string{"stuck_in_retry"}, "our stores decide by themselves which state is the later one; Celery reads, and then writes"},
}

// The experiments, the counts and the reasons that several of them share.
// ackLater is what a later acknowledgement changes.
var (
	ackLater = []string{"lost", "restarted", "repeated"}
	ranAgain = []string{"restarted", "repeated"}
)

const (
	randomly    = "worker-killed-at-random"
	politely    = "worker-stopped-politely"
	twoSteps    = "a Celery worker takes a message from Redis in two steps, and one that ends between them takes it along"
	heardLater  = "the main process of a Celery worker hears of a start and of an end later than they happen, and acknowledges then"
	interrupted = "in Celery 5.2 SIGTERM ends whatever the main process is doing, an acknowledgement, too"
)

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
		if o, c := ours.tally(name), celerys.tally(name); !chance(o, c) {
			b.compare(name, o.String(), c.String())
		}
	}
	for _, name := range besideMeasures {
		b.compare(name, valueRange(ours.measures(name)), valueRange(celerys.measures(name)))
	}
	for _, m := range meant {
		fits := m.experiment == e.Name && (m.system == "" || m.system == celerys.System)
		for k, v := range m.setting {
			fits = fits && celerys.Setting[k] == v
		}
		for _, name := range b.names {
			fits = fits && slices.Contains(m.counts, name)
		}
		if fits && len(b.differ) > 0 {
			b.why = m.why
		}
	}
	return b
}

// chance tells whether two tallies are races whose rates are no further apart
// than chance allows.
func chance(o, c tally) bool {
	return o.race() && c.race() && !rateDiffers(o.trials(), len(o.values), c.trials(), len(c.values))
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
	fmt.Fprintf(b, "## Celery beside ours\n\nOf %s of Celery's, each beside the same of ours on the same broker, %d have the same tasks lost, repeated, restarted, copied and failed, and the same states for a caller.\n\n", plural(len(pairs), "cell"), same)
	if len(rows) > 0 {
		markTable(b, []string{"experiment", "system", "setting", "what differs", "is it meant?"}, rows)
	}
}
