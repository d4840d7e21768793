package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"acklab/task"
	"acklab/task/demo"
)

// retryFlags change the retry policy of all tasks of a worker, in the words of
// Celery's task options. What is not given stays as each task has it.
type retryFlags struct {
	given      *pflag.FlagSet
	max        int
	delay      time.Duration
	backoff    time.Duration
	backoffMax time.Duration
	jitter     bool
	retry      []string
	dontRetry  []string
}

// errorKinds are the kinds that --retry-for knows.
var errorKinds = append([]string{task.KindAny, task.KindTransient, task.KindPanic}, demo.Kinds...)

func (f *retryFlags) add(cmd *cobra.Command) {
	usual := task.DefaultRetry()
	kinds := strings.Join(errorKinds, ", ")
	f.given = cmd.Flags()
	f.given.IntVar(&f.max, "max-retries", usual.Max, "how often a failed task is tried again; this and the other retry flags are for all tasks, and turn on retries of transient errors where a task chooses none")
	f.given.DurationVar(&f.delay, "retry-delay", usual.Delay, "fixed pause before each retry (countdown); without --retry-backoff it replaces a task's backoff")
	f.given.DurationVar(&f.backoff, "retry-backoff", 0, "pause before the first retry, doubled for each one after it; 0: --retry-delay")
	f.given.DurationVar(&f.backoffMax, "retry-backoff-max", usual.BackoffMax, "longest pause of the backoff; 0: only the longest delay of all, 30 days")
	f.given.BoolVar(&f.jitter, "retry-jitter", usual.Jitter, "with a backoff: draw each pause evenly from 0 to the backoff")
	f.given.StringSliceVar(&f.retry, "retry-for", nil, "kinds of errors that are tried again: "+kinds)
	f.given.StringSliceVar(&f.dontRetry, "dont-retry-for", nil, "kinds of errors that are not, though --retry-for or the task chooses them")
	f.given.Lookup("max-retries").DefValue = fmt.Sprintf("%d where a task asks to be tried again", usual.Max)
}

// check says which flag names a kind of error that nobody has, or an empty one.
func (f *retryFlags) check() error {
	for flag, kinds := range map[string][]string{"retry-for": f.retry, "dont-retry-for": f.dontRetry} {
		if f.given.Changed(flag) && len(kinds) == 0 {
			return fmt.Errorf("--%s names no kind of error: use some of %s", flag, strings.Join(errorKinds, ", "))
		}
		for _, k := range kinds {
			if !slices.Contains(errorKinds, k) {
				return fmt.Errorf("--%s %q: no such kind of error: use some of %s", flag, k, strings.Join(errorKinds, ", "))
			}
		}
	}
	return nil
}

// names are the flags above.
var retryFlagNames = []string{"max-retries", "retry-delay", "retry-backoff", "retry-backoff-max", "retry-jitter", "retry-for", "dont-retry-for"}

// change is what the flags do to the policy of a task; nil: nothing.
func (f *retryFlags) change() func(task.RetryPolicy) task.RetryPolicy {
	if !slices.ContainsFunc(retryFlagNames, f.given.Changed) {
		return nil
	}
	return func(p task.RetryPolicy) task.RetryPolicy {
		if f.given.Changed("max-retries") {
			p.Max = f.max
		}
		if f.given.Changed("retry-delay") {
			p.Delay, p.Backoff = f.delay, 0
		}
		if f.given.Changed("retry-backoff") {
			p.Backoff = f.backoff
		}
		if f.given.Changed("retry-backoff-max") {
			p.BackoffMax = f.backoffMax
		}
		if f.given.Changed("retry-jitter") {
			p.Jitter = f.jitter
		}
		switch {
		case len(f.retry) > 0:
			p.For = task.ErrorOfKind(f.retry...)
		case p.For == nil:
			p.For = task.ErrorOfKind(task.KindTransient)
		}
		if len(f.dontRetry) > 0 {
			p.DontFor = task.ErrorOfKind(f.dontRetry...)
		}
		return p
	}
}
