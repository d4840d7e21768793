package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"acklab/internal/inspect"
)

// lookWithin bounds a look at a broker: one that is frozen is said.
const lookWithin = 15 * time.Second

func newInspect() *cobra.Command {
	var flags processFlags
	var opts inspect.Options
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "inspect",
		Short: "Show what lies physically in the broker: Redis keys, or RabbitMQ's queues, exchanges and bindings",
		Long: "Show what lies physically in the broker, and change nothing. Redis: every key with its type, length, expiry and memory,\n" +
			"and what it is. RabbitMQ: queues, exchanges and bindings, read through its management API, since AMQP cannot list them.",
		Args: noWords,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return inspectBroker(cmd.Context(), flags.broker, opts, asJSON)
		},
	}
	flags.addBroker(cmd)
	cmd.Flags().StringVar(&opts.Management, "management", "", "URL of RabbitMQ's management API (default http://HOST:15672, for amqps https://HOST:15671)")
	cmd.Flags().IntVar(&opts.Limit, "limit", inspect.DefaultLimit, "look at no more keys, queues, exchanges or bindings than this")
	cmd.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	return cmd
}

func inspectBroker(parent context.Context, url string, opts inspect.Options, asJSON bool) error {
	if opts.Limit < 1 {
		return fmt.Errorf("--limit %d: use 1 or more", opts.Limit)
	}
	ctx, _, end := stopSignals(parent)
	defer end()
	ctx, cancel := context.WithTimeout(ctx, lookWithin)
	defer cancel()
	view, err := inspect.Look(ctx, url, opts)
	if err != nil {
		return err
	}
	if asJSON {
		return view.WriteJSON(os.Stdout)
	}
	return view.WriteText(os.Stdout)
}
