package experiments

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"acklab/broker"
	"acklab/internal/celery"
	"acklab/internal/check"
	"acklab/internal/connect"
	"acklab/internal/metrics"
	"acklab/internal/minder"
	"acklab/internal/observe"
	"acklab/internal/report"
)

// Options say how to carry out a plan.
type Options struct {
	// Self is the command line that starts this program again: its path.
	Self string
	// Dir is the folder of the run, which must exist and be empty.
	Dir string
	// Seed is where the seeds of the trials begin.
	Seed int64
	// Parallel is how many trials that are not timed run side by side; 0: two
	// for each core, and at least four.
	Parallel int
	// Progress is told what happens; nil: nobody.
	Progress Progress
	// Log receives details; nil: discarded.
	Log *slog.Logger
	// Metrics counts what the run finds out; nil: nobody looks.
	Metrics *metrics.Metrics
	// MetricsAddr is the host:port where Metrics are shown, for the Prometheus
	// of the run; empty: nowhere.
	MetricsAddr string
}

// Runner carries out one plan.
type Runner struct {
	self     string
	dir      string
	seed     int64
	plant    string // name of a planted fault; empty: none
	slots    chan struct{}
	private  chan struct{} // one for each trial with a server of its own
	patience patience
	minder   *minder.Minder
	servers  *servers
	observer *observe.Observer
	progress Progress
	metrics  *metrics.Metrics
	log      *slog.Logger
	queues   atomic.Int64
	fired    atomic.Int64 // times that the runner's own part of the plant did something

	mu      sync.Mutex
	clients map[string]broker.Broker
	celery  *celery.App // nil: no Celery worker was started yet
}

// Run carries out the plan and returns the report, which it has also saved in
// the folder with everything it was made from. When ctx ends it stops all that
// it had started and returns ctx's error.
func Run(ctx context.Context, plan Plan, opts Options) (report.Run, error) {
	r, err := newRunner(ctx, opts)
	if err != nil {
		return report.Run{}, err
	}
	defer r.close()
	return r.run(ctx, plan)
}

func newRunner(ctx context.Context, opts Options) (*Runner, error) {
	m, err := minder.Start(ctx, opts.Self, "minder")
	if err != nil {
		return nil, err
	}
	r := &Runner{
		self: opts.Self, dir: opts.Dir, seed: opts.Seed, minder: m, servers: newServers(m), progress: opts.Progress,
		log: opts.Log, metrics: opts.Metrics, clients: map[string]broker.Broker{}, patience: usual,
		observer: observe.New(m, opts.MetricsAddr),
	}
	if r.dir, err = filepath.Abs(opts.Dir); err != nil {
		return nil, errors.Join(err, m.Close())
	}
	parallel := opts.Parallel
	if parallel <= 0 {
		parallel = max(4, 2*runtime.NumCPU()) // a trial mostly waits
	}
	r.slots = make(chan struct{}, parallel)
	r.private = make(chan struct{}, parallel)
	if r.progress == nil {
		r.progress = silent{}
	}
	if r.log == nil {
		r.log = slog.New(slog.DiscardHandler)
	}
	return r, nil
}

// close ends every client, server and process of the run.
func (r *Runner) close() {
	ctx, cancel := context.WithTimeout(context.Background(), closeWithin)
	defer cancel()
	r.mu.Lock()
	for _, c := range r.clients {
		c.Close(ctx)
	}
	r.mu.Unlock()
	if err := r.minder.Close(); err != nil {
		r.log.Error("end the run's processes", "err", err)
	}
}

// closeWithin bounds the end of a run.
const closeWithin = 10 * time.Second

func (r *Runner) run(ctx context.Context, plan Plan) (report.Run, error) {
	started := time.Now()
	book := newBook(plan)
	r.progress.Begin(plan)
	for _, stage := range []struct {
		jobs []trialJob
		side bool
	}{
		{book.controls(r.seed), true},
		{book.trials(Alone, r.seed), false},
		{append(book.trials(Waiting, r.seed), book.trials(Beside, r.seed)...), true},
	} {
		if err := errors.Join(r.stage(ctx, book, stage.jobs, stage.side), ctx.Err()); err != nil {
			r.progress.End()
			return report.Run{}, err
		}
		if !stage.side && len(stage.jobs) > 0 {
			r.progress.Interim(book.interim(started, r.servers.versions))
		}
	}
	r.progress.End()
	done := book.report(started, r.servers.versions)
	return done, report.Save(r.dir, done, report.LedgersIn(r.dir))
}

// stage carries out jobs, one by one or side by side. Side by side, each waits
// for one of the run's slots in the order of the list, so that those that will
// wait for a lease get going first.
func (r *Runner) stage(ctx context.Context, book *book, jobs []trialJob, side bool) error {
	group, ctx := errgroup.WithContext(ctx)
	if !side {
		group.SetLimit(1)
	} else {
		group.SetLimit(maxWaiting)
	}
	for _, job := range jobs {
		if ctx.Err() != nil {
			break
		}
		group.Go(func() error {
			result, err := r.execute(ctx, job)
			if err != nil {
				return fmt.Errorf("trial %s: %w", job.id(), err)
			}
			state := book.record(job, result)
			if state.Done == state.Of && !state.Control {
				r.metrics.CellDone(job.experiment, job.cell.System.Name, job.cell.Setting, state.Outcome, state.Classes)
			}
			r.progress.Trial(job.experiment, state)
			return nil
		})
	}
	return group.Wait()
}

// maxWaiting bounds how many trials are under way at once, those that wait for
// a lease included: each has an idle worker process of some ten megabytes.
const maxWaiting = 200

// open hands out the runner's client of a broker; trials on the same server
// share it.
func (r *Runner) open(ctx context.Context, url string) (broker.Broker, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if c := r.clients[url]; c != nil {
		return c, nil
	}
	c, err := connect.Open(ctx, url, broker.Options{Log: r.log})
	if err != nil {
		return nil, err
	}
	r.clients[url] = r.planted(c)
	return r.clients[url], nil
}

func (r *Runner) closeClient(ctx context.Context, url string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.clients[url]
	delete(r.clients, url)
	if c == nil {
		return nil
	}
	return c.Close(ctx)
}

// queueName is a name that no other trial of this or another run has.
func (r *Runner) queueName() string {
	return fmt.Sprintf("lab-%d-%d", os.Getpid(), r.queues.Add(1))
}

// Recheck judges the ledgers of a saved run again, with today's checker, and
// saves the new report in their place.
func Recheck(dir string) (report.Run, error) {
	old, err := report.Load(dir)
	if err != nil {
		return report.Run{}, err
	}
	ledgers := report.LedgersIn(dir)
	for i := range old.Experiments {
		if err := rejudge(&old.Experiments[i], old.Servers, ledgers); err != nil {
			return report.Run{}, err
		}
	}
	return old, report.Save(dir, old, ledgers)
}

func recheckControl(id string, ledgers report.Ledgers) (string, error) {
	if id == "" {
		return "", nil
	}
	manifest, files, err := ledgers(id)
	if err != nil {
		return "", fmt.Errorf("recheck trial %s: %w", id, err)
	}
	return controlTrouble(id, check.Judge(manifest, files)), nil
}

func rejudge(e *report.Experiment, servers map[string]string, ledgers report.Ledgers) error {
	for i := range e.Cells {
		c := &e.Cells[i]
		trouble, err := recheckControl(c.Control, ledgers)
		if err != nil {
			return err
		}
		var results []check.Result
		for j := range c.Trials {
			manifest, files, err := ledgers(c.Trials[j].ID)
			if err != nil {
				return fmt.Errorf("recheck trial %s: %w", c.Trials[j].ID, err)
			}
			result := doubted(check.Judge(manifest, files), trouble)
			results = append(results, result)
			c.Trials[j] = reportTrial(c.Trials[j].ID, c.Trials[j].Seed, result)
		}
		if len(results) > 0 {
			c.Outcome, c.Reason = check.Outcome(c.Predicted, results)
		}
	}
	e.Verdicts = verdicts(e.Claims, e.Cells, servers)
	return nil
}
