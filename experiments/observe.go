package experiments

import (
	"context"
	"errors"
	"fmt"

	"acklab/broker"
	"acklab/internal/ledger"
	"acklab/internal/metrics"
	"acklab/internal/observe"
	"acklab/internal/server"
)

// observed tells whether a Prometheus is to watch the job.
func (j trialJob) observed() bool { return j.cell.Observe && !j.control }

// watch has Prometheus watch the trial before its load begins. Where that
// cannot be, the trial goes on without, and its observation says why.
func (t *Trial) watch(ctx context.Context, job trialJob) {
	if !job.observed() {
		return
	}
	subject := observe.Subject{Trial: t.id, Queue: t.queue, Begin: t.manifest.Processes[0].Start}
	if t.server != nil {
		subject.Depth = t.depth
	}
	switch s := t.server.(type) {
	case *server.Redis:
		subject.Redis = s.Metrics
	case *server.Rabbit:
		subject.RabbitMQ = s.PrometheusAddr()
	}
	t.watching, t.unwatched = t.run.observer.Begin(ctx, subject)
	if t.unwatched != nil {
		t.run.log.Debug("trial is not observed", "trial", t.id, "err", t.unwatched)
	}
}

// unwatch ends the watch, when everything is settled and the processes are
// still there.
func (t *Trial) unwatch(ctx context.Context) {
	if t.watching != nil {
		t.watching.End(ctx)
	}
}

// saveObservation writes down what was seen, or why nothing was.
func (t *Trial) saveObservation(job trialJob, manifest ledger.Trial, files map[string]ledger.File) error {
	switch {
	case !job.observed():
		return nil
	case t.watching == nil:
		return observe.Save(t.run.dir, observe.Unobserved(t.id, t.manifest.Processes[0].Start, t.unwatched))
	}
	return observe.Save(t.run.dir, t.watching.Observation(manifest, files))
}

// metricsFlags tell a member where to show its metrics; a trial that nobody
// watches leaves that to the member.
func (t *Trial) metricsFlags(name string) []string {
	if t.watching == nil {
		return nil
	}
	return []string{metrics.Flag, t.watching.Addr(name)}
}

// depth is what the trial's server holds of its queue, for Prometheus.
func (t *Trial) depth(ctx context.Context) (metrics.Depth, error) {
	d, err := t.client.Depth(ctx, t.queue)
	if errors.Is(err, broker.ErrUnknownQueue) {
		return metrics.Depth{}, nil // not declared yet, or deleted
	}
	if rabbit, ok := t.server.(*server.Rabbit); ok && err == nil { // AMQP does not tell what is unacknowledged
		var q server.QueueView
		q, err = rabbit.Queue(ctx, t.queue)
		d.Ready, d.Unacked = &q.Ready, &q.Unacked
	}
	return metrics.Depth{Ready: d.Ready, Unacked: d.Unacked, Delayed: d.Delayed, Dead: d.Dead, Oldest: d.Oldest}, err
}

// Unobserved says in one line that trials of the plan will not be watched,
// though they should be, and why; empty: all is well.
func (p Plan) Unobserved() string {
	trials := 0
	for _, c := range p.each() {
		if c.Observe && c.NotRun == "" {
			trials += c.Trials
		}
	}
	if trials == 0 {
		return ""
	}
	if _, err := server.FindPrometheus(); err != nil {
		return fmt.Sprintf("%v (until then %d of the trials have no plots; their verdicts do not need it)", err, trials)
	}
	return ""
}
