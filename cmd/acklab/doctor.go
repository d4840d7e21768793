package main

import (
	"context"
	"io"
	"os"

	"github.com/spf13/cobra"

	"acklab/experiments"
	"acklab/internal/doctor"
)

// exitToolMissing is the status of a doctor, and of a run, for a missing tool.
const exitToolMissing = 3

func newDoctor() *cobra.Command {
	var flags processFlags
	var management string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Say what is installed and what is missing; with --broker: advice on that broker's settings",
		Long: "Without a broker URL: which tools are installed, where, what is missing and how to get it, and whether this machine\n" +
			"gives results that mean something. With one: what the broker's settings mean for a task queue, worst first; it only reads.\n\n" +
			"Exit status: 0, or 3 when a tool is missing that the experiments need.",
		Args: noWords,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return examine(cmd.Context(), flags.broker, management, asJSON)
		},
	}
	flags.addBroker(cmd)
	cmd.Flags().StringVar(&management, "management", "", "URL of RabbitMQ's management API (default http://HOST:15672, for amqps https://HOST:15671)")
	cmd.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	return cmd
}

// checkup is what doctor has to say.
type checkup interface {
	WriteText(w io.Writer, built map[string]string) error
	WriteJSON(w io.Writer) error
}

func examine(parent context.Context, url, management string, asJSON bool) error {
	ctx, _, end := stopSignals(parent)
	defer end()
	if url == "" {
		machine := doctor.Examine(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err := writeCheckup(machine, asJSON); err != nil {
			return err
		}
		if len(machine.Missing()) > 0 {
			return &status{code: exitToolMissing}
		}
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, lookWithin)
	defer cancel()
	report, err := doctor.Advise(ctx, url, management)
	if err != nil {
		return err
	}
	return writeCheckup(report, asJSON)
}

func writeCheckup(c checkup, asJSON bool) error {
	if asJSON {
		return c.WriteJSON(os.Stdout)
	}
	return c.WriteText(os.Stdout, experimentsByClaim())
}

// experimentsByClaim are the experiments that put each claim to the test.
func experimentsByClaim() map[string]string {
	built := map[string]string{}
	for _, e := range experiments.Catalogue {
		for _, claim := range e.Claims {
			built[claim] = e.Name
		}
	}
	return built
}
