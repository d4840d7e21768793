package experiments

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"

	"acklab/broker"
	"acklab/internal/check"
	"acklab/internal/ledger"
	"acklab/internal/observe"
	"acklab/internal/server"
	"acklab/result"
)

// patience bounds the steps of a trial, and after them the time in which the
// broker has to have everything delivered and settled; what the cell allows
// for leases comes on top.
type patience struct{ steps, settle time.Duration }

// usual is the patience of a run. Trials take a second or two: this is for a
// machine that is busy with something else.
var usual = patience{steps: 90 * time.Second, settle: 30 * time.Second}

// Trial is one go at one cell. Its steps run in one goroutine.
type Trial struct {
	run      *Runner
	cell     *Cell
	id       string
	dir      string // its ledgers
	logs     string
	ledger   *ledger.Writer
	manifest ledger.Trial
	rng      *rand.Rand
	server   server.Server // nil: the system has none
	client   broker.Broker // the runner's own, nil: the queue is inside a member
	url      string
	queue    string
	members  map[string]*member
	order    []string // names of members, in the order of their start
	slot     bool     // it holds one of the run's slots

	resultServer server.Server // nil: the results have no server
	resultClient result.Store  // the runner's own, nil: not opened yet
	resultURL    string        // empty: the workers store no results

	watching  *observe.Watch // nil: Prometheus does not watch
	unwatched error          // why, where it should
}

// execute carries out one trial and returns its judgement. An error means that
// the run itself cannot go on; a trial that went wrong is unsure.
func (r *Runner) execute(ctx context.Context, job trialJob) (check.Result, error) {
	t, err := r.prepare(job)
	if err != nil {
		return check.Result{}, err
	}
	if t.cell.Server.Own { // a trial that steps aside keeps its server: twenty nodes on two cores answer nobody
		if err := take(ctx, r.private); err != nil {
			return check.Result{}, err
		}
		defer func() { <-r.private }()
	}
	if err := t.acquire(ctx); err != nil {
		return check.Result{}, err
	}
	defer t.release()
	if err := t.setUp(ctx, job); err != nil {
		return check.Result{}, fmt.Errorf("set up %s: %w", t.id, err)
	}
	t.procedure(ctx, job)
	err = t.tearDown(ctx)
	if ctx.Err() != nil {
		return check.Result{}, ctx.Err()
	}
	if err != nil {
		return check.Result{}, err
	}
	if err := r.damage(t); err != nil {
		return check.Result{}, err
	}
	manifest, files, err := ledger.LoadTrial(t.dir)
	if err != nil {
		return check.Result{}, err
	}
	if err := t.saveObservation(job, manifest, files); err != nil {
		return check.Result{}, err
	}
	return check.Judge(manifest, files), nil
}

// prepare makes the folders and the manifest.
func (r *Runner) prepare(job trialJob) (*Trial, error) {
	t := &Trial{
		run: r, cell: job.cell, id: job.id(), rng: rand.New(rand.NewPCG(uint64(job.seed), job.salt())),
		members: map[string]*member{},
	}
	t.dir = trialDir(r.dir, t.id)
	t.logs = filepath.Join(r.dir, "logs", t.id)
	t.queue = r.queueName()
	for _, dir := range []string{t.dir, t.logs} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, fmt.Errorf("make the trial's folder: %w", err)
		}
	}
	t.manifest = ledger.Trial{
		ID: t.id, Experiment: job.experiment, System: job.cell.System.Name, Setting: job.cell.Setting, Seed: job.seed,
		Control: job.control, Queues: t.declared(), Expect: job.cell.Expect,
	}
	if job.control {
		t.manifest.Expect = ledger.Expect{}
		if job.cell.Expect.QueueDiesWith != "" {
			t.manifest.Expect.QueueDiesWith = cleanWorker
		}
	}
	traits := job.cell.traits()
	t.manifest.Expect.MarksAlways = traits.Marks == broker.MarksAlways || traits.Marks == broker.MarksWhileUp
	t.manifest.Expect.DelayByWorker = traits.Delay == broker.ByWorker
	t.manifest.Expect.TakenInTwoSteps = job.cell.System.takesInTwoSteps()
	t.manifest.Expect.LeaseBound = traits.Returns == broker.OnLease
	return t, nil
}

// setUp opens the runner's ledger and the server.
func (t *Trial) setUp(ctx context.Context, job trialJob) (err error) {
	t.ledger, err = ledger.Create(filepath.Join(t.dir, "runner.jsonl"), map[string]string{"name": "runner", "trial": t.id})
	if err != nil {
		return err
	}
	if err := t.setUpResults(ctx); err != nil {
		return err
	}
	t.manifest.Processes = []ledger.Process{{Name: "runner", File: "runner.jsonl", Pid: os.Getpid(), Start: ledger.Now()}}
	if job.cell.System.Kind == NoServer {
		t.url = withOptions(t.cell.System.URL(""), t.cell.Options)
		return nil
	}
	if t.server, err = t.run.servers.get(ctx, job.cell.System.Kind, job.cell.Server); err != nil {
		return err
	}
	t.url = withOptions(t.cell.System.URL(t.server.Addr()), t.cell.Options)
	t.client, err = t.run.open(ctx, t.url)
	return err
}

// procedure is the same for every trial; what goes wrong is written down and
// makes the trial unsure.
func (t *Trial) procedure(ctx context.Context, job trialJob) {
	t.probe(ctx, "before")
	t.watch(ctx, job)
	if t.cell.Stall > 0 && !job.control {
		t.paced(ctx, job.steps)
	} else {
		t.do(ctx, job.steps)
	}
	if err := t.settle(ctx); err != nil {
		t.note("settle", err)
	}
	t.probe(ctx, "after")
	t.unwatch(ctx)
	for _, name := range t.order {
		if err := t.stop(ctx, name); err != nil {
			t.note("stop "+name, err)
		}
	}
	if !job.control {
		t.do(ctx, t.cell.Final)
	}
	t.census(ctx)
}

// do carries out steps, up to the first that goes wrong.
func (t *Trial) do(ctx context.Context, steps []Step) {
	within, cancel := context.WithTimeout(ctx, t.run.patience.steps+t.cell.Settle)
	defer cancel()
	for _, step := range steps {
		if err := step.Do(within, t); err != nil {
			t.note(step.Name, err)
			return
		}
	}
}

// note writes that something of the procedure went wrong.
func (t *Trial) note(what string, err error) {
	t.run.log.Debug("trial went wrong", "trial", t.id, "at", what, "err", err)
	t.write(ledger.Line{Event: ledger.ProbeFailed, Point: what, Reason: err.Error()})
}

// probe asks the server itself whether it is healthy.
func (t *Trial) probe(ctx context.Context, when string) {
	if t.server == nil {
		t.write(ledger.Line{Event: ledger.ProbeOK, Point: when, Reason: "this system has no server to ask"})
		return
	}
	within, cancel := context.WithTimeout(ctx, t.run.patience.settle)
	defer cancel()
	if err := t.server.Probe(within); err != nil {
		t.note(when, err)
		return
	}
	t.write(ledger.Line{Event: ledger.ProbeOK, Point: when, Detail: map[string]string{"server": t.server.Name(), "addr": t.server.Addr()}})
}

// tearDown ends what is left, closes the ledger and saves the manifest.
func (t *Trial) tearDown(ctx context.Context) error {
	for _, m := range t.members {
		m.tail.close()
		if m.Alive() {
			m.Kill(context.WithoutCancel(ctx))
		}
	}
	if err := t.ledger.Close(); err != nil {
		return fmt.Errorf("trial %s: %w", t.id, err)
	}
	t.manifest.Processes[0].End = ledger.Now()
	if err := ledger.SaveTrial(t.dir, t.manifest); err != nil {
		return err
	}
	ctx = context.WithoutCancel(ctx)
	return errors.Join(t.tearDownResults(ctx), t.run.servers.done(ctx, t))
}

// write appends to the runner's ledger of this trial.
func (t *Trial) write(l ledger.Line) error {
	_, err := t.ledger.Write(l)
	return err
}

// Measure writes a number that the report shows for the trial.
func (t *Trial) Measure(name string, value float64) error {
	return t.write(ledger.Line{Event: ledger.Measured, Point: name, Value: value})
}

// acquire takes one of the run's slots.
func (t *Trial) acquire(ctx context.Context) error {
	if t.slot {
		return nil
	}
	err := take(ctx, t.run.slots)
	t.slot = err == nil
	return err
}

// take waits for a place.
func take(ctx context.Context, places chan<- struct{}) error {
	select {
	case places <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (t *Trial) release() {
	if t.slot {
		<-t.run.slots
		t.slot = false
	}
}

// aside gives the slot to another trial while this one only waits, and takes
// one again afterwards.
func (t *Trial) aside(ctx context.Context, wait func() error) error {
	t.release()
	return errors.Join(wait(), t.acquire(ctx))
}

// cleanWorker is the name of the worker in the trials without a fault.
const cleanWorker = "worker"

// trialJob is one trial to be carried out.
type trialJob struct {
	experiment string
	cell       *Cell
	steps      []Step
	control    bool
	number     int
	seed       int64
}

// salt makes the chance of a trial its own: cells that share their seeds do not
// share what is drawn.
func (j trialJob) salt() uint64 {
	h := fnv.New64a()
	fmt.Fprintln(h, j.experiment, j.cell.System.Name, strings.Join(j.cell.Setting.words(), " "))
	return h.Sum64()
}

// id names the trial and its folder.
func (j trialJob) id() string {
	words := []string{j.experiment, j.cell.System.Name}
	if j.control {
		words = append(words, "control", j.cell.Control)
	} else {
		words = append(words, j.cell.Setting.words()...)
	}
	words = append(words, fmt.Sprint(j.number))
	return strings.NewReplacer("/", "-", " ", "-").Replace(strings.Join(words, "."))
}
