package producer_test

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"acklab/internal/ledger"
	"acklab/producer"
	"acklab/task"
)

func TestABurstGoesOutInBatchesAndTellsHowFarItIs(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	var told []int
	tally, err := d.producer().Run(t.Context(), load(1100), func(done int) { told = append(told, done) })
	if err != nil || tally.Confirmed != 1100 {
		t.Fatalf("%+v, %v", tally, err)
	}
	var sizes []int
	seen := map[string]bool{}
	for _, c := range d.calls {
		sizes = append(sizes, len(c))
		for _, m := range c {
			seen[m.TaskID] = true
		}
	}
	if !slices.Equal(sizes, []int{500, 500, 100}) || !slices.Equal(told, []int{500, 1000, 1100}) || len(seen) != 1100 {
		t.Errorf("batches %v, told %v, %d different tasks", sizes, told, len(seen))
	}
}

func TestABatchOfOneIsConfirmedBeforeTheNext(t *testing.T) {
	t.Parallel()
	for batch, want := range map[int][]int{1: {1, 1, 1, 1, 1}, 2: {2, 2, 1}, 9: {5}} {
		d := newDesk(t)
		l := load(5)
		l.Batch = batch
		if tally, err := d.producer().Run(t.Context(), l, nil); err != nil || tally.Confirmed != 5 {
			t.Fatalf("batch %d: %+v, %v", batch, tally, err)
		}
		var sizes []int
		for _, c := range d.calls {
			sizes = append(sizes, len(c))
		}
		if !slices.Equal(sizes, want) {
			t.Errorf("batch %d: calls of %v messages, want %v", batch, sizes, want)
		}
	}
	l := load(5)
	l.Batch = -1
	if err := l.Check(); err == nil || err.Error() != "batch -1 is negative" {
		t.Errorf("batch -1: %v", err)
	}
}

func TestASteadyLoadTakesItsTime(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		count int
		rate  float64
	}{{1000, 100}, {50, 10}, {2000, 1000}, {7, 0.5}, {100, 100_000}, {100, math.MaxFloat64}} {
		synctest.Test(t, func(t *testing.T) {
			d := newDesk(t)
			l := load(c.count)
			l.Rate = c.rate
			begin := time.Now()
			told := 0
			tally, err := d.producer().Run(t.Context(), l, func(done int) { told = done })
			if err != nil || tally.Confirmed != c.count || told != c.count {
				t.Fatalf("%+v, %v, told %d", tally, err, told)
			}
			// The first goes at once, so the last goes a tick before the full time.
			want := time.Duration(float64(c.count-1) / c.rate * float64(time.Second))
			if took := time.Since(begin); took < want-time.Millisecond || took > want+30*time.Millisecond {
				t.Errorf("%d at %g a second took %v; want %v", c.count, c.rate, took, want)
			}
			if len(d.missing) > 0 {
				t.Errorf("%d were published before they were attempted", len(d.missing))
			}
		})
	}
}

func TestASteadyLoadIsSpreadOverItsTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		begin := time.Now()
		inFirstHalf := 0
		d.during = func(_ context.Context, before int) {
			if time.Since(begin) < 5*time.Second {
				inFirstHalf = before
			}
		}
		l := load(1000)
		l.Rate = 100
		if _, err := d.producer().Run(t.Context(), l, nil); err != nil {
			t.Fatal(err)
		}
		if inFirstHalf < 450 || inFirstHalf > 550 {
			t.Errorf("%d of 1000 went out in the first half of the time", inFirstHalf)
		}
	})
}

func TestASlowBrokerDoesNotSlowTheClock(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		d.during = func(context.Context, int) { time.Sleep(3 * time.Second) }
		l := load(100)
		l.Rate = 100
		begin := time.Now()
		tally, err := d.producer().Run(t.Context(), l, nil)
		if took := time.Since(begin); err != nil || tally.Confirmed != 100 || took > 4100*time.Millisecond {
			t.Errorf("%+v, %v after %v", tally, err, took)
		}
	})
}

func TestTheEndOfAContextLeavesThePlannedAndNotAttempted(t *testing.T) {
	t.Parallel()
	for name, rate := range map[string]float64{"steady": 100, "burst": 0} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDesk(t)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				d.during = func(_ context.Context, before int) {
					if before >= 500 {
						cancel()
					}
				}
				l := load(2000)
				l.Rate = rate
				tally, err := d.producer().Run(ctx, l, nil)
				if !errors.Is(err, context.Canceled) {
					t.Errorf("it ended with %v", err)
				}
				attempted := len(d.lines(ledger.Attempted))
				if attempted < 500 || attempted >= 2000 || tally.Total() != attempted {
					t.Errorf("%d attempted; tally %+v", attempted, tally)
				}
				d.wrote(map[ledger.Event]int{ledger.Planned: 2000, ledger.Attempted: attempted, ledger.Confirmed: attempted})
				planned := map[string]bool{}
				for _, l := range d.lines(ledger.Planned) {
					planned[l.Task] = true
				}
				for _, l := range d.lines(ledger.Attempted) {
					if !planned[l.Task] {
						t.Errorf("task %s was attempted and not planned", l.Task)
					}
				}
			})
		})
	}
}

func TestALedgerThatBreaksOnTheWayStopsTheLoad(t *testing.T) {
	t.Parallel()
	for name, rate := range map[string]float64{"steady": 1000, "burst": 0} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDesk(t)
				d.during = func(_ context.Context, before int) {
					if before >= 500 {
						d.ledger.Close()
					}
				}
				l := load(2500)
				l.Rate = rate
				begin := time.Now()
				if _, err := d.producer().Run(t.Context(), l, nil); !errors.Is(err, os.ErrClosed) {
					t.Errorf("it ended with %v", err)
				}
				published := 0
				for _, c := range d.calls {
					published += len(c)
				}
				if len(d.missing) > 0 || published >= 2500 {
					t.Errorf("%d published, %d of them attempted in no ledger", published, len(d.missing))
				}
				if took := time.Since(begin); took > time.Second {
					t.Errorf("it went on for %v", took)
				}
			})
		})
	}
}

func TestMessagesOfALoadCarryWhatItSays(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	l := load(2)
	l.Args, l.Kwargs, l.Size = []json.RawMessage{[]byte("4")}, map[string]json.RawMessage{"x": []byte("5")}, 1000
	l.Options.Priority = 3
	if _, err := d.producer().Run(t.Context(), l, nil); err != nil {
		t.Fatal(err)
	}
	a, b := d.calls[0][0], d.calls[0][1]
	if a.TaskID == b.TaskID || a.ID == b.ID || a.Name != "noop" || string(a.Args[0]) != "4" || string(a.Kwargs["x"]) != "5" || a.Priority != 3 {
		t.Errorf("%+v, %+v", a, b)
	}
	if pad, _ := a.Extra["padding"].(string); len(pad) != 1000 {
		t.Errorf("padded with %d bytes", len(pad))
	}
	if err := task.Validate(a); err != nil {
		t.Error(err)
	}
}

func TestALoadThatMakesNoSenseIsRefusedBeforeAnythingIsWritten(t *testing.T) {
	t.Parallel()
	for want, spoil := range map[string]func(*producer.Load){
		"count 0: use 1 or more": func(l *producer.Load) { l.Count = 0 },
		"count -4":               func(l *producer.Load) { l.Count = -4 },
		"rate -1 is negative":    func(l *producer.Load) { l.Rate = -1 },
		"rate NaN is no number":  func(l *producer.Load) { l.Rate = math.NaN() },
		"rate +Inf is no numbe":  func(l *producer.Load) { l.Rate = math.Inf(1) },
		"size -1 is negative":    func(l *producer.Load) { l.Size = -1 },
		"needs the name":         func(l *producer.Load) { l.Name = "" },
		"more than 10000000":     func(l *producer.Load) { l.Count, l.Copies = math.MaxInt/2, 3 },
		"publish it in parts":    func(l *producer.Load) { l.Count = 10_000_001 },
		"needs a queue":          func(l *producer.Load) { l.Options.Queue = "" },
	} {
		d := newDesk(t)
		l := load(1)
		spoil(&l)
		for what, err := range map[string]error{"check": l.Check(), "run": second(d.producer().Run(t.Context(), l, nil))} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v; want %q in it", what, err, want)
			}
		}
		d.wrote(nil)
	}
	if err := load(1).Check(); err != nil {
		t.Errorf("a good load: %v", err)
	}
}

func second(_ producer.Tally, err error) error { return err }
