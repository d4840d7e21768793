package bench

import (
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

// tasks is how many tasks one side handles before another has its turn, unless
// it says so.
const tasks = 4_000

// lap is what one side took for its tasks.
type lap struct {
	tasks          int
	time           time.Duration
	client, server time.Duration // processor time of the client, mostly this process, and of the server; 0: not known
}

// of says that the lap was one of n tasks.
func (l lap) of(n int) lap {
	l.tasks = n
	return l
}

// perSecond is the throughput of the lap.
func (l lap) perSecond() float64 { return float64(l.tasks) / l.time.Seconds() }

// lapAt is a lap of which only the throughput is known.
func lapAt(perSecond float64, tasks int) lap {
	return lap{tasks: tasks, time: time.Duration(float64(tasks) / perSecond * float64(time.Second))}
}

// stopwatch measures a lap. It begins with a clean heap: what the one before
// has left behind is not ours to collect.
type stopwatch struct {
	clients []string // process ids
	server  string
	began   time.Time
	before  lap
}

func start(s server.Server) stopwatch { return startFor([]string{"self"}, s) }

// startFor is start where the client is other processes.
func startFor(clients []string, s server.Server) stopwatch {
	runtime.GC()
	w := stopwatch{clients: clients, server: strconv.Itoa(s.Pid())}
	w.before = w.used()
	w.began = time.Now()
	return w
}

func (w stopwatch) stop() lap {
	took, used := time.Since(w.began), w.used()
	return lap{tasks, took, used.client - w.before.client, used.server - w.before.server}
}

// used is the processor time so far.
func (w stopwatch) used() (all lap) {
	for _, pid := range w.clients {
		all.client += processorTime(pid)
	}
	all.server = processorTime(w.server)
	return all
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

// laps are those of one side, round by round.
type laps []lap

// inTurns lets every side run once. Who begins changes from round to round, so
// that nobody always comes first, or after the slowest.
func inTurns(round int, sides []func() lap, into []laps) {
	for i := range sides {
		k := (round + i) % len(sides)
		into[k] = append(into[k], sides[k]())
	}
}

// row compares two sides over all rounds.
type row struct {
	what       string
	base, ours laps
	target     float64 // the least ratio that is wanted; 0: none
}

// ratios are the throughput of ours as a part of the base's, by round.
func (r row) ratios() []float64 {
	all := make([]float64, len(r.ours))
	for i := range all {
		all[i] = r.ours[i].perSecond() / r.base[i].perSecond()
	}
	return all
}

func median(all []float64) float64 {
	sorted := slices.Sorted(slices.Values(all))
	return (sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]) / 2
}

// perSecond is the median throughput of a side.
func (l laps) perSecond() float64 { return l.median(lap.perSecond) }

// cpu is the median processor time of a task in microseconds, client + server.
func (l laps) cpu() string {
	const million = 1e6
	client := l.median(func(one lap) float64 { return one.client.Seconds() * million / float64(one.tasks) })
	server := l.median(func(one lap) float64 { return one.server.Seconds() * million / float64(one.tasks) })
	if client == 0 && server == 0 {
		return ""
	}
	return fmt.Sprintf("%.0f + %.0f", client, server)
}

func (l laps) median(of func(lap) float64) float64 {
	var all []float64
	for _, one := range l {
		all = append(all, of(one))
	}
	return median(all)
}

// table is what is printed in the end. Benchmarks run one after the other.
type table struct {
	rows   []row
	absent []string      // what was not run, and why
	line   time.Duration // processor time of one ledger line
	field  field
	bounds bounds
	wakes  wakes
}

var results table

// add keeps the row and reports its ratio under the unit.
func (t *table) add(b *testing.B, unit string, r row) {
	t.rows = append(t.rows, r)
	b.ReportMetric(median(r.ratios()), unit)
	b.ReportMetric(0, "ns/op")
}

// notRun takes the place of a row.
func (t *table) notRun(what string, why error) {
	t.absent = append(t.absent, fmt.Sprintf("%s: not run, because %v", what, why))
}

func (t *table) print(to io.Writer) {
	if len(t.rows) > 0 {
		t.printRows(to)
	}
	for _, line := range t.absent {
		fmt.Fprintln(to, line)
	}
	t.field.print(to)
	t.bounds.print(to)
	t.wakes.print(to)
	if t.line > 0 {
		fmt.Fprintf(to, "\none line of the ledger: %.2f microseconds of processor time\n", float64(t.line)/float64(time.Microsecond))
	}
}

func (t *table) printRows(to io.Writer) {
	fmt.Fprintf(to, "\nacklab's throughput as a part of another's: medians of rounds, in turns on one server;\ncpu is the processor time of a task in microseconds, client + server\n\n")
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "what\tother/s\tacklab/s\tratio\twanted\tother cpu\tacklab cpu\tround by round")
	for _, r := range t.rows {
		fmt.Fprintf(w, "%s\t%.0f\t%.0f\t%.2f\t%s\t%s\t%s\t%s\n", r.what, r.base.perSecond(), r.ours.perSecond(),
			median(r.ratios()), r.wanted(), r.base.cpu(), r.ours.cpu(), r.rounds())
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
