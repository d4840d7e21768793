package observe

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"acklab/internal/ledger"
)

// rateOver is the window of rates: enough scrapes that a late one does not
// matter.
const rateOver = "2s"

// sight is what Prometheus was asked for at the end of a trial.
type sight struct {
	plots    []Plot
	counters []matrix // as in counted, at the times of the scrapes
	ups      matrix
	took     matrix // seconds that each scrape took
	troubles []string
}

func (s *sight) trouble(err error) {
	if text := err.Error(); !slices.Contains(s.troubles, text) {
		s.troubles = append(s.troubles, text)
	}
}

// query is one plot: a PromQL expression in which $job stands for the trial's
// matcher, and what its series are called.
type query struct {
	title, unit, expr string
	name              func(w *Watch, labels map[string]string) string
}

func byProcess(w *Watch, labels map[string]string) string { return w.process(labels["instance"]) }

func byLabel(label string) func(*Watch, map[string]string) string {
	return func(_ *Watch, labels map[string]string) string { return labels[label] }
}

var queries = []query{
	{"queue depth", "tasks", `sum by (state) (acklab_queue_depth{$job})`, byLabel("state")},
	{"oldest task that waits", "s", `max by (queue) (acklab_queue_oldest_seconds{$job})`, byLabel("queue")},
	{"in flight", "tasks", `acklab_worker_in_flight{$job}`, byProcess},
	{"published per second", "tasks/s", `sum by (outcome) (rate(acklab_published_total{$job}[` + rateOver + `]))`, byLabel("outcome")},
	{"finished per second", "tasks/s", `sum by (instance) (rate(acklab_tasks_total{$job,state="SUCCESS"}[` + rateOver + `]))`, byProcess},
	{"retries per second", "tasks/s", `sum by (instance) (rate(acklab_retries_total{$job}[` + rateOver + `]))`, byProcess},
	{"redeliveries per second", "tasks/s", `sum by (instance) (rate(acklab_redelivered_total{$job}[` + rateOver + `]))`, byProcess},
	{
		"wait between publish and start", "s",
		`label_replace(histogram_quantile(0.5, sum by (le) (rate(acklab_task_wait_seconds_bucket{$job}[` + rateOver + `]))), "q", "p50", "", "")` +
			` or label_replace(histogram_quantile(0.99, sum by (le) (rate(acklab_task_wait_seconds_bucket{$job}[` + rateOver + `]))), "q", "p99", "", "")`,
		byLabel("q"),
	},
	{"broker up, as each process and the scrapes of the server see it", "up", `acklab_broker_up{$job} or up{$job,instance=~"redis|rabbitmq"}`, byProcess},
	{"resident memory", "bytes", `process_resident_memory_bytes{$job}`, byProcess},
}

// counted are the counters that ledgers count too.
var counted = []struct {
	what   string
	metric string
	match  string
	event  ledger.Event
}{
	{"received", "acklab_received_total", "", ledger.Received},
	{"started", "acklab_tasks_total", `state="STARTED"`, ledger.Started},
	{"finished", "acklab_tasks_total", `state="SUCCESS"`, ledger.Finished},
	{"published and confirmed", "acklab_published_total", `outcome="confirmed"`, ledger.Confirmed},
	{"published and unsure", "acklab_published_total", `outcome="unsure"`, ledger.Unsure},
	{"published and refused", "acklab_published_total", `outcome="refused"`, ledger.Refused},
}

// look asks for everything. It goes on after an error, which it notes.
func (w *Watch) look(ctx context.Context) sight {
	var s sight
	now := time.Now()
	for _, q := range queries {
		plot, err := w.plot(ctx, q, now)
		if err != nil {
			s.trouble(err)
		} else if len(plot.Series) > 0 {
			s.plots = append(s.plots, plot)
		}
	}
	raw := func(metric string, matchers ...string) matrix {
		found, err := samples(ctx, w.prometheus, w.selector(metric, matchers...), w.begun)
		if err != nil {
			s.trouble(err)
		}
		return found
	}
	for _, c := range counted {
		s.counters = append(s.counters, raw(c.metric, c.match))
	}
	s.ups, s.took = raw("up"), raw("scrape_duration_seconds")
	return s
}

// plot carries out one range query.
func (w *Watch) plot(ctx context.Context, q query, now time.Time) (Plot, error) {
	expr := strings.ReplaceAll(q.expr, "$job", fmt.Sprintf("job=%q", w.subject.Trial))
	found, err := over(ctx, w.prometheus, expr, w.begun, now, w.interval)
	if err != nil {
		return Plot{}, err
	}
	plot := Plot{Title: q.title, Unit: q.unit, Query: expr}
	index := map[float64]int{}
	for _, l := range found {
		for _, s := range l.Samples {
			index[s.at] = 0
		}
	}
	for _, at := range holes(slices.Sorted(maps.Keys(index)), w.interval.Seconds()) {
		index[at] = 0
	}
	for i, at := range slices.Sorted(maps.Keys(index)) {
		index[at] = i
		plot.Times = append(plot.Times, w.seconds(w.clock.mono(at)))
	}
	for _, l := range found {
		series := Series{Name: q.name(w, l.Labels), Values: make([]*float64, len(plot.Times))}
		for _, s := range l.Samples {
			if !math.IsNaN(s.value) && !math.IsInf(s.value, 0) {
				series.Values[index[s.at]] = &s.value
			}
		}
		plot.Series = append(plot.Series, series)
	}
	slices.SortStableFunc(plot.Series, func(a, b Series) int { return strings.Compare(a.Name, b.Name) })
	return plot, nil
}

// holes are moments without a sample, one for each stretch of sorted times in
// which there should have been some: no line is to be drawn across it.
func holes(times []float64, step float64) (missing []float64) {
	for i := 1; i < len(times); i++ {
		if times[i]-times[i-1] > 1.5*step {
			missing = append(missing, times[i-1]+step)
		}
	}
	return missing
}

// seconds are those since the trial's zero.
func (w *Watch) seconds(mono int64) float64 { return float64(mono-w.subject.Begin) / 1e9 }
