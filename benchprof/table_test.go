package bench

import (
	"context"
	"runtime/pprof"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"acklab/internal/server"
)

// tasks is how many tasks one side handles before another has its turn.
const tasks = 4_000

// step is one side's part of a contest. It returns how long the part that
// counts took.
type step func() time.Duration

// record is what one side's step took, round by round.
type record struct {
	times          []time.Duration
	client, server []time.Duration // processor time of this process and of the server
}

// inTurns runs every step once. Who begins changes from round to round, so
// that nobody always comes first, or after the slowest.
func inTurns(round int, s server.Server, steps []step, into []record) {
	for i := range steps {
		k := (round + i) % len(steps)
		into[k].add(fmt.Sprintf("%d/%d", len(into), k), s.Pid(), steps[k])
	}
}

func (r *record) add(label string, pid int, s step) {
	runtime.GC() // what the one before has left behind
	client, there := processorTime("self"), processorTime(strconv.Itoa(pid))
	pprof.Do(context.Background(), pprof.Labels("step", label), func(context.Context) { r.times = append(r.times, s()) })
	r.client = append(r.client, processorTime("self")-client)
	r.server = append(r.server, processorTime(strconv.Itoa(pid))-there)
}

// processorTime is what the process has used of the processors so far, user
// and system; 0 where there is no /proc to tell.
func processorTime(pid string) (used time.Duration) {
	threads, _ := filepath.Glob("/proc/" + pid + "/task/*/schedstat")
	for _, t := range threads {
		text, _ := os.ReadFile(t)
		ran, _, _ := strings.Cut(string(text), " ")
		n, _ := strconv.ParseInt(ran, 10, 64)
		used += time.Duration(n)
	}
	return used
}

// row compares two sides over all rounds.
type row struct {
	what       string
	base, ours record
	target     float64 // the least ratio that is wanted; 0: none
}

// ratios are the throughput of ours as a part of the base's, by round.
func (r row) ratios() []float64 {
	all := make([]float64, len(r.ours.times))
	for i := range all {
		all[i] = float64(r.base.times[i]) / float64(r.ours.times[i])
	}
	return all
}

func median(all []float64) float64 {
	sorted := slices.Sorted(slices.Values(all))
	return (sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]) / 2
}

// perSecond is the median throughput of a side.
func (r record) perSecond() float64 {
	var all []float64
	for _, d := range r.times {
		all = append(all, tasks/d.Seconds())
	}
	return median(all)
}

// micros is the median of processor times, in microseconds for one task.
func micros(times []time.Duration) float64 {
	var all []float64
	for _, d := range times {
		all = append(all, d.Seconds()*1e6/tasks)
	}
	return median(all)
}

// micros is the processor time of both processes.
func (r record) micros() float64 { return micros(r.client) + micros(r.server) }

func (r record) cpu() string { return fmt.Sprintf("%.0f + %.0f", micros(r.client), micros(r.server)) }

// table is what is printed in the end. Benchmarks run one after the other.
type table struct{ rows []row }

var results table

// add keeps the row and reports its ratio under the unit.
func (t *table) add(b *testing.B, unit string, r row) {
	t.rows = append(t.rows, r)
	b.ReportMetric(median(r.ratios()), unit)
	b.ReportMetric(0, "ns/op")
}

func (t *table) print(to io.Writer) {
	if len(t.rows) == 0 {
		return
	}
	fmt.Fprintf(to, "\nacklab's throughput as a part of another's: medians of rounds of %d tasks, in turns on one server;\ncpu is the processor time of a task in microseconds, client + server\n\n", tasks)
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "what\tother/s\tacklab/s\tratio\twanted\tother cpu\tacklab cpu\tratio\tround by round")
	for _, r := range t.rows {
		fmt.Fprintf(w, "%s\t%.0f\t%.0f\t%.2f\t%s\t%s\t%s\t%.2f\t%s\n",
			r.what, r.base.perSecond(), r.ours.perSecond(), median(r.ratios()), r.wanted(), r.base.cpu(), r.ours.cpu(), r.base.micros()/r.ours.micros(), r.rounds())
	}
	w.Flush()
}

func (r row) wanted() string {
	switch {
	case r.target == 0:
		return ""
	case median(r.ratios()) < r.target:
		return fmt.Sprintf("%.2f missed", r.target)
	}
	return fmt.Sprintf("%.2f", r.target)
}

func (r row) rounds() string {
	var all []string
	for _, ratio := range r.ratios() {
		all = append(all, fmt.Sprintf("%.2f", ratio))
	}
	return strings.Join(all, " ")
}
