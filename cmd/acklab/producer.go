package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"acklab/broker"
	"acklab/internal/notation"
	"acklab/producer"
	"acklab/task"
)

// loadFlags describe a load.
type loadFlags struct {
	task, args, kwargs, queue string
	count, batch, copies      int
	rate                      float64
	size                      int
	countdown, expires        time.Duration
	eta                       string
	priorities                []int
	routes                    routeFlags
	once                      bool
}

func (f *loadFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&f.queue, "queue", "q", "", "queue to publish to, whatever the routes say")
	cmd.Flags().Lookup("queue").DefValue = defaultQueue
	f.routes.add(cmd, "--queue")
	cmd.Flags().StringVar(&f.task, "task", "noop", "name of the task")
	cmd.Flags().StringVar(&f.args, "args", "[]", "arguments as a JSON array")
	cmd.Flags().StringVar(&f.kwargs, "kwargs", "{}", "named arguments as a JSON object")
	cmd.Flags().IntVarP(&f.count, "count", "n", 1, "how many tasks")
	cmd.Flags().Float64Var(&f.rate, "rate", 0, "tasks per second; 0: all at once")
	cmd.Flags().IntVar(&f.batch, "batch", 0, "without a rate: messages handed to the broker in one call; 1: each is confirmed before the next; 0: 500")
	cmd.Flags().IntVar(&f.copies, "copies", 1, "how often each message is published, each time with a message id of its own, as by a client that repeats a publish it was unsure of")
	cmd.Flags().IntVar(&f.size, "size", 0, "bytes of padding in each message")
	cmd.Flags().DurationVar(&f.countdown, "countdown", 0, "each task may run so long after its publish; at most 720h (30 days)")
	cmd.Flags().StringVar(&f.eta, "eta", "", "moment before which no task may run, as 2026-11-21T07:31:43+01:00 (RFC 3339)")
	cmd.Flags().DurationVar(&f.expires, "expires", 0, "a task that has not begun so long after its publish is not run; 0: never")
	cmd.Flags().BoolVar(&f.once, "once", false, "a worker that has a result store does not run again what has succeeded, as the store knows it")
	cmd.Flags().IntSliceVar(&f.priorities, "priority", nil, "0 (the default) to 9, the larger is served first where the broker URL says priority=on; several, as in 0,9: of the tasks in turn")
}

func (f *loadFlags) load() (producer.Load, error) {
	args, err := task.ParseArgs(f.args)
	if err != nil {
		return producer.Load{}, fmt.Errorf("--args: %w", err)
	}
	kwargs, err := task.ParseKwargs(f.kwargs)
	if err != nil {
		return producer.Load{}, fmt.Errorf("--kwargs: %w", err)
	}
	host, _ := os.Hostname()
	opts := task.Options{Queue: f.queue, Once: f.once, Origin: fmt.Sprintf("acklab@%s:%d", host, os.Getpid())}
	if opts.ETA, err = moment(f.eta); err != nil {
		return producer.Load{}, fmt.Errorf("--eta: %w", err)
	}
	if len(f.priorities) > 0 {
		opts.Priority, opts.PriorityGiven = f.priorities[0], true
	}
	return producer.Load{Count: f.count, Rate: f.rate, Batch: f.batch, Copies: f.copies, Name: f.task, Args: args, Kwargs: kwargs, Options: opts, Size: f.size,
		Countdown: f.countdown, ExpireAfter: f.expires, Priorities: f.inTurn()}, nil
}

// with is the load, its tasks those of a workflow where one is given.
func (f *loadFlags) with(flow *workflowFlags, words []string, in io.Reader) (producer.Load, error) {
	load, err := f.load()
	if err == nil {
		err = flow.into(&load, words, in)
	}
	if err == nil {
		err = f.route(&load)
	}
	return load, err
}

// route gives the task, or each task of the workflow, the queue and the priority of
// its route where it has none of its own. With --queue no task of a workflow is
// routed. What is left goes to the default queue.
func (f *loadFlags) route(load *producer.Load) error {
	routes, err := f.routes.read()
	switch {
	case err != nil:
		return err
	case load.Workflow == nil:
		load.Options = routes.Apply(load.Name, load.Options)
	case f.queue == "":
		for _, s := range notation.Tasks(load.Workflow) {
			s.Options = routes.Apply(s.Name, s.Options)
		}
	}
	load.Options.Queue = cmp.Or(load.Options.Queue, defaultQueue)
	return nil
}

// inTurn are the priorities that the tasks have in turn; nil: all have one.
func (f *loadFlags) inTurn() []int {
	if len(f.priorities) < 2 {
		return nil
	}
	return f.priorities
}

// moment reads a point in time; no text is no moment.
func moment(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}, fmt.Errorf("%q is no moment: want date, time and zone, such as %s", text, time.Now().Add(time.Minute).Format(time.RFC3339))
	}
	return t.UTC(), nil
}

func newProducer() *cobra.Command {
	var flags processFlags
	var own loadFlags
	var flow workflowFlags
	cmd := &cobra.Command{
		Use:   "producer",
		Short: "Put a load of tasks, or of workflows, on a queue: a burst, or a steady rate",
		Long:  "Put a load on a queue: --count times one task, or one workflow, each with ids of its own.\n\n" + workflowHelp,
		Args:  flow.takesWorkflow,
		RunE: func(cmd *cobra.Command, words []string) error {
			load, err := own.with(&flow, words, cmd.InOrStdin())
			if err != nil {
				return err
			}
			return runProducer(cmd.Context(), &flags, load)
		},
	}
	flags.add(cmd)
	own.add(cmd)
	flow.add(cmd)
	return cmd
}

func runProducer(parent context.Context, flags *processFlags, load producer.Load) (err error) {
	ctx, _, end := stopSignals(parent)
	defer end()
	if err := load.Check(); err != nil {
		return err
	}
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
	if load.Rate > 0 { // a burst is over before anybody could look
		p.announce()
	}
	bar := newCounter(os.Stderr, "published", load.Messages())
	defer bar.end()
	tally, err := producer.New(producer.Config{Broker: b, Ledger: p.ledger, Metrics: p.metrics, Log: p.log}).Run(ctx, load, bar.set)
	bar.end()
	fmt.Println(tally.Summary())
	if err == nil && tally.Confirmed == 0 {
		err = unpublished(load, tally.First)
	}
	return err
}

// unpublished is the error of a load of which the broker confirmed nothing, with
// what a person can do about it.
func unpublished(load producer.Load, first error) error {
	what := fmt.Sprintf("%q", load.Name)
	if load.Workflow != nil {
		what = "a workflow"
	}
	err := fmt.Errorf("send %s to queue %q: %w", what, load.Options.Queue, first)
	var refusal *broker.Refusal
	if errors.As(first, &refusal) && refusal.Reason == broker.Unroutable {
		return fmt.Errorf("%w; a queue is made by its worker: start one first, acklab worker --queues %s", err, load.Options.Queue)
	}
	return err
}
