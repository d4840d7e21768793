package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"acklab/broker"
	"acklab/internal/notation"
	"acklab/internal/report"
	"acklab/producer"
	"acklab/result"
	"acklab/task"
	"acklab/task/demo"
)

// sendWithin bounds `acklab send`: a broker that does not answer is said.
const sendWithin = 10 * time.Second

func newSend() *cobra.Command {
	var flags processFlags
	var own loadFlags
	var flow workflowFlags
	var store resultFlags
	var wait waitFlags
	dryRun := false
	cmd := &cobra.Command{
		Use:   "send TASK ['[4, 4]']",
		Short: "Send one task, its arguments as a JSON array, or one workflow",
		Long: "Send one task, its arguments as a JSON array, or one workflow. The ids of what has the results are printed,\n" +
			"with --wait the results.\n\n" + workflowHelp,
		Args: func(_ *cobra.Command, args []string) error {
			if flow.given() {
				return flow.check(args)
			}
			if len(args) < 1 || len(args) > 2 {
				return errors.New("send needs the name of a task, and may have its arguments as one JSON array: acklab send add '[4, 4]'")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if !flow.given() {
				own.task = args[0]
				if len(args) == 2 {
					own.args = args[1]
				}
				args = nil
			}
			load, err := own.with(&flow, args, cmd.InOrStdin())
			if err != nil {
				return err
			}
			if err := errors.Join(load.Check(), known(load)); err != nil {
				return err
			}
			if dryRun {
				return drawPlan(cmd.OutOrStdout(), load)
			}
			return send(cmd.Context(), &flags, load, &store, &wait)
		},
	}
	flags.add(cmd)
	cmd.Flags().Set("loglevel", "error")
	cmd.Flags().Lookup("loglevel").DefValue = "error"
	cmd.Flags().Set("metrics-addr", "")
	own.add(cmd)
	flow.add(cmd)
	store.add(cmd)
	wait.add(cmd)
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "draw what would be sent, and send nothing")
	for _, name := range []string{"task", "args", "count", "rate", "batch", "copies"} {
		cmd.Flags().MarkHidden(name)
	}
	return cmd
}

// known refuses what is probably a typing error: a task that no worker of this
// program would run.
func known(load producer.Load) error {
	registry := task.NewRegistry()
	demo.Register(registry)
	unknown := func(name string) error {
		if _, err := registry.Lookup(name); err != nil {
			return fmt.Errorf("%w: a worker here knows %s; acklab producer sends others too", err, strings.Join(registry.Names(), ", "))
		}
		return nil
	}
	if load.Workflow == nil {
		return unknown(load.Name)
	}
	for place, s := range notation.Tasks(load.Workflow) {
		if err := unknown(s.Name); err != nil {
			return fmt.Errorf("%s: %w", place, err)
		}
	}
	return nil
}

// drawPlan shows a workflow, or a task that stands alone, that is not sent.
func drawPlan(w io.Writer, load producer.Load) error {
	if load.Workflow == nil {
		load.Workflow = &task.Signature{Name: load.Name, Args: load.Args, Kwargs: load.Kwargs}
	}
	plan, err := load.Workflow.Plan(load.Options)
	if err != nil {
		return err
	}
	places, err := notation.Places(load.Workflow, plan)
	if err != nil {
		return err
	}
	steps := make([]report.PlannedStep, len(plan.Owed))
	for i, s := range plan.Owed {
		steps[i] = report.PlannedStep{Place: places[i], Task: s.Task, Name: s.Name}
	}
	return report.DrawPlan(w, plan.Root, steps)
}

func send(parent context.Context, flags *processFlags, load producer.Load, store *resultFlags, wait *waitFlags) (err error) {
	whole, _, end := stopSignals(parent)
	defer end()
	if err := wait.check(); err != nil {
		return err
	}
	if wait.wait && store.url == "" {
		return errNoStore
	}
	ctx, cancel := context.WithTimeout(whole, sendWithin)
	defer cancel()
	p, err := flags.open(ctx, "producer")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	b, err := flags.connect(ctx, p, broker.Options{})
	if err != nil {
		return err
	}
	defer b.Close(context.WithoutCancel(ctx))
	out := producer.New(producer.Config{Broker: b, Ledger: p.ledger, Metrics: p.metrics})
	first, ids, err := toSend(out, load)
	if err != nil {
		return err
	}
	tally, _, err := out.Publish(ctx, first...)
	if err != nil {
		return err
	}
	if tally.Confirmed == 0 {
		return unpublished(load, tally.First)
	}
	if tally.Confirmed < len(first) {
		return fmt.Errorf("only %d of the %d tasks that the workflow begins with are sure to be with the broker: %w", tally.Confirmed, len(first), tally.First)
	}
	for _, id := range ids {
		fmt.Println(id)
	}
	if !wait.wait {
		return nil
	}
	return await(whole, store, wait, ids)
}

// toSend are the messages to publish, and the ids of the tasks whose results are
// those of the whole.
func toSend(out *producer.Producer, load producer.Load) ([]*task.Message, []string, error) {
	if load.Workflow == nil {
		m, err := load.Message()
		if err != nil {
			return nil, nil, err
		}
		return []*task.Message{m}, []string{m.TaskID}, nil
	}
	plan, err := out.Plan(load.Workflow, load.Options)
	if err != nil {
		return nil, nil, err
	}
	return plan.First, plan.Results, nil
}

// await waits for the results of what was sent, and tells each in a line; the
// first that is no success decides the exit status.
func await(ctx context.Context, flags *resultFlags, wait *waitFlags, ids []string) error {
	store, err := flags.open(ctx, result.Options{})
	if err != nil {
		return err
	}
	defer store.Close(context.WithoutCancel(ctx))
	begin := time.Now()
	var first error
	for _, id := range ids {
		left := *wait
		left.timeout = max(wait.timeout-time.Since(begin), time.Millisecond)
		r, err := left.fetch(ctx, store, id)
		if err != nil {
			return err
		}
		if err := tell(os.Stdout, r, true, false); err != nil && first == nil {
			first = err
		}
	}
	return first
}
