package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"acklab/scheduler"
	"acklab/task"
)

// fieldFlags are the fields of a schedule as flags: the names are those of the
// YAML file, with dashes.
type fieldFlags struct{ text map[string]*string }

// fieldHelp says what each flag is, in the order of the help. All values are
// texts, which package scheduler reads.
var fieldHelp = []flagHelp{
	{"task", "`name` of the task"},
	{"args", "arguments as a `JSON` array"},
	{"kwargs", "named arguments as a `JSON` object"},
	{"queue", "`name` of the queue to publish to (default: by the scheduler's routes, else celery)"},
	{"priority", "`number` from 0 to 9, where the broker has priorities; a given one, 0 too, wins over the scheduler's routes"},
	{"every", "`interval`, such as 10s, 5m or 1h30m; the ticks lie on a grid"},
	{"phase", "`duration` by which the grid of --every is shifted"},
	{"cron", "crontab `line` of five fields: minute, hour, day of month, month, day of week (Sunday is 0 or 7)"},
	{"zone", "time `zone` of --cron, such as Europe/Berlin (default UTC)"},
	{"at", "once, at a `moment` such as 2026-11-21T07:31:43+01:00 (RFC 3339)"},
	{"expires", "a task that has not begun such a `duration` after it was due is not run"},
	{"jitter", "longest `duration` by which a tick is sent late on purpose"},
	{"catch-up", "`policy` for ticks that could not be sent in time: none, once (the youngest) or all (within --window) (default once)"},
	{"window", "`duration` for which a late tick can be caught up"},
	{"overlap", "`policy` while the task of the tick before has not ended: allow or skip (default allow)"},
	{"max-runs", "`number` of runs after which the schedule is over; 0: no limit"},
}

type flagHelp struct{ flag, help string }

func (f *fieldFlags) add(cmd *cobra.Command) {
	f.text = map[string]*string{}
	cmd.Flags().SortFlags = false
	for _, h := range fieldHelp {
		f.text[h.flag] = cmd.Flags().String(h.flag, "", h.help)
	}
}

// any tells whether one of them was given.
func (f *fieldFlags) any(cmd *cobra.Command) bool {
	return slices.ContainsFunc(fieldHelp, func(h flagHelp) bool { return cmd.Flags().Changed(h.flag) })
}

// apply changes what was given, and checks what the schedule then is.
func (f *fieldFlags) apply(cmd *cobra.Command, s *scheduler.Schedule) error {
	given := cmd.Flags().Changed
	if given("every") || given("cron") || given("at") { // takes the place of another timing
		if !given("every") {
			s.Every, s.Phase = 0, 0
		}
		if !given("cron") {
			s.Cron, s.Zone = "", ""
		}
		if !given("at") {
			s.At = time.Time{}
		}
	}
	for _, h := range fieldHelp {
		if !given(h.flag) {
			continue
		}
		value, err := fieldValue(h.flag, *f.text[h.flag])
		if err == nil {
			err = s.Set(field(h.flag), value)
		}
		if err != nil {
			return inFlags(err)
		}
	}
	return inFlags(s.Check())
}

// fieldValue is a flag's text as the JSON that the field takes.
func fieldValue(flag, text string) (json.RawMessage, error) {
	var err error
	switch flag {
	case "args":
		_, err = task.ParseArgs(text)
	case "kwargs":
		_, err = task.ParseKwargs(text)
	case "priority", "max-runs":
		if !json.Valid([]byte(text)) {
			err = fmt.Errorf("%q is not a whole number", text)
		}
	default:
		return json.Marshal(text)
	}
	if err != nil {
		return nil, &scheduler.FieldError{Field: field(flag), Err: err}
	}
	return json.RawMessage(text), nil
}

func field(flag string) string { return strings.ReplaceAll(flag, "-", "_") }

// inFlags says what is wrong with a field in the words of the command line.
func inFlags(err error) error {
	var wrong *scheduler.FieldError
	if !errors.As(err, &wrong) {
		return err
	}
	flag := strings.ReplaceAll(wrong.Field, "_", "-")
	if !slices.ContainsFunc(fieldHelp, func(h flagHelp) bool { return h.flag == flag }) {
		return err
	}
	return fmt.Errorf("--%s: %w", flag, wrong.Err)
}

// firstTick says when a schedule is due next. One that never will be is refused:
// it is a moment that is over.
func firstTick(s scheduler.Schedule) (string, error) {
	next, err := nextTick(s, time.Now())
	switch {
	case err != nil:
		return "", err
	case next.IsZero():
		return "", fmt.Errorf("--at: %s is over: it would never be sent", s.At.Format(time.RFC3339))
	case !s.Enabled:
		return "not enabled", nil
	}
	return "due next at " + next.Format(time.RFC3339), nil
}

// nextTick is when a schedule is due after a moment, on the clock of its zone.
func nextTick(s scheduler.Schedule, after time.Time) (time.Time, error) {
	timing, err := s.Timing()
	if err != nil {
		return time.Time{}, err
	}
	next := timing.Next(after)
	if zone, err := time.LoadLocation(s.Zone); err == nil && !next.IsZero() {
		next = next.In(zone)
	}
	return next, nil
}
