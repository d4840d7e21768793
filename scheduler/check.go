package scheduler

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"acklab/task"
)

// The bounds of a schedule.
const (
	// MinEvery and MaxEvery bound an interval.
	MinEvery = 100 * time.Millisecond
	MaxEvery = 10 * 365 * 24 * time.Hour
	// MaxJitter bounds Jitter.
	MaxJitter = 24 * time.Hour
	// MaxCaughtUp is how many ticks an interval may have in its window, when all
	// of them are caught up.
	MaxCaughtUp = 10_000

	maxName = 200
	maxSpan = 100 * 365 * 24 * time.Hour
)

// FieldError says what is wrong with one field of a schedule.
type FieldError struct {
	Field string // its name in YAML and JSON
	Err   error
}

// Error begins with the field.
func (e *FieldError) Error() string { return e.Field + ": " + e.Err.Error() }

// Unwrap is what is wrong.
func (e *FieldError) Unwrap() error { return e.Err }

func wrong(field, format string, args ...any) error {
	return &FieldError{Field: field, Err: fmt.Errorf(format, args...)}
}

// Check says in one line why the schedule cannot be used, and which field is the
// reason, or nothing. What is wrong with one field is a *FieldError.
func (s Schedule) Check() error {
	for _, check := range []func() error{s.checkName, s.checkTask, s.checkTiming, s.checkSpans, s.checkPolicies} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

func (s Schedule) checkName() error {
	control := func(c rune) bool { return c < ' ' || c == 0x7f }
	switch {
	case s.Name == "":
		return wrong("name", "missing")
	case len(s.Name) > maxName, !utf8.ValidString(s.Name), strings.ContainsFunc(s.Name, control):
		return wrong("name", "%.60q is not 1 to %d bytes of text", s.Name, maxName)
	}
	return nil
}

// checkTask asks package task about everything that a message will carry.
func (s Schedule) checkTask() error {
	switch {
	case s.Task == "":
		return wrong("task", "missing")
	case s.Priority < 0 || s.Priority > task.MaxPriority:
		return wrong("priority", "%d is outside 0 to %d", s.Priority, task.MaxPriority)
	}
	for i, arg := range s.Args {
		if !json.Valid(arg) {
			return wrong("args", "number %d is not JSON", i+1)
		}
	}
	for name, arg := range s.Kwargs {
		if !json.Valid(arg) {
			return wrong("kwargs", "%q is not JSON", name)
		}
	}
	return task.Validate(s.message(Tick{Schedule: s.Name, Due: time.Unix(0, 0)}, s.address(nil), ""))
}

func (s Schedule) checkTiming() error {
	set := 0
	for _, given := range []bool{s.Every != 0, s.Cron != "", !s.At.IsZero()} {
		if given {
			set++
		}
	}
	switch {
	case set == 0:
		return errors.New("every, cron or at has to say when it is due")
	case set > 1:
		return errors.New("only one of every, cron and at can be given")
	case s.Every != 0 && (s.Every < MinEvery || s.Every > MaxEvery):
		return wrong("every", "%s is outside %s to %s", s.Every, MinEvery, MaxEvery)
	case s.Phase != 0 && s.Every == 0:
		return wrong("phase", "only with every")
	case s.Phase < 0 || s.Phase != 0 && s.Phase >= s.Every:
		return wrong("phase", "%s is not from 0s to less than every, %s", s.Phase, s.Every)
	case s.Zone != "" && s.Cron == "":
		return wrong("zone", "only with cron")
	case !s.At.IsZero() && (s.At.Year() < 1970 || s.At.Year() > 9999):
		return wrong("at", "the year %d is outside 1970 to 9999", s.At.Year())
	case s.Cron != "":
		_, err := ParseCron(s.Cron, s.Zone)
		return err
	}
	return nil
}

func (s Schedule) checkSpans() error {
	for _, span := range []struct {
		name   string
		d, max time.Duration
	}{{"expires", s.Expires, maxSpan}, {"jitter", s.Jitter, MaxJitter}, {"window", s.Window, maxSpan}} {
		if span.d < 0 || span.d > span.max {
			return wrong(span.name, "%s is outside 0s to %s", span.d, span.max)
		}
	}
	switch {
	case s.Every != 0 && s.Jitter > s.Every:
		return wrong("jitter", "%s is more than every, %s", s.Jitter, s.Every)
	case s.MaxRuns < 0:
		return wrong("max_runs", "%d is negative", s.MaxRuns)
	case s.Cron != "" && s.Jitter > time.Minute:
		return s.checkJitter()
	}
	return nil
}

// checkJitter refuses one that can be longer than the time to the next tick,
// which would be due before this one is sent. No line is due more often than once
// a minute; one that is due daily is looked at for years, with their nights in
// which the clock is changed.
func (s Schedule) checkJitter() error {
	const enough = 1500
	timing, err := s.Timing()
	if err != nil {
		return err
	}
	last := timing.Next(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	for range enough {
		next := timing.Next(last)
		if next.IsZero() {
			return nil
		}
		if gap := next.Sub(last); gap < s.Jitter {
			return wrong("jitter", "%s is more than the %s from one tick of %q to the next, on %s", s.Jitter, gap, s.Cron, last.Format(time.RFC3339))
		}
		last = next
	}
	return nil
}

func (s Schedule) checkPolicies() error {
	switch s.CatchUp {
	case CatchUpNone, CatchUpOnce:
	case CatchUpAll:
		if s.Window == 0 {
			return wrong("window", "catch_up all needs one, such as 1h")
		}
		if s.Every > 0 && s.Window/s.Every > MaxCaughtUp {
			return wrong("window", "%s holds more than %d ticks of every %s", s.Window, MaxCaughtUp, s.Every)
		}
	default:
		return wrong("catch_up", "%q is not none, once or all", s.CatchUp)
	}
	if s.Overlap != OverlapAllow && s.Overlap != OverlapSkip {
		return wrong("overlap", "%q is not allow or skip", s.Overlap)
	}
	return nil
}
