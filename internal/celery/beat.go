package celery

import (
	"cmp"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"acklab/internal/minder"
)

// Schedule is one entry of Celery's beat_schedule.
type Schedule struct {
	Name string
	Task string
	Args []any
	// Every or Cron: an interval, or minute, hour, day, month and weekday.
	Every time.Duration
	Cron  string
}

// MarshalJSON is the schedule as beat.py reads it.
func (s Schedule) MarshalJSON() ([]byte, error) {
	entry := map[string]any{"name": s.Name, "task": s.Task, "args": append([]any{}, s.Args...)}
	if s.Cron != "" {
		entry["cron"] = s.Cron
	} else {
		entry["every"] = s.Every.Seconds()
	}
	return json.Marshal(entry)
}

// BeatOptions say how Celery's scheduler works.
type BeatOptions struct {
	// Broker is a URL of the laboratory's, redis or amqp; Queue is where it publishes.
	Broker, Queue string
	Schedules     []Schedule
	// Zone is the one in which the crontabs of the application are read; empty: UTC.
	Zone string
	// From and Until put it on a clock that is made up; it ends by itself. Zero: it
	// keeps time until it is told to stop.
	From, Until time.Time
}

// Beat says how to start Celery's beat. It writes its ledger as Worker does, and a
// line planned for every tick, before its publish; that line's Detail has the schedule
// and the moment due, by beat's clock. SIGTERM ends it.
func (a App) Beat(o BeatOptions, name, dir, ledger, log string) (minder.Spec, error) {
	options := Options{Broker: o.Broker}
	if err := options.Check(); err != nil {
		return minder.Spec{}, err
	}
	schedules, err := json.Marshal(o.Schedules)
	if err != nil {
		return minder.Spec{}, fmt.Errorf("celery: write the schedules: %w", err)
	}
	args := []string{"--queues", o.Queue, "--zone", cmp.Or(o.Zone, "UTC"), "--schedules", string(schedules)}
	if o.From.IsZero() {
		args = append(args, "--kept-in", strings.TrimSuffix(log, filepath.Ext(log))+".beat")
	} else {
		args = append(args, "--from", o.From.UTC().Format(time.RFC3339), "--until", o.Until.UTC().Format(time.RFC3339))
	}
	s := a.spec(args, options.Env(), name, dir, ledger, log)
	s.Argv[1] = filepath.Join(filepath.Dir(a.Path), "beat.py")
	return s, nil
}
