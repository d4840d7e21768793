package bench

import (
	"context"

	"acklab/internal/ledger"
	"acklab/internal/metrics"
	"acklab/internal/observe"
	"acklab/internal/server"
	"acklab/internal/server/servertest"
	"acklab/producer"
	"acklab/task"
)

// watch has a Prometheus scrape this process and the server as in an observed
// trial. It stands still but in our laps.
func (a *acklab) watch() {
	ctx := context.Background()
	o := observe.New(servertest.Minder(a.b), "")
	subject := observe.Subject{Trial: "bench", Queue: a.queue, Begin: ledger.Now(), Depth: func(ctx context.Context) (metrics.Depth, error) {
		d, err := a.broker.Depth(ctx, a.queue)
		return metrics.Depth{Ready: d.Ready, Unacked: d.Unacked, Delayed: d.Delayed, Dead: d.Dead, Oldest: d.Oldest}, err
	}}
	switch s := a.server.(type) {
	case *server.Redis:
		subject.Redis = s.Metrics
	case *server.Rabbit:
		subject.RabbitMQ = s.PrometheusAddr()
	}
	w, err := o.Begin(ctx, subject)
	if err != nil {
		a.b.Fatal(err)
	}
	a.b.Cleanup(func() { w.End(ctx) })
	shown, err := metrics.Serve(ctx, w.Addr("worker"), a.registry)
	if err != nil {
		a.b.Fatal(err)
	}
	a.b.Cleanup(func() { shown.Close() })
	a.prometheus = o.Prometheus()
	a.freeze()
	a.b.Cleanup(a.thaw)
}

// scraped lets Prometheus go on until the function that it returns is called.
func (a *acklab) scraped() (stop func()) {
	if a.prometheus == nil {
		return func() {}
	}
	a.thaw()
	return a.freeze
}

func (a *acklab) freeze() {
	if err := a.prometheus.Freeze(context.Background()); err != nil {
		a.b.Fatal(err)
	}
}

func (a *acklab) thaw() {
	if err := a.prometheus.Thaw(context.Background()); err != nil {
		a.b.Fatal(err)
	}
}

// fill puts the tasks of one lap on the queue, unobserved.
func (a *acklab) fill() {
	load := producer.Load{Count: a.count, Name: "noop", Options: task.Options{Queue: a.queue, Origin: origin}}
	tally, err := producer.New(producer.Config{Broker: a.broker}).Run(context.Background(), load, nil)
	if err != nil || tally.Confirmed != a.count {
		a.b.Fatal(tally.Summary(), err)
	}
}
