package main

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"acklab/scheduler"
	"acklab/scheduler/redisstore"
)

// sharedFlags say what several schedulers share: a store with schedules, states
// and the leader's lease.
type sharedFlags struct {
	store  storeFlags
	lease  time.Duration
	noLock bool
}

func (f *sharedFlags) add(cmd *cobra.Command) {
	f.store.add(cmd)
	cmd.Flags().DurationVar(&f.lease, "lease", redisstore.DefaultLease, "with --store: of several schedulers one leads; if it dies another one follows within this time")
	cmd.Flags().BoolVar(&f.noLock, "no-lock", false, "with --store: lead without asking whether another one does (for experiments: everything is sent as often as there are schedulers)")
}

// check refuses what makes no sense together.
func (f *sharedFlags) check(cmd *cobra.Command, own *schedulerFlags) error {
	given := cmd.Flags().Changed
	switch {
	case f.store.url == "" && (given("lease") || given("no-lock")):
		return errors.New("--lease and --no-lock are of several schedulers on one --store, and none is named")
	case f.store.url != "" && own.state != "":
		return errors.New("--state and --store: what was sent is remembered in one of them")
	case f.store.url != "" && own.from != "":
		return errors.New("--from and --store: schedulers that share a store share the real clock, too")
	}
	return nil
}

// join brings the store into the configuration, the file's schedules first. The
// function gives it back.
func (f *sharedFlags) join(ctx context.Context, cfg *scheduler.Config) (func(), error) {
	s, err := redisstore.Open(f.store.url, redisstore.Options{Lease: f.lease, Log: cfg.Log})
	if err != nil {
		return nil, err
	}
	if _, err := s.Load(ctx); err != nil { // a store that is away at the start is said
		s.Close()
		return nil, err
	}
	for i, file := range cfg.Sources {
		cfg.Sources[i] = s.Showing(file)
	}
	cfg.Sources = append(cfg.Sources, s)
	cfg.Keeper, cfg.Elector = s, s
	if f.noLock {
		cfg.Elector = scheduler.Unasked{}
	}
	return s.Close, nil
}
