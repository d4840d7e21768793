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

// tasks is how many tasks one side handles before another has its turn.
const tasks = 4_000

// lap is what one side took for its tasks.
type lap struct {
	time           time.Duration
	client, server time.Duration // processor time of this process and of the server
}

// stopwatch measures a lap. It begins with a clean heap: what the one before
// has left behind is not ours to collect.
type stopwatch struct {
	server string // process id
	began  time.Time
	before lap
}

func start(s server.Server) stopwatch {
	runtime.GC()
	w := stopwatch{server: strconv.Itoa(s.Pid())}
	w.before = lap{client: processorTime("self"), server: processorTime(w.server)}
	w.began = time.Now()
	return w
}

func (w stopwatch) stop() lap {
	return lap{time.Since(w.began), processorTime("self") - w.before.client, processorTime(w.server) - w.before.server}
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
		all[i] = float64(r.base[i].time) / float64(r.ours[i].time)
	}
	return all
}

func median(all []float64) float64 {
	sorted := slices.Sorted(slices.Values(all))
	return (sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]) / 2
}

// perSecond is the median throughput of a side.
func (l laps) perSecond() float64 {
	return l.median(func(one lap) float64 { return tasks / one.time.Seconds() })
}

// micros are the median processor times of a task, in microseconds.
func (l laps) micros() (client, server float64) {
	const million = 1e6
	client = l.median(func(one lap) float64 { return one.client.Seconds() * million / tasks })
	server = l.median(func(one lap) float64 { return one.server.Seconds() * million / tasks })
	return client, server
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
	rows []row
	line time.Duration // processor time of one ledger line
}

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
	fmt.Fprintln(w, "what\tother/s\tacklab/s\tratio\twanted\tother cpu\tacklab cpu\tround by round")
	for _, r := range t.rows {
		client, server := r.base.micros()
		ourClient, ourServer := r.ours.micros()
		fmt.Fprintf(w, "%s\t%.0f\t%.0f\t%.2f\t%s\t%.0f + %.0f\t%.0f + %.0f\t%s\n", r.what, r.base.perSecond(), r.ours.perSecond(),
			median(r.ratios()), r.wanted(), client, server, ourClient, ourServer, r.rounds())
	}
	w.Flush()
	if t.line > 0 {
		fmt.Fprintf(to, "\none line of the ledger: %.2f microseconds of processor time\n", float64(t.line)/float64(time.Microsecond))
	}
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
