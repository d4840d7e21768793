package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"acklab/result"
	"acklab/task"
)

// Exit statuses of commands that tell a result.
const (
	exitFailed  = 1 // the task has failed or was revoked
	exitPending = 2 // it had not ended in time
)

// waitFlags say whether and for how long to wait for a result.
type waitFlags struct {
	wait    bool
	timeout time.Duration
}

func (f *waitFlags) add(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&f.wait, "wait", false, "wait for the result")
	cmd.Flags().DurationVar(&f.timeout, "timeout", 30*time.Second, "with --wait: for how long")
}

func (f *waitFlags) check() error {
	if f.timeout <= 0 {
		return fmt.Errorf("--timeout %s: use more than 0", f.timeout)
	}
	return nil
}

func newResult() *cobra.Command {
	var flags resultFlags
	var wait waitFlags
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "result TASK-ID",
		Short: "Show the state and the result of a task",
		Long: "Show what the result store holds of a task. One that nobody has stored reads PENDING, as in Celery.\n\n" +
			"Exit status: 0 SUCCESS, or an unfinished state without --wait; 1 FAILURE or REVOKED; 2 not ended within --timeout.",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return errors.New("result needs the id of a task: acklab result 3f2a0b1c")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return showResult(cmd.Context(), &flags, &wait, args[0], asJSON)
		},
	}
	flags.add(cmd)
	wait.add(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "all that is stored, as Celery's JSON")
	return cmd
}

func showResult(parent context.Context, flags *resultFlags, wait *waitFlags, id string, asJSON bool) error {
	ctx, _, end := stopSignals(parent)
	defer end()
	if err := wait.check(); err != nil {
		return err
	}
	if flags.url == "" {
		return errNoStore
	}
	store, err := flags.open(ctx, result.Options{})
	if err != nil {
		return err
	}
	defer store.Close(context.WithoutCancel(ctx))
	r, err := wait.fetch(ctx, store, id)
	if err != nil {
		return err
	}
	return tell(os.Stdout, r, wait.wait, asJSON)
}

// fetch is the result, waited for or not. One that has not come in time is the
// state that it is in. When ctx ends it closes the store, whose calls then end at
// once, also where it does not answer.
func (f *waitFlags) fetch(ctx context.Context, store result.Store, id string) (result.Result, error) {
	defer context.AfterFunc(ctx, func() { store.Close(context.WithoutCancel(ctx)) })()
	r, err := f.ask(ctx, store, id)
	if err != nil && ctx.Err() != nil {
		return r, ctx.Err()
	}
	return r, err
}

func (f *waitFlags) ask(ctx context.Context, store result.Store, id string) (result.Result, error) {
	within, cancel := context.WithTimeout(ctx, f.timeout)
	defer cancel()
	if !f.wait {
		return store.Get(within, id)
	}
	r, err := store.Wait(within, id)
	if err == nil || !errors.Is(err, context.DeadlineExceeded) {
		return r, err
	}
	again, cancel := context.WithTimeout(ctx, sendWithin)
	defer cancel()
	return store.Get(again, id)
}

// tell prints a result in one line, and its error below.
func tell(w io.Writer, r result.Result, waited, asJSON bool) error {
	switch {
	case asJSON:
		text, err := result.Encode(r)
		if err != nil {
			return err
		}
		fmt.Fprintln(w, string(text))
	case r.Error != nil:
		fmt.Fprintf(w, "%s %s\n", r.State, r.Error)
		if r.Error.Traceback != "" {
			fmt.Fprintln(w, r.Error.Traceback)
		}
		if r.Error.Type == "NotRegistered" { // Celery's word has the name alone
			fmt.Fprintln(w, "the worker that took it knows no task of that name")
		}
	case r.State == task.Success:
		fmt.Fprintf(w, "%s %s\n", r.State, value(r.Value))
	default:
		fmt.Fprintln(w, r.State)
	}
	switch {
	case r.State.Failed():
		return &status{code: exitFailed}
	case waited && !r.State.Finished():
		return &status{code: exitPending, err: fmt.Errorf("task %s has not ended in time", r.TaskID)}
	}
	return nil
}

// value is JSON, null where nothing was returned.
func value(v json.RawMessage) string {
	if v == nil {
		return "null"
	}
	return string(v)
}
