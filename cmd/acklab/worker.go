package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"acklab/broker"
	"acklab/result"
	"acklab/task"
	"acklab/task/demo"
	"acklab/worker"
)

// exitUnsettled is the exit status of a worker that could not give everything back:
// unsure, as of a run.
const exitUnsettled = 2

// workerFlags are in the words of Celery.
type workerFlags struct {
	queues      string
	concurrency int
	multiplier  int
	acksLate    bool
	order       string
	grace       time.Duration
	crashAt     string
	crashTask   string
	crashNth    int
	pauseAt     string
	retry       retryFlags
	result      resultFlags
	started     bool
}

func (f *workerFlags) add(cmd *cobra.Command) {
	cmd.Flags().IntVarP(&f.concurrency, "concurrency", "c", 4, "tasks that run at the same time")
	cmd.Flags().IntVar(&f.multiplier, "prefetch-multiplier", 4, "times concurrency: deliveries per queue that may be here unsettled; 0: no limit")
	cmd.Flags().BoolVar(&f.acksLate, "acks-late", false, "acknowledge after the task has run, not just before")
	cmd.Flags().DurationVar(&f.grace, "grace", 10*time.Second, "how long a polite stop waits for running tasks")
	cmd.Flags().StringVar(&f.crashAt, "crash-at", "", "kill this process with SIGKILL at a checkpoint: before-fetch, fetched, ack-sent, acked, started, mid, finished, result-stored, links-sent, failed, retry-sent, late-ack-sent, late-acked")
	cmd.Flags().StringVar(&f.crashTask, "crash-task", "", "with --crash-at or --pause-at: the task id that is meant")
	cmd.Flags().IntVar(&f.crashNth, "crash-nth", 1, "with --crash-at or --pause-at: the nth task that a slot accepts, when no id is given")
	cmd.Flags().StringVar(&f.pauseAt, "pause-at", "", "hold still at a checkpoint until SIGUSR1")
	f.retry.add(cmd)
	f.result.add(cmd)
	cmd.Flags().BoolVar(&f.started, "track-started", false, "store the state STARTED, too")
}

func (f *workerFlags) trigger(at string) *worker.Trigger {
	if at == "" {
		return nil
	}
	return &worker.Trigger{At: worker.Point(at), Task: f.crashTask, Nth: f.crashNth}
}

// keep opens the result store, if one is named, for the configuration. The
// function ends it.
func (f *workerFlags) keep(ctx context.Context, p *process, cfg *worker.Config) (func() error, error) {
	store, end, err := f.result.openIfNamed(ctx, result.Options{Log: p.log})
	cfg.Results, cfg.TrackStarted, cfg.Name = p.plant.WrapResults(store), f.started, hostname()
	return end, err
}

// hostname names the worker in its results as Celery does.
func hostname() string {
	host, err := os.Hostname()
	if err != nil {
		host = "localhost"
	}
	return fmt.Sprintf("acklab%d@%s", os.Getpid(), host)
}

// config makes the worker's configuration from the flags.
func (f *workerFlags) config(p *process) worker.Config {
	registry := task.NewRegistry()
	demo.Register(registry)
	cfg := worker.Config{
		Registry: registry, Concurrency: f.concurrency, PrefetchMultiplier: f.multiplier, Ack: worker.Early, Grace: f.grace,
		Order: broker.Order(f.order), Crash: f.trigger(f.crashAt), Pause: f.trigger(f.pauseAt), Resume: resumeSignal(),
		Retry:  f.retry.change(),
		Ledger: p.ledger, Metrics: p.metrics, Log: p.log,
	}
	if f.acksLate {
		cfg.Ack = worker.Late
	}
	return cfg
}

func newWorker() *cobra.Command {
	var flags processFlags
	var own workerFlags
	cmd := &cobra.Command{
		Use:   "worker",
		Short: "Take tasks from the broker and run them",
		Long: "Take tasks from the broker and run them, until SIGTERM or SIGINT: then running tasks may finish within --grace,\n" +
			"and what has not begun is given back. A second signal, or SIGQUIT, stops at once.\n\n" +
			"Exit status: 0 when all is settled; 2 when the broker does not say so, and tasks may run again; 64 wrong input or no broker.",
		Args: noWords,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return unsettled(runWorker(cmd.Context(), &flags, &own))
		},
	}
	flags.add(cmd)
	own.add(cmd)
	cmd.Flags().StringVarP(&own.queues, "queues", "Q", "celery", "queues to take from, first first: a,b or, with --order weighted, a=3,b=1")
	cmd.Flags().StringVar(&own.order, "order", "strict", "strict (the first queue that has something) or weighted")
	return cmd
}

func runWorker(parent context.Context, flags *processFlags, own *workerFlags) (err error) {
	ctx, now, end := stopSignals(parent)
	defer end()
	sources, err := parseSources(own.queues)
	if err != nil {
		return err
	}
	if err := own.retry.check(); err != nil {
		return err
	}
	p, err := flags.open(ctx, "worker")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	cfg := own.config(p)
	cfg.Sources = sources
	endStore, err := own.keep(ctx, p, &cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, endStore()) }()
	cfg.Open = func(ctx context.Context, opts broker.Options) (broker.Broker, error) {
		return flags.connect(ctx, p, p.announcing(opts))
	}
	w, err := worker.New(cfg)
	if err != nil {
		return err
	}
	return w.Run(ctx, now)
}

// unsettled gives the error of a worker that could not give everything back its
// exit status: the input was not wrong.
func unsettled(err error) error {
	if errors.Is(err, worker.ErrUnsettled) {
		return &status{code: exitUnsettled, err: err}
	}
	return err
}

// parseSources reads "a,b" or "a=3,b=1".
func parseSources(list string) ([]broker.Source, error) {
	var sources []broker.Source
	for _, word := range splitList(list) {
		src := broker.Source{Queue: word}
		if name, weight, ok := strings.Cut(word, "="); ok {
			src.Queue = name
			var err error
			if src.Weight, err = strconv.Atoi(weight); err != nil || src.Weight < 1 {
				return nil, fmt.Errorf("--queues %q: the weight of %q is not a number from 1", list, name)
			}
		}
		sources = append(sources, src)
	}
	if len(sources) == 0 {
		return nil, errors.New("--queues names no queue")
	}
	return sources, nil
}
