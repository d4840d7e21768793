// Package metrics is what a process of the laboratory tells Prometheus: one
// set of named metrics, built over a registry that is passed in, and a small
// HTTP server that shows it.
//
// Metrics are for shapes over time. A killed process takes its counters with
// it, so the counts of a report come from ledgers and census, never from here.
//
// A series appears when its process first has something to say: a worker shows
// no acklab_scheduler_leader, and a depth that the broker cannot tell is
// absent, not 0.
package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Outcome is how a publish ended.
type Outcome string

// The outcomes of a publish, in the ledger's words.
const (
	Confirmed Outcome = "confirmed"
	Unsure    Outcome = "unsure"
	Refused   Outcome = "refused"
)

// Metrics holds every metric of the laboratory. It is safe for concurrent use.
// A nil *Metrics counts nothing: a process that was not asked to be observed.
type Metrics struct {
	published   *prometheus.CounterVec
	received    *prometheus.CounterVec
	redelivered *prometheus.CounterVec
	depth       *prometheus.GaugeVec
	oldest      *prometheus.GaugeVec

	tasks   *prometheus.CounterVec
	wait    *prometheus.HistogramVec
	run     *prometheus.HistogramVec
	retries *prometheus.CounterVec
	results *prometheus.CounterVec

	// Vectors without labels, so that nothing is shown before it is known.
	inFlight   *prometheus.GaugeVec
	brokerUp   *prometheus.GaugeVec
	reconnects *prometheus.CounterVec
	leader     *prometheus.GaugeVec

	ticks    *prometheus.CounterVec
	repeated *prometheus.CounterVec
	lateness *prometheus.HistogramVec

	fault   *prometheus.GaugeVec
	expTask *prometheus.GaugeVec
	expOut  *prometheus.GaugeVec

	publishing series[publishSeries] // by queue
	receiving  series[receiveSeries] // by queue
	running    series[taskSeries]    // by task name
}

// Runs of the teaching tasks take from under a millisecond to minutes; waits
// last as long as the longest lease, which is asynq's two minutes.
var (
	runBuckets  = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300}
	waitBuckets = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 120, 300, 1800}
)

// A tick is on time to some milliseconds, or as late as its scheduler was away.
var latenessBuckets = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 3600, 86400}

// New makes the metrics and registers them with reg. It panics when reg has
// them already: a process has one set.
func New(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		published:   counter("acklab_published_total", "Messages published, by how the publish ended: confirmed, unsure or refused.", "queue", "outcome"),
		received:    counter("acklab_received_total", "Deliveries received from the broker.", "queue"),
		redelivered: counter("acklab_redelivered_total", "Deliveries received that the broker marked as delivered before.", "queue"),
		depth:       gauge("acklab_queue_depth", "Messages that the broker says it holds, by state: ready, unacked, delayed or dead.", "queue", "state"),
		oldest:      gauge("acklab_queue_oldest_seconds", "Age of the oldest message that waits for a consumer.", "queue"),

		tasks:   counter("acklab_tasks_total", "Tasks that entered a state: RECEIVED, STARTED, RETRY, SUCCESS, FAILURE or REVOKED.", "task", "state"),
		wait:    histogram("acklab_task_wait_seconds", "Time from the publish of a message to the start of its handler.", waitBuckets),
		run:     histogram("acklab_task_run_seconds", "Time that a handler ran, whatever it returned.", runBuckets),
		retries: counter("acklab_retries_total", "Messages published to try a task again.", "task"),

		results: counter("acklab_results_total", "States of tasks offered to the result store: stored, superseded by a later one, or lost.", "outcome"),

		inFlight:   gauge("acklab_worker_in_flight", "Deliveries that this worker has received and not settled."),
		brokerUp:   gauge("acklab_broker_up", "Whether this process is connected to its broker: 1 or 0."),
		reconnects: counter("acklab_reconnects_total", "Connections to the broker that were made again after one was lost."),
		leader:     gauge("acklab_scheduler_leader", "Whether this scheduler leads and sends: 1 or 0."),

		ticks:    counter("acklab_scheduler_ticks_total", "Ticks of schedules that were due, by how they ended: sent, refused, unsure, skipped or missed.", "outcome"),
		repeated: counter("acklab_scheduler_repeated_total", "Ticks that were published though they may have been published before."),
		lateness: unlabelled("acklab_scheduler_lateness_seconds", "Time from when a tick was to be sent to its confirmation.", latenessBuckets),

		fault:   gauge("acklab_fault_active", "Whether a fault is injected at this moment: 1 or 0.", "fault"),
		expTask: gauge("acklab_experiment_tasks", "Tasks of a finished cell, by what became of them, over all its trials.", "experiment", "system", "setting", "class"),
		expOut:  gauge("acklab_experiment_outcome", "Outcome of a finished cell: 1 for the one it has.", "experiment", "system", "setting", "outcome"),
	}
	m.publishing.resolve = m.resolvePublish
	m.receiving.resolve = m.resolveReceive
	m.running.resolve = m.resolveTask
	reg.MustRegister(m.published, m.received, m.redelivered, m.depth, m.oldest,
		m.tasks, m.wait, m.run, m.retries, m.results,
		m.inFlight, m.brokerUp, m.reconnects, m.leader,
		m.ticks, m.repeated, m.lateness,
		m.fault, m.expTask, m.expOut)
	return m
}

func counter(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
}

func gauge(name, help string, labels ...string) *prometheus.GaugeVec {
	return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, labels)
}

func histogram(name, help string, buckets []float64) *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets}, []string{"task"})
}

func unlabelled(name, help string, buckets []float64) *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets}, nil)
}

// BrokerUp says whether the process is connected to its broker: a worker, as a
// consumer.
func (m *Metrics) BrokerUp(up bool) {
	if m != nil {
		m.brokerUp.WithLabelValues().Set(number(up))
	}
}

// Reconnected counts a connection that was made again after one was lost.
func (m *Metrics) Reconnected() {
	if m != nil {
		m.reconnects.WithLabelValues().Inc()
	}
}

// InFlight sets how many deliveries this worker has received and not settled.
func (m *Metrics) InFlight(n int) {
	if m != nil {
		m.inFlight.WithLabelValues().Set(float64(n))
	}
}

func number(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func seconds(d time.Duration) float64 { return max(d, 0).Seconds() }
