package scheduler

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"acklab/broker"
	"acklab/internal/connect"
	"acklab/internal/ledger"
	"acklab/internal/server"
	"acklab/internal/server/servertest"
)

// BenchmarkTenThousandSchedules: 10,000 schedules, 200 firings a second, on a
// Redis of its own, with ledger and state file, for b.N times 5 seconds: how late
// each tick was confirmed, and what idling costs.
func BenchmarkTenThousandSchedules(b *testing.B) {
	const schedules, rate, period = 10_000, 200, 5 * time.Second
	r := servertest.Redis(b, server.RedisOptions{})
	conn, err := connect.Open(b.Context(), "redis://"+r.Addr()+"/1", broker.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close(context.Background())
	firing := newList(many(schedules, schedules/rate*time.Second)...)
	late, busy := run(b, conn, firing, time.Duration(b.N)*period)
	if len(late) < b.N*rate*4 {
		b.Fatalf("%d ticks in %d times %s", len(late), b.N, period)
	}
	slices.Sort(late)
	idle := newList(many(schedules, 1000*time.Hour)...)
	_, rest := run(b, conn, idle, period)
	b.ReportMetric(late[len(late)/2].Seconds()*1e3, "p50-ms")
	b.ReportMetric(late[len(late)*99/100].Seconds()*1e3, "p99-ms")
	b.ReportMetric(100*busy, "%core-busy")
	b.ReportMetric(100*rest, "%core-idle")
	b.ReportMetric(0, "ns/op")
}

// many are schedules whose ticks are spread evenly.
func many(n int, period time.Duration) []Schedule {
	var all []Schedule
	for i := range n {
		s := every(fmt.Sprint("s", i), period)
		s.Phase = period / time.Duration(n) * time.Duration(i)
		all = append(all, s)
	}
	return all
}

// timed notes how late each tick is confirmed, of those that are due when the
// schedules have been read, and of those before.
type timed struct {
	*StateFile
	warm         time.Time
	mu           sync.Mutex
	late, atOnce []time.Duration
}

// Settle comes after the confirmation.
func (k *timed) Settle(ctx context.Context, term Term, outcomes []Outcome) error {
	k.mu.Lock()
	for _, o := range outcomes {
		if o.Tick.Due.Before(k.warm) {
			k.atOnce = append(k.atOnce, o.At.Sub(o.Tick.Due))
			continue
		}
		k.late = append(k.late, o.At.Sub(o.Tick.Due))
	}
	k.mu.Unlock()
	return k.StateFile.Settle(ctx, term, outcomes)
}

// settle is time enough to read ten thousand schedules.
const settle = 2 * time.Second

// run leads for d and returns how late ticks were, and the part of a core that was
// used, both after the schedules had been read.
func run(b *testing.B, conn broker.Broker, source Source, d time.Duration) ([]time.Duration, float64) {
	b.Helper()
	dir := b.TempDir()
	state, err := OpenStateFile(filepath.Join(dir, "state"))
	if err != nil {
		b.Fatal(err)
	}
	defer state.Close()
	book, err := ledger.Create(filepath.Join(dir, "scheduler.jsonl"), nil)
	if err != nil {
		b.Fatal(err)
	}
	defer book.Close()
	k := &timed{StateFile: state, warm: time.Now().Add(settle)}
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan error, 1)
	go func() {
		done <- New(Config{Broker: conn, Sources: []Source{source}, Keeper: k, Ledger: book}).Run(ctx)
	}()
	<-time.After(settle)
	used, from := cpu(), time.Now()
	<-time.After(d)
	part := float64(cpu()-used) / float64(time.Since(from))
	cancel()
	if err := <-done; err != nil {
		b.Fatal(err)
	}
	if len(k.atOnce) > 0 {
		b.ReportMetric(slices.Max(k.atOnce).Seconds()*1e3, "start-max-ms")
	}
	return k.late, part
}

// cpu is what this process has used of the processors.
func cpu() time.Duration {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
