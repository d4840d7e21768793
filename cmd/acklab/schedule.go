package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"acklab/scheduler"
	"acklab/scheduler/redisstore"
)

// errNoScheduleStore is for what makes no sense without one.
var errNoScheduleStore = errors.New("no store of schedules: give --store or set ACKLAB_STORE_URL, the same as for the scheduler; the schedules of a file are edited in the file")

// storeFlags name the store of schedules.
type storeFlags struct{ url string }

func (f *storeFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.url, "store", os.Getenv("ACKLAB_STORE_URL"), "store of the schedules: redis://[user:password@]host[:port][/db], or rediss:// for TLS")
	cmd.Flags().Lookup("store").DefValue = "$ACKLAB_STORE_URL"
}

// within opens the store for one job.
func (f *storeFlags) within(cmd *cobra.Command, job func(context.Context, *redisstore.Store) error) error {
	ctx, _, end := stopSignals(cmd.Context())
	defer end()
	if f.url == "" {
		return errNoScheduleStore
	}
	store, err := redisstore.Open(f.url, redisstore.Options{})
	if err != nil {
		return err
	}
	defer store.Close()
	return inFlags(job(ctx, store))
}

func newSchedule() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "schedule",
		Short: "Show and edit the schedules in a store, while schedulers run on it",
		Long: "Show and edit the schedules that the schedulers on a store send by (acklab scheduler --store).\n\n" +
			"An edit is in force within a moment. Schedules of a scheduler's file are listed, and edited in the file.",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			return fmt.Errorf("schedule has no command %q: use list, add, edit, enable, disable, run-now, remove or history", args[0])
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newScheduleList(), newScheduleAdd(), newScheduleEdit(),
		newScheduleSwitch("enable", "Have a schedule sent again; what was due meanwhile is not owed", true),
		newScheduleSwitch("disable", "Keep a schedule and send nothing of it", false),
		newScheduleRunNow(), newScheduleRemove(), newScheduleHistory())
	return cmd
}

// oneName is for commands on one schedule.
func oneName(cmd *cobra.Command, args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("%s needs the name of one schedule: %s NAME", strings.TrimPrefix(cmd.CommandPath(), "acklab "), cmd.CommandPath())
	}
	return nil
}

// onOne is a command on one schedule of the store.
func onOne(use, short string, job func(ctx context.Context, s *redisstore.Store, name string) error) *cobra.Command {
	var store storeFlags
	cmd := &cobra.Command{
		Use: use + " NAME", Short: short, Args: oneName,
		RunE: func(cmd *cobra.Command, args []string) error {
			return store.within(cmd, func(ctx context.Context, s *redisstore.Store) error { return job(ctx, s, args[0]) })
		},
	}
	store.add(cmd)
	return cmd
}

func newScheduleAdd() *cobra.Command {
	var store storeFlags
	var fields fieldFlags
	var disabled bool
	cmd := &cobra.Command{
		Use:     "add NAME --task TASK (--every 10s | --cron '0 0 * * *' [--zone Europe/Berlin] | --at MOMENT)",
		Short:   "Add a schedule",
		Example: "  acklab schedule add report --task send_email --args '[\"daily report\"]' --cron '0 0 * * *' --zone Europe/Berlin",
		Args:    oneName,
		RunE: func(cmd *cobra.Command, args []string) error {
			one := scheduler.NewSchedule()
			one.Name, one.Enabled = args[0], !disabled
			if err := fields.apply(cmd, &one); err != nil {
				return err
			}
			next, err := firstTick(one)
			if err != nil {
				return err
			}
			return store.within(cmd, func(ctx context.Context, s *redisstore.Store) error {
				if _, err := s.Add(ctx, one); err != nil {
					return err
				}
				fmt.Printf("added %q: %s\n", one.Name, next)
				return nil
			})
		},
	}
	store.add(cmd)
	fields.add(cmd)
	cmd.Flags().BoolVar(&disabled, "disabled", false, "keep it, and send nothing of it until it is enabled")
	return cmd
}

func newScheduleEdit() *cobra.Command {
	var store storeFlags
	var fields fieldFlags
	var revision int64
	cmd := &cobra.Command{
		Use:   "edit NAME",
		Short: "Change what the flags name, and nothing else",
		Long: "Change what the flags name, and nothing else. Another timing takes the place of the old one.\n\n" +
			"Somebody else's edit at the same moment is not undone. With --revision, as list --json shows it, nothing is changed if\n" +
			"there was an edit since.",
		Args: oneName,
		RunE: func(cmd *cobra.Command, args []string) error {
			if !fields.any(cmd) {
				return errors.New("schedule edit needs to know what to change, such as --every 10s")
			}
			return store.within(cmd, func(ctx context.Context, s *redisstore.Store) error {
				var next string
				_, err := s.Edit(ctx, args[0], func(e *redisstore.Entry) (err error) {
					if cmd.Flags().Changed("revision") && e.Revision != redisstore.Revision(revision) {
						return fmt.Errorf("schedule %q is at revision %s, not %d: look at it again", args[0], e.Revision, revision)
					}
					if err = fields.apply(cmd, &e.Schedule); err == nil {
						next, err = firstTick(e.Schedule)
					}
					return err
				})
				if err == nil {
					fmt.Printf("changed %q: %s\n", args[0], next)
				}
				return err
			})
		},
	}
	store.add(cmd)
	fields.add(cmd)
	cmd.Flags().Int64Var(&revision, "revision", 0, "the revision that you have seen; another one is not changed")
	return cmd
}

func newScheduleSwitch(use, short string, enabled bool) *cobra.Command {
	return onOne(use, short, func(ctx context.Context, s *redisstore.Store, name string) error {
		_, err := s.Edit(ctx, name, func(e *redisstore.Entry) error {
			e.Schedule.Enabled = enabled
			return nil
		})
		if err == nil {
			fmt.Printf("%sd %q\n", use, name)
		}
		return err
	})
}

func newScheduleRunNow() *cobra.Command {
	return onOne("run-now", "Send a schedule's task once, at once, beside its own ticks",
		func(ctx context.Context, s *redisstore.Store, name string) error {
			tick, err := s.RunNow(ctx, name)
			if err != nil {
				return err
			}
			fmt.Println(tick.ID())
			if _, led, err := s.Leader(ctx); err == nil && !led {
				fmt.Fprintln(os.Stderr, "no scheduler leads at this moment: it is sent when one does")
			}
			return nil
		})
}

func newScheduleRemove() *cobra.Command {
	return onOne("remove", "Remove a schedule; its history stays for a week",
		func(ctx context.Context, s *redisstore.Store, name string) error {
			if err := s.Delete(ctx, name); err != nil {
				return err
			}
			fmt.Printf("removed %q\n", name)
			return nil
		})
}

func newScheduleList() *cobra.Command {
	var store storeFlags
	var asJSON bool
	cmd := &cobra.Command{
		Use: "list", Short: "Show all schedules, those of the scheduler's file too, and who leads", Args: noWords,
		Long: "Show all schedules, those of the scheduler's file too, and who leads.\n\n" +
			"What cannot be read in the store is left out, as the schedulers leave it out, and named on standard error; then the\n" +
			"exit status is 1.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return store.within(cmd, func(ctx context.Context, s *redisstore.Store) error {
				entries, unreadable, err := s.List(ctx)
				if err != nil {
					return err
				}
				leader, led, err := s.Leader(ctx)
				if err != nil {
					return err
				}
				all := listing(entries, time.Now())
				if asJSON {
					err = encode(os.Stdout, all)
				} else {
					err = printSchedules(os.Stdout, all, unreadable == nil, leader, led)
				}
				return errors.Join(err, leftOut(unreadable))
			})
		},
	}
	store.add(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	return cmd
}

func newScheduleHistory() *cobra.Command {
	var asJSON bool
	cmd := onOne("history", fmt.Sprintf("Show how the last ticks of a schedule ended, youngest first, at most %d", redisstore.Kept),
		func(ctx context.Context, s *redisstore.Store, name string) error {
			past, unreadable, err := s.History(ctx, name)
			if err == nil && len(past) == 0 && unreadable == nil {
				if _, err = s.Get(ctx, name); errors.Is(err, redisstore.ErrInFile) {
					err = nil
				}
			}
			switch {
			case err != nil:
				return err
			case asJSON:
				err = encode(os.Stdout, past)
			default:
				err = printHistory(os.Stdout, past, unreadable == nil)
			}
			return errors.Join(err, leftOut(unreadable))
		})
	cmd.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	return cmd
}

// leftOut says what a command could not show; nil: it has shown all.
func leftOut(unreadable error) error {
	if unreadable == nil {
		return nil
	}
	return &status{1, fmt.Errorf("cannot be read and is left out: %w", unreadable)}
}

func encode(w *os.File, v any) error {
	out := json.NewEncoder(w)
	out.SetIndent("", "  ")
	return out.Encode(v)
}
