package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"acklab/broker"
	"acklab/internal/connect"
	"acklab/internal/ledger"
	"acklab/internal/metrics"
	"acklab/internal/server"
	"acklab/internal/server/servertest"
	"acklab/scheduler"
	"acklab/scheduler/redisstore"
)

const (
	scheduled = 10_000
	perSecond = 200 // firings
	// wantedLate and wantedIdle are what p99 and the cost of idling are to be below.
	wantedLate = 50 // milliseconds behind the due time
	wantedIdle = 2  // percent of a core
	// firingFor and idleFor are how long a round of each is.
	firingFor, idleFor = 2 * time.Second, time.Second
	// settled is time enough for what a leader does once after it has begun: it
	// reads a file again when that was left alone, and a store at its first look.
	settled = 5 * time.Second
	// editedFor is time enough for an edit to be read.
	editedFor = 4 * time.Second
)

// place is where schedules and states are kept.
type place struct {
	cfg  scheduler.Config
	edit func() // changes one schedule, but not its timing
}

// BenchmarkSchedulesFile: a YAML file of 10,000 schedules and the state file
// beside it.
func BenchmarkSchedulesFile(b *testing.B) {
	tenThousandSchedules(b, "state file", func(_ *server.Redis, all []scheduler.Schedule) place {
		path := filepath.Join(b.TempDir(), "beat.yaml")
		write := func() {
			text, err := json.Marshal(map[string]any{"schedules": all}) // which is YAML
			if err != nil {
				b.Fatal(err)
			}
			if err := os.WriteFile(path+".new", text, 0o600); err != nil {
				b.Fatal(err)
			}
			if err := os.Rename(path+".new", path); err != nil {
				b.Fatal(err)
			}
		}
		write()
		state, err := scheduler.OpenStateFile(path + ".state")
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { state.Close() })
		return place{scheduler.Config{Sources: []scheduler.Source{&scheduler.File{Path: path}}, Keeper: state}, func() {
			edit(&all[0])
			write()
		}}
	})
}

// BenchmarkSchedulesRedis: schedules, states and the leader's lease on the Redis
// that is also the broker.
func BenchmarkSchedulesRedis(b *testing.B) {
	database := 1 // the broker's
	tenThousandSchedules(b, "Redis store", func(r *server.Redis, all []scheduler.Schedule) place {
		database++
		store, err := redisstore.Open(fmt.Sprintf("redis://%s/%d", r.Addr(), database), redisstore.Options{})
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(store.Close)
		for _, one := range all {
			if _, err := store.Add(context.Background(), one); err != nil {
				b.Fatal(err)
			}
		}
		return place{scheduler.Config{Sources: []scheduler.Source{store}, Keeper: store, Elector: store}, func() {
			change := func(e *redisstore.Entry) error { edit(&e.Schedule); return nil }
			if _, err := store.Edit(context.Background(), all[0].Name, change); err != nil {
				b.Fatal(err)
			}
		}}
	})
}

func edit(s *scheduler.Schedule) { s.MaxRuns = 1_000_000 }

// tenThousandSchedules measures how late ticks are with the broker, how late an
// edit makes them, and what a scheduler costs that has nothing to send.
func tenThousandSchedules(b *testing.B, where string, keep func(*server.Redis, []scheduler.Schedule) place) {
	r := servertest.Redis(b, server.RedisOptions{})
	kept := keep(r, spreadOver(scheduled/perSecond*time.Second))
	firing := lead(b, r, kept.cfg)
	var late, p99s, bare, bareP99s, busy, rest []float64
	for b.Loop() {
		from, loop := time.Now(), pace(b, r, firingFor)
		busy = append(busy, usedFor(firingFor))
		beside := <-loop
		bare, bareP99s = append(bare, beside...), append(bareP99s, p99(beside))
		round := firing.lateness(from, firingFor)
		late, p99s = append(late, round...), append(p99s, p99(round))
	}
	from := time.Now()
	kept.edit()
	<-time.After(editedFor)
	edited := slices.Max(firing.lateness(from, editedFor))
	firing.stop()
	idle := lead(b, r, keep(r, spreadOver(1000*time.Hour)).cfg)
	for range b.N {
		rest = append(rest, usedFor(idleFor))
	}
	idle.stop()
	what := where + ", 10,000 schedules: "
	results.addBound(b, "p99-ms", bound{what + "200 firings a second, p99 behind the due time, ms", p99(late), wantedLate, p99s})
	results.addBound(b, "bare-p99-ms", bound{what + "the same of a bare loop at the same time, a timer and LPUSH, ms", p99(bare), 0, bareP99s})
	results.addBound(b, "edited-max-ms", bound{what + "the latest of them while one schedule is edited, ms", edited, 0, nil})
	results.addBound(b, "busy-%core", bound{what + "200 firings a second, % of a core, the bare loop included", mean(busy), 0, busy})
	results.addBound(b, "idle-%core", bound{what + "idle, % of a core", mean(rest), wantedIdle, rest})
}

// spreadOver are schedules of one period whose ticks are evenly spread over it.
func spreadOver(period time.Duration) []scheduler.Schedule {
	var all []scheduler.Schedule
	for i := range scheduled {
		s := scheduler.NewSchedule()
		s.Name, s.Task = fmt.Sprintf("schedule-%d", i), "noop"
		s.Every, s.Phase = period, period/scheduled*time.Duration(i)
		all = append(all, s)
	}
	return all
}

// usedFor waits, and returns which percentage of a core this process used.
func usedFor(d time.Duration) float64 {
	used, from := processorTime("self"), time.Now()
	<-time.After(d)
	return 100 * float64(processorTime("self")-used) / float64(time.Since(from))
}

// p99 is what 99 of a hundred do not exceed.
func p99(all []float64) float64 {
	return slices.Sorted(slices.Values(all))[(len(all)*99+99)/100-1]
}

func mean(all []float64) (sum float64) {
	for _, one := range all {
		sum += one
	}
	return sum / float64(len(all))
}

// leader is a scheduler that leads.
type leader struct {
	b    *testing.B
	kept *timedKeeper
	stop func()
}

// lead begins a scheduler as the command line makes it, with ledger and metrics,
// and returns when it has led for a while.
func lead(b *testing.B, r *server.Redis, cfg scheduler.Config) *leader {
	b.Helper()
	conn, err := connect.Open(b.Context(), "redis://"+r.Addr()+"/1", broker.Options{})
	if err != nil {
		b.Fatal(err)
	}
	book, err := ledger.Create(filepath.Join(b.TempDir(), "scheduler.jsonl"), nil)
	if err != nil {
		b.Fatal(err)
	}
	k := &timedKeeper{Keeper: cfg.Keeper, began: make(chan struct{}), more: make(chan struct{}, 1)}
	cfg.Broker, cfg.Keeper, cfg.Ledger, cfg.Metrics = conn, k, book, metrics.New(prometheus.NewRegistry())
	ctx, cancel := context.WithCancel(b.Context())
	ended := make(chan error, 1)
	go func() { ended <- scheduler.New(cfg).Run(ctx) }()
	select {
	case <-k.began:
	case err := <-ended:
		b.Fatalf("the scheduler ended before it led: %v", err)
	case <-time.After(time.Minute):
		b.Fatal("the scheduler has not begun to lead within a minute")
	}
	<-time.After(settled)
	return &leader{b: b, kept: k, stop: func() {
		cancel()
		if err := <-ended; err != nil {
			b.Error(err)
		}
		if err := book.Close(); err != nil {
			b.Error(err)
		}
		conn.Close(context.Background())
	}}
}

// lateness is by how many milliseconds each tick that was due from a moment on, for
// d, was confirmed behind its due time. All of them must have been sent.
func (l *leader) lateness(from time.Time, d time.Duration) []float64 {
	l.b.Helper()
	want := int(perSecond * d / time.Second)
	patience := time.After(time.Minute)
	for {
		late, unsent := l.kept.dueWithin(from, from.Add(d))
		switch {
		case len(unsent) > 0:
			l.b.Fatalf("%d ticks were not sent, the first: %+v", len(unsent), unsent[0])
		case len(late) > want:
			l.b.Fatalf("%d ticks are settled of %d that were due", len(late), want)
		case len(late) == want:
			return late
		}
		select {
		case <-l.kept.more:
		case <-patience:
			l.b.Fatalf("%d of %d ticks that were due within %v were settled a minute later", len(late), want, d)
		}
	}
}
