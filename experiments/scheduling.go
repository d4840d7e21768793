package experiments

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"acklab/internal/celery"
	"acklab/internal/ledger"
	"acklab/internal/minder"
)

// The vocabulary of experiments with schedulers.

// scheduled is one schedule, in the words of the file that a scheduler reads.
type scheduled struct {
	Name    string `json:"name"`
	Task    string `json:"task"`
	Args    []any  `json:"args,omitempty"`
	Queue   string `json:"queue"` // filled in: the trial's
	Every   string `json:"every,omitempty"`
	Cron    string `json:"cron,omitempty"`
	Zone    string `json:"zone,omitempty"`
	CatchUp string `json:"catch_up,omitempty"`
	Window  string `json:"window,omitempty"`
	MaxRuns int    `json:"max_runs,omitempty"`
	Enabled *bool  `json:"enabled,omitempty"` // nil: it is
}

// Clockwork says how a scheduler works.
type Clockwork struct {
	// Schedules are those of its file; none: only what the store has.
	Schedules []scheduled
	// Store: states, the leader's lease, and schedules that can be edited, are in
	// the Redis of the trial's results. Else the states are in a file of its own,
	// and it leads whatever others do.
	Store bool
	// Lease is how long the leader has without a sign of it; 0: its default.
	Lease time.Duration
	// From and Until put it on a simulated clock; it ends by itself.
	From, Until time.Time
}

// stepScheduler is how the step begins that starts one.
const stepScheduler = "start the scheduler "

// StartScheduler starts a scheduler: ours, or Celery's where the system is.
func StartScheduler(name string, c Clockwork) Step {
	return Step{stepScheduler + name, func(_ context.Context, t *Trial) error {
		if t.run.plants(plantIdleVictim) {
			c.Schedules = nil
		}
		c.Schedules = t.schedules(c.Schedules)
		if t.cell.System.Celery {
			return t.startBeat(name, c)
		}
		args := []string{"scheduler"}
		if c.Schedules != nil {
			path, err := t.writeSchedules(name, c.Schedules)
			if err != nil {
				return err
			}
			args = append(args, "--file", path)
		}
		if c.Store {
			store, err := t.scheduleStore()
			if err != nil {
				return err
			}
			args = append(args, "--store", store)
			if t.run.plants(plantLock) {
				args = append(args, "--no-lock")
			}
		}
		if c.Lease > 0 {
			args = append(args, "--lease", c.Lease.String())
		}
		if !c.From.IsZero() {
			args = append(args, "--from", c.From.Format(time.RFC3339), "--until", c.Until.Format(time.RFC3339))
		}
		return t.start(name, args...)
	}}
}

// writeSchedules writes the file of a scheduler, over the one that is there.
func (t *Trial) writeSchedules(name string, schedules []scheduled) (path string, err error) {
	path = filepath.Join(t.logs, name+".yaml")
	text, err := json.Marshal(map[string]any{"schedules": schedules}) // JSON is YAML
	if err == nil {
		err = os.WriteFile(path, text, 0o644)
	}
	if err != nil {
		return "", fmt.Errorf("write the schedules of %s: %w", name, err)
	}
	return path, nil
}

// schedules are those of a file, for the trial's queue, and as a scheduler would have
// them that does not obey one of their fields.
func (t *Trial) schedules(file []scheduled) []scheduled {
	file = slices.Clone(file)
	for i := range file {
		file[i].Queue = t.queue
		if file[i].Zone != "" && t.run.plants(plantZone) {
			file[i].Zone = ""
		}
		if file[i].CatchUp != "" && t.run.plants(plantCatchUp) {
			file[i].CatchUp = "none"
			file[i].Window = ""
		}
	}
	return file
}

// scheduleStore is where the trial's schedulers meet.
func (t *Trial) scheduleStore() (string, error) {
	if t.resultServer == nil {
		return "", errors.New("this trial has no server for the store of its schedules")
	}
	return "redis://" + t.resultServer.Addr() + "/2", nil
}

// startBeat starts Celery's scheduler as a member of the trial.
func (t *Trial) startBeat(name string, c Clockwork) error {
	o := celery.BeatOptions{Broker: t.url, Queue: t.queue, From: c.From, Until: c.Until}
	for _, s := range c.Schedules {
		every, err := time.ParseDuration(s.Every)
		if err != nil && s.Cron == "" {
			return fmt.Errorf("start %s: %w", name, err)
		}
		o.Zone = s.Zone
		o.Schedules = append(o.Schedules, celery.Schedule{Name: s.Name, Task: s.Task, Args: s.Args, Every: every, Cron: s.Cron})
	}
	return t.joinCelery(name, func(app celery.App, ledger string) (minder.Spec, error) {
		return app.Beat(o, name, t.dir, ledger, t.logOf(name))
	})
}

// EndMember ends a member politely. It is not a fault.
func EndMember(name string) Step {
	return Step{"have " + name + " end", func(ctx context.Context, t *Trial) error { return t.stop(ctx, name) }}
}

// AwaitSent waits until the members have so many lines of the event together.
func AwaitSent(event ledger.Event, n int, names ...string) Step {
	return Step{fmt.Sprintf("wait for %d x %s of %s", n, event, strings.Join(names, " and ")), func(ctx context.Context, t *Trial) error {
		return t.awaitAny(ctx, fmt.Sprintf("%d x %s", n, event), func() bool {
			total := 0
			for _, name := range names {
				total += t.members[name].tail.counts[event]
			}
			return total >= n
		}, names...)
	}}
}

// awaitAny follows the ledgers of the members until want is satisfied. It fails
// when all of them have ended before that, or ctx ends.
func (t *Trial) awaitAny(ctx context.Context, what string, want func() bool, names ...string) error {
	tick := time.NewTicker(tailEvery)
	defer tick.Stop()
	for {
		alive := false
		for _, name := range names {
			m, err := t.member(name)
			if err != nil {
				return err
			}
			alive = alive || m.Alive()
			if err := m.tail.read(); err != nil {
				return err
			}
		}
		switch {
		case want():
			return nil
		case !alive:
			return fmt.Errorf("wait for %s of %s: all have ended", what, strings.Join(names, ", "))
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("wait for %s of %s: %w", what, strings.Join(names, ", "), ctx.Err())
		}
	}
}
