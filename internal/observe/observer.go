package observe

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"acklab/internal/metrics"
	"acklab/internal/minder"
	"acklab/internal/server"
)

const (
	// interval is the time between two scrapes of a target.
	interval = 500 * time.Millisecond
	// rabbitInterval is that of RabbitMQ's own metrics: a big page, which on a
	// busy machine takes it longer than the usual interval allows.
	rabbitInterval = time.Second
	// slots is how many processes of a trial are watched, those included that
	// start late or again. Their addresses are targets from the beginning, up 0
	// until the process is there: a target that is added on the way is not
	// scraped for up to five seconds.
	slots = 12
	// slotName is the instance of a target before a process has it.
	slotName = "process-"
	// begin bounds the start of a watch, end its last look.
	begin = 30 * time.Second
	end   = 20 * time.Second
)

// Observer has one Prometheus for a whole run, from the first trial that asks
// for it. It is safe for concurrent use.
type Observer struct {
	minder *minder.Minder
	runner string

	mu         sync.Mutex
	prometheus *server.Prometheus
}

// New makes an observer whose Prometheus will be a child of the minder, and
// dies with it. runner is where the runner shows its own metrics; empty:
// nowhere.
func New(m *minder.Minder, runner string) *Observer { return &Observer{minder: m, runner: runner} }

// Subject is what is to be watched of a trial, beside its processes.
type Subject struct {
	Trial string
	Queue string
	// Begin is the trial's zero, CLOCK_MONOTONIC in nanoseconds.
	Begin int64
	// Depth asks the trial's server for the depth of Queue; nil: nobody can.
	// It is called from other goroutines.
	Depth func(context.Context) (metrics.Depth, error)
	// Redis gives the metrics of the trial's Redis in Prometheus' text format;
	// nil: there is none. It is called from other goroutines.
	Redis func(context.Context) (string, error)
	// RabbitMQ is the host:port of the metrics of the trial's RabbitMQ; empty:
	// there is none.
	RabbitMQ string
}

// Watch is the watch over one trial. Its methods are for the goroutine of the
// trial.
type Watch struct {
	subject    Subject
	observer   *Observer
	prometheus *server.Prometheus
	pages      *pages
	interval   time.Duration // between two scrapes
	clock      clock
	begun      time.Time
	ports      []int
	names      map[string]string // of processes, by the instance of their target
	unwatched  []string          // processes for which no target was left
	seen       sight
}

// Begin has Prometheus watch the trial, and returns when every target was
// scraped once. The error is a sentence for people; *server.MissingError: there
// is no prometheus.
func (o *Observer) Begin(ctx context.Context, s Subject) (*Watch, error) {
	ctx, cancel := context.WithTimeout(ctx, begin)
	defer cancel()
	p, err := o.running(ctx)
	if err != nil {
		return nil, err
	}
	w := &Watch{subject: s, observer: o, prometheus: p, interval: p.Interval(), names: map[string]string{}, begun: time.Now(), clock: readClocks()}
	if err := w.begin(ctx); err != nil {
		w.end(context.WithoutCancel(ctx))
		return nil, err
	}
	return w, nil
}

// running is the Prometheus of the run. One that has died is replaced.
func (o *Observer) running(ctx context.Context) (*server.Prometheus, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.prometheus != nil && o.prometheus.Alive() {
		return o.prometheus, nil
	}
	p, err := server.StartPrometheus(ctx, o.minder, server.PrometheusOptions{Interval: interval})
	if err != nil {
		return nil, err
	}
	o.prometheus = p
	return p, nil
}

// Prometheus is that of the run; nil: no trial has asked for it yet.
func (o *Observer) Prometheus() *server.Prometheus {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.prometheus
}

func (w *Watch) begin(ctx context.Context) error {
	targets, err := w.targets()
	if err != nil {
		return err
	}
	if err := w.prometheus.Watch(ctx, w.subject.Trial, targets); err != nil {
		return err
	}
	there := func(instance string) bool { return !strings.HasPrefix(instance, slotName) }
	return w.awaitScrapes(ctx, len(targets), func(instance string, up sample) bool { return up.value == 1 || !there(instance) })
}

// targets are the runner, the server, and a place for each process.
func (w *Watch) targets() ([]server.ScrapeTarget, error) {
	s := w.subject
	var targets []server.ScrapeTarget
	if w.observer.runner != "" {
		targets = append(targets, server.ScrapeTarget{Instance: "runner", Addr: w.observer.runner})
	}
	if s.Depth != nil || s.Redis != nil {
		var err error
		if w.pages, err = servePages(s, w.interval*8/10); err != nil {
			return nil, err
		}
	}
	if s.Depth != nil {
		targets = append(targets, server.ScrapeTarget{Instance: "queue", Addr: w.pages.addr, Path: queuePath})
	}
	if s.Redis != nil {
		targets = append(targets, server.ScrapeTarget{Instance: "redis", Addr: w.pages.addr, Path: serverPath})
	}
	if s.RabbitMQ != "" {
		targets = append(targets, server.ScrapeTarget{Instance: "rabbitmq", Addr: s.RabbitMQ, Path: "/metrics/per-object", Interval: rabbitInterval})
	}
	for i := range slots {
		port, err := server.FreePort()
		if err != nil {
			return nil, err
		}
		w.ports = append(w.ports, port)
		targets = append(targets, server.ScrapeTarget{Instance: slotName + strconv.Itoa(i), Addr: loopback(port)})
	}
	return targets, nil
}

func loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

// Addr is where the named process shall show its metrics. Where no target is
// left, it is any free port, and the observation says so.
func (w *Watch) Addr(process string) string {
	for i, port := range w.ports {
		l, err := net.Listen("tcp", loopback(port))
		if port == 0 || err != nil {
			continue // given away, here or by the kernel
		}
		l.Close()
		w.ports[i] = 0
		w.names[slotName+strconv.Itoa(i)] = process
		return loopback(port)
	}
	w.unwatched = append(w.unwatched, process)
	return loopback(0)
}

// ups are the last samples of up of all targets, by instance.
func (w *Watch) ups(ctx context.Context) (map[string]sample, error) {
	found, err := samples(ctx, w.prometheus, w.selector("up"), w.begun)
	if err != nil {
		return nil, err
	}
	ups := map[string]sample{}
	for _, l := range found {
		ups[l.Labels["instance"]] = l.last()
	}
	return ups, nil
}

// lookEvery is how often Prometheus is asked whether it has scraped.
const lookEvery = 50 * time.Millisecond

// awaitScrapes waits until n targets have a sample of up with which good is
// content.
func (w *Watch) awaitScrapes(ctx context.Context, n int, good func(instance string, up sample) bool) error {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		ups, err := w.ups(ctx)
		if err == nil {
			var wanting []string
			for instance, up := range ups {
				if !good(instance, up) {
					wanting = append(wanting, instance)
				}
			}
			if len(ups) == n && len(wanting) == 0 {
				return nil
			}
			slices.Sort(wanting)
			err = fmt.Errorf("%d of %d targets scraped, not yet well: %v", len(ups)-len(wanting), n, wanting)
		} else if !w.prometheus.Alive() {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for prometheus to scrape: %w (%w)", ctx.Err(), err)
		case <-tick.C:
		}
	}
}

// selector is a metric of this trial, with further matchers.
func (w *Watch) selector(metric string, matchers ...string) string {
	return fmt.Sprintf("%s{%s}", metric, strings.Join(append([]string{"job=" + strconv.Quote(w.subject.Trial)}, matchers...), ","))
}

// End makes one more scrape, asks Prometheus for everything, and ends the
// watch. The trial's processes must still be there, and have nothing to do.
// What goes wrong stands in the observation that Observation makes.
func (w *Watch) End(ctx context.Context) {
	within, cancel := context.WithTimeout(ctx, end)
	defer cancel()
	now := time.Now()
	all := 0
	ups, err := w.ups(within)
	if err == nil {
		all = len(ups)
		after := float64(now.UnixMilli()+1) / 1e3
		err = w.awaitScrapes(within, all, func(_ string, up sample) bool { return up.at >= after })
	}
	w.clock = w.clock.until(readClocks())
	w.seen = w.look(within)
	if err != nil {
		w.seen.trouble(fmt.Errorf("the last scrape: %w", err))
	}
	w.end(context.WithoutCancel(ctx))
}

// end takes the targets away.
func (w *Watch) end(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, end)
	defer cancel()
	if err := w.prometheus.Forget(ctx, w.subject.Trial); err != nil && w.prometheus.Alive() {
		w.seen.trouble(err)
	}
	if w.pages != nil {
		w.pages.close()
	}
}

// process is the name of who has the target.
func (w *Watch) process(instance string) string {
	if name, ok := w.names[instance]; ok {
		return name
	}
	return instance
}
