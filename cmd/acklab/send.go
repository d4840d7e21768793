package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"acklab/broker"
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
	var store resultFlags
	var wait waitFlags
	cmd := &cobra.Command{
		Use:   "send TASK ['[4, 4]']",
		Short: "Send one task, its arguments as a JSON array",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) < 1 || len(args) > 2 {
				return errors.New("send needs the name of a task, and may have its arguments as one JSON array: acklab send add '[4, 4]'")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			own.task = args[0]
			if len(args) == 2 {
				own.args = args[1]
			}
			return send(cmd.Context(), &flags, &own, &store, &wait)
		},
	}
	flags.add(cmd)
	cmd.Flags().Set("loglevel", "error")
	cmd.Flags().Lookup("loglevel").DefValue = "error"
	cmd.Flags().Set("metrics-addr", "")
	own.add(cmd)
	store.add(cmd)
	wait.add(cmd)
	for _, name := range []string{"task", "args", "count", "rate"} {
		cmd.Flags().MarkHidden(name)
	}
	return cmd
}

// known refuses what is probably a typing error: a task that no worker of this
// program would run.
func known(name string) error {
	registry := task.NewRegistry()
	demo.Register(registry)
	if _, err := registry.Lookup(name); err != nil {
		return fmt.Errorf("%w: a worker here knows %s; acklab producer --task sends others too", err, strings.Join(registry.Names(), ", "))
	}
	return nil
}

func send(parent context.Context, flags *processFlags, own *loadFlags, store *resultFlags, wait *waitFlags) (err error) {
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
	load, err := own.load()
	if err != nil {
		return err
	}
	if err := errors.Join(load.Check(), known(load.Name)); err != nil {
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
	m, err := load.Message()
	if err != nil {
		return err
	}
	tally, _, err := producer.New(producer.Config{Broker: b, Ledger: p.ledger, Metrics: p.metrics}).Publish(ctx, m)
	if err != nil {
		return err
	}
	if tally.Confirmed == 0 {
		return unpublished(load, tally.First)
	}
	fmt.Println(m.TaskID)
	if !wait.wait {
		return nil
	}
	return await(whole, store, wait, m.TaskID)
}

// await waits for the result of the task that was sent, and tells it.
func await(ctx context.Context, flags *resultFlags, wait *waitFlags, id string) error {
	store, err := flags.open(ctx, result.Options{})
	if err != nil {
		return err
	}
	defer store.Close(context.WithoutCancel(ctx))
	r, err := wait.fetch(ctx, store, id)
	if err != nil {
		return err
	}
	return tell(os.Stdout, r, true, false)
}
