package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"acklab/broker"
	"acklab/result"
	"acklab/scheduler"
)

// schedulerFlags say where the schedules are, and where it is written down what
// was sent.
type schedulerFlags struct {
	file, state string
	from, until string
	routes      routeFlags
	result      resultFlags
	shared      sharedFlags
}

func (f *schedulerFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.file, "file", "", "schedules in a YAML file; it is read again when it changes")
	cmd.Flags().StringVar(&f.state, "state", "", "file that remembers what was sent; empty: the --file's name and .state")
	cmd.Flags().StringVar(&f.from, "from", "", "with --until: a simulated clock that begins at this moment and goes as fast as the broker takes the messages; nothing is remembered unless --state names a file")
	cmd.Flags().StringVar(&f.until, "until", "", "end when everything that is due up to this moment, as 2026-11-21T07:31:43+01:00 (RFC 3339), was sent")
	f.routes.add(cmd, "a schedule's own queue")
	f.result.add(cmd)
	f.shared.add(cmd)
}

// clock reads --from and --until.
func (f *schedulerFlags) clock() (clock scheduler.Clock, until time.Time, err error) {
	from, err := moment(f.from)
	if err != nil {
		return nil, until, fmt.Errorf("--from: %w", err)
	}
	if until, err = moment(f.until); err != nil {
		return nil, until, fmt.Errorf("--until: %w", err)
	}
	switch {
	case from.IsZero():
		return scheduler.RealClock{}, until, nil
	case until.IsZero():
		return nil, until, errors.New("--from needs --until: a simulated clock would never stop")
	case !from.Before(until):
		return nil, until, fmt.Errorf("--from %s is not before --until %s", f.from, f.until)
	}
	return scheduler.NewSimulatedClock(from), until, nil
}

// remember opens what the states are kept in, for the configuration. The function
// ends it. A store that several schedulers share gives schedules and elector, too.
func (f *schedulerFlags) remember(ctx context.Context, cfg *scheduler.Config) (func() error, error) {
	if f.shared.store.url != "" {
		leave, err := f.shared.join(ctx, cfg)
		return func() error { leave(); return nil }, err
	}
	path := f.state
	switch {
	case path == "" && f.from != "":
		cfg.Keeper = scheduler.NewMemory()
		return func() error { return nil }, nil
	case path == "":
		path = f.file + ".state"
	}
	k, err := scheduler.OpenStateFile(path)
	if err != nil {
		return nil, err
	}
	cfg.Keeper = k
	return k.Close, nil
}

func newScheduler() *cobra.Command {
	var flags processFlags
	var own schedulerFlags
	cmd := &cobra.Command{
		Use:   "scheduler",
		Short: "Send tasks when they are due: at intervals, by a crontab line, or once",
		Long: "Send tasks when they are due, until SIGTERM or SIGINT. A schedule of the YAML file has a name, a task, and\n" +
			"every, cron or at:\n\n" +
			"    schedules:\n" +
			"      - name: report\n" +
			"        task: send_email\n" +
			"        args: [\"daily report\"]\n" +
			"        cron: 0 0 * * *\n" +
			"        zone: Europe/Berlin\n\n" +
			"and may have kwargs, queue, priority, phase, expires, jitter, enabled, catch_up (none, once, all), window,\n" +
			"overlap (allow, skip), max_runs. When each is due, and what is sent twice or not at all: docs/architecture.md.\n\n" +
			"A schedule without a queue goes where --route or --routes send its task, else to celery. Schedulers on one store\n" +
			"need the same routes.",
		Args: noWords,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := own.shared.check(cmd, &own); err != nil {
				return err
			}
			return runScheduler(cmd.Context(), &flags, &own)
		},
	}
	flags.add(cmd)
	own.add(cmd)
	return cmd
}

func runScheduler(parent context.Context, flags *processFlags, own *schedulerFlags) (err error) {
	ctx, _, end := stopSignals(parent)
	defer end()
	clock, until, err := own.clock()
	if err != nil {
		return err
	}
	if own.file == "" && own.shared.store.url == "" {
		return errors.New("no schedules: name a YAML file with --file, or a store with --store")
	}
	routes, err := own.routes.read()
	if err != nil {
		return err
	}
	p, err := flags.open(ctx, "scheduler")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	cfg := scheduler.Config{
		Clock: clock, Until: until, Routes: routes, Origin: hostname(),
		Ledger: p.ledger, Metrics: p.metrics, Log: p.log,
	}
	if own.file != "" {
		file := &scheduler.File{Path: own.file, Log: p.log}
		if _, err := file.Load(ctx); err != nil { // before anything is made beside it
			return err
		}
		cfg.Sources = []scheduler.Source{file}
	}
	forget, err := own.remember(ctx, &cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, forget()) }()
	results, endResults, err := own.result.openIfNamed(ctx, result.Options{Log: p.log})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, endResults()) }()
	cfg.Results = results
	if cfg.Broker, err = flags.connect(ctx, p, broker.Options{}); err != nil {
		return err
	}
	defer cfg.Broker.Close(context.WithoutCancel(ctx))
	p.announce()
	return scheduler.New(cfg).Run(ctx)
}
