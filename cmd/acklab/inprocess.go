package main

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"acklab/broker"
	"acklab/experiments"
	"acklab/internal/connect"
	"acklab/internal/notation"
	"acklab/producer"
	"acklab/worker"
)

// newInprocess is the system memory as a process: producer, queue and worker
// in one, the control of the experiments.
func newInprocess() *cobra.Command {
	var flags processFlags
	var own loadFlags
	var hands workerFlags
	var flow workflowFlags
	cmd := &cobra.Command{
		Use:   "inprocess",
		Short: "Producer, in-memory queue and worker in one process: what a broker is compared with",
		Args:  flow.takesWorkflow,
		RunE: func(cmd *cobra.Command, words []string) error {
			load, err := own.with(&flow, words, cmd.InOrStdin())
			if err != nil {
				return err
			}
			return runInprocess(cmd.Context(), &flags, load, &hands)
		},
	}
	flags.add(cmd)
	own.add(cmd)
	hands.add(cmd)
	flow.add(cmd)
	return cmd
}

func runInprocess(parent context.Context, flags *processFlags, load producer.Load, hands *workerFlags) (err error) {
	ctx, now, end := stopSignals(parent)
	defer end()
	if err := hands.retry.check(); err != nil {
		return err
	}
	p, err := flags.open(ctx, "inprocess")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	var queue keptOpen
	cfg := hands.config(p)
	for _, name := range queuesOf(load) {
		cfg.Sources = append(cfg.Sources, broker.Source{Queue: name})
	}
	endStore, err := hands.keep(ctx, p, &cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, endStore()) }()
	cfg.Open = func(ctx context.Context, opts broker.Options) (broker.Broker, error) {
		b, err := connect.Open(ctx, inMemory(flags.broker), p.plant.Options(p.announcing(opts)))
		if err != nil {
			return nil, err
		}
		queue = keptOpen{p.plant.Wrap(b)}
		return queue, fill(ctx, p, queue, load)
	}
	w, err := worker.New(cfg)
	if err != nil {
		return err
	}
	err = w.Run(ctx, now)
	if queue.Broker != nil {
		for _, name := range queuesOf(load) {
			experiments.WriteCensus(context.WithoutCancel(ctx), p.ledger, queue, name)
		}
		queue.Broker.Close(context.WithoutCancel(ctx))
	}
	return err
}

// inMemory is the URL as far as it is one of the in-memory queue.
func inMemory(url string) string {
	if strings.HasPrefix(url, "memory://") {
		return url
	}
	return "memory://"
}

// queuesOf are those that the tasks of the load go to, each once; the first is that of
// the load.
func queuesOf(load producer.Load) []string {
	all := []string{load.Options.Queue}
	if load.Workflow == nil {
		return all
	}
	for _, s := range notation.Tasks(load.Workflow) {
		if q := s.Options.Queue; q != "" && !slices.Contains(all, q) {
			all = append(all, q)
		}
	}
	return all
}

// fill declares the queues and publishes the load, if there is one.
func fill(ctx context.Context, p *process, b broker.Broker, load producer.Load) error {
	if err := b.Declare(ctx, queuesOf(load)...); err != nil || load.Count == 0 {
		return err
	}
	_, err := producer.New(producer.Config{Broker: b, Ledger: p.ledger, Metrics: p.metrics, Log: p.log}).Run(ctx, load, nil)
	return err
}

// keptOpen is a queue that outlives its worker: the census comes after it.
type keptOpen struct{ broker.Broker }

// Close does nothing: the process closes the queue itself.
func (keptOpen) Close(context.Context) error { return nil }
