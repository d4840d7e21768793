package experiments

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"acklab/broker"
	"acklab/internal/celery"
	"acklab/internal/minder"
)

// Celery itself as a system: its workers take the place of ours. The producer,
// the runner's client and the census stay ours, on the same wire format.

// celerySystem is a system whose workers are Celery's.
func celerySystem(name string, kind ServerKind, url func(addr string) string) System {
	s := system(name, kind, url)
	s.Celery = true
	ours := s.Traits
	s.Traits = func(options ...string) broker.Traits {
		t := ours(options...)
		t.System = name
		// A worker that gives back on Redis marks what it gives back; one that dies
		// between two commands of kombu's may not have.
		t.Delay, t.DelayLate, t.DelayRounding = broker.ByWorker, 0, 0
		return t
	}
	return s
}

// takesInTwoSteps tells whether the system's workers take a message off the queue
// and write down in a second step that they have it: kombu on Redis, with BRPOP and
// then a transaction (kombu/transport/redis.py, _brpop_read and QoS.append). The
// laboratory's own driver does both in one script.
func (s System) takesInTwoSteps() bool { return s.Celery && s.Kind == RedisServer }

// betweenSteps is why a worker that takes in two steps may lose one task more.
const betweenSteps = "at most one message is between being popped and being written down when its worker ends; how often is the result"

// mayTake allows for the message that goes along with one worker of such a system.
// least and most are what is lost without it, and why says why it is a range.
func (c *Cell) mayTake(least, most int, why string) {
	if !c.System.takesInTwoSteps() {
		return
	}
	c.wide("lost", least, most+1, why)
	c.wide("lost_while_taken", 0, 1, betweenSteps)
}

// celeryLease is the visibility timeout of Celery's workers on Redis, which they
// are told by their system's URL as the laboratory's own driver is.
const celeryLease = 30 * time.Second

// celeryLoop is how long the loop of a Celery worker may sleep on AMQP while
// something is due (kombu/asynchronous/hub.py, call_soon does not wake it).
const celeryLoop = 10 * time.Second

// findCelery looks for Celery once.
var findCelery = sync.OnceValues(func() (celery.Installation, error) { return celery.Find(context.Background()) })

// celeryApp is Celery's application in the folder of the run.
func (r *Runner) celeryApp() (celery.App, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.celery != nil {
		return *r.celery, nil
	}
	found, err := findCelery()
	if err != nil {
		return celery.App{}, err
	}
	app, err := found.Prepare(r.dir)
	if err != nil {
		return celery.App{}, err
	}
	r.celery = &app
	r.servers.used("celery", found.Celery+" (kombu "+found.Kombu+")")
	return app, nil
}

// startCelery starts a Celery worker as a member of the trial.
func (t *Trial) startCelery(name string, h Hands) error {
	o := celery.Options{
		Broker: t.url, Result: t.resultURL, Queues: strings.Split(t.sources(h.Queues), ","), Pool: celery.Pool(t.cell.Setting["pool"]),
		Concurrency: h.Concurrency, Multiplier: h.Multiplier, AcksLate: h.Ack == "late", TrackStarted: h.TrackStarted,
		CrashAt: h.CrashAt, PauseAt: h.PauseAt, CrashTask: h.crashTask, CrashNth: h.CrashNth, MaxRetries: h.Retry.Max, RetryDelay: h.Retry.Delay, RetryFor: h.Retry.For,
		ConfirmPublish: true, AckRace: t.cell.Setting["pool"] == string(celery.Threads),
	}
	return t.joinCelery(name, func(app celery.App, ledger string) (minder.Spec, error) {
		return app.Worker(o, name, t.dir, ledger, t.logOf(name))
	})
}

// PublishByCelery has Celery's own producer publish a load, by its own task_routes.
func PublishByCelery(name string, j Job) Step {
	return Step{fmt.Sprintf("have Celery publish %d x %s", j.Count, j.Name), func(ctx context.Context, t *Trial) error {
		if t.run.plants(plantIdleVictim) {
			return nil
		}
		o := celery.PublisherOptions{Broker: t.url, Queues: t.declared()}
		for _, r := range j.Routes {
			o.Routes = append(o.Routes, [2]string{r.Pattern, t.named(r.Queue)})
		}
		order := celery.Order{Task: j.Name, Args: j.Args}
		if j.Queue != "" {
			order.Options = map[string]any{"queue": t.named(j.Queue)}
		}
		o.Orders = slices.Repeat([]celery.Order{order}, j.Count)
		err := t.joinCelery(name, func(app celery.App, ledger string) (minder.Spec, error) {
			return app.Publisher(o, name, t.dir, ledger, t.logOf(name))
		})
		if err != nil {
			return err
		}
		return t.ended(ctx, name)
	}}
}

// joinCelery starts a program of Celery's as a member of the trial; how says how.
func (t *Trial) joinCelery(name string, how func(app celery.App, ledger string) (minder.Spec, error)) error {
	app, err := t.run.celeryApp()
	if err != nil {
		return fmt.Errorf("start %s: %w", name, err)
	}
	spec, err := how(app, filepath.Join(t.dir, name+".jsonl"))
	if err != nil {
		return fmt.Errorf("start %s: %w", name, err)
	}
	return t.join(name, spec)
}

// celeryLacks says why Celery's workers do not have a checkpoint; empty: they do.
func celeryLacks(point string) string {
	if point == "" || slices.Contains(celery.Points, point) {
		return ""
	}
	return "no such point: Celery acknowledges while the task already runs, and tells nobody of the moments before"
}
