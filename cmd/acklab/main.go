// Command acklab is the laboratory: producers, workers, brokers, and the
// experiments that break them. Every process of an experiment is this program.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
)

// Exit statuses, beside those of a run.
const (
	exitWrongInput  = 64
	exitInterrupted = 130
)

// status is an error that decides the exit status of the program.
type status struct {
	code int
	err  error // nil: everything that is to be said was said
}

func (s *status) Error() string {
	if s.err == nil {
		return fmt.Sprintf("exit status %d", s.code)
	}
	return s.err.Error()
}

func (s *status) Unwrap() error { return s.err }

func main() { os.Exit(execute(context.Background(), os.Args[1:])) }

// execute runs one command line and returns the exit status. Whatever goes
// wrong is one line on standard error.
func execute(ctx context.Context, args []string) int {
	root := newRoot()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	var s *status
	switch {
	case err == nil:
		return 0
	case errors.As(err, &s):
		if s.err != nil {
			say(s.err)
		}
		return s.code
	case errors.Is(err, context.Canceled):
		return exitInterrupted
	default:
		say(err)
		return exitWrongInput
	}
}

func say(err error) {
	fmt.Fprintln(os.Stderr, "acklab: "+strings.ReplaceAll(err.Error(), "\n", "; "))
}

// noWords is for commands that take flags alone. A word that may be a broker
// URL is not repeated: it may hold a password.
func noWords(cmd *cobra.Command, args []string) error {
	switch {
	case len(args) == 0:
		return nil
	case strings.ContainsAny(args[0], "@:"):
		return fmt.Errorf("%s takes no words beside its flags; a broker URL goes after --broker", cmd.CommandPath())
	case cmd.HasParent():
		return fmt.Errorf("%s takes no words beside its flags, and not %q", cmd.CommandPath(), args[0])
	}
	return fmt.Errorf("unknown command %q; acklab --help shows what there is", args[0])
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "acklab",
		Short: "A laboratory for asynchronous job processing: what is lost, and what runs twice?",
		Long: "acklab puts statements about Celery, Redis and RabbitMQ to the test: it breaks real brokers and workers on purpose\n" +
			"and counts exactly what was lost and what ran twice.\n\n" +
			"Exit status of a run: 0 as predicted, 1 a surprise, 2 unsure, 3 cells not run for a missing tool,\n" +
			"64 wrong input, 130 interrupted.",
		SilenceErrors: true, SilenceUsage: true, Args: noWords,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.CompletionOptions.HiddenDefaultCmd = true
	root.AddCommand(
		newRun(), newList(), newExplain(), newRecheck(), newCompare(), newReference(), newReadme(), newSelftest(),
		newProducer(), newWorker(), newScheduler(), newSchedule(), newSend(), newResult(), newInspect(), newDoctor(),
		newInprocess(), newMinder(),
	)
	return root
}
