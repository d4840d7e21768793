package producer_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"acklab/internal/ledger"
	"acklab/producer"
	"acklab/task"
)

func TestACountdownBeginsWithThePublishOfEachMessage(t *testing.T) {
	t.Parallel()
	for name, rate := range map[string]float64{"steady": 10, "burst": 0} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDesk(t)
				l := load(600)
				l.Rate, l.Countdown, l.ExpireAfter = rate, time.Minute, time.Hour
				var at []time.Time // of each call
				d.during = func(context.Context, int) {
					at = append(at, time.Now())
					if rate == 0 {
						time.Sleep(5 * time.Second) // the next batch is published later
					}
				}
				if _, err := d.producer().Run(t.Context(), l, nil); err != nil {
					t.Fatal(err)
				}
				for i, call := range d.calls {
					for _, m := range call {
						if wait := m.ETA.Sub(at[i]); wait < time.Minute || wait > time.Minute+time.Millisecond {
							t.Fatalf("call %d: its eta is %v ahead; want a minute", i, wait)
						}
						if left := m.Expires.Sub(at[i]); left < time.Hour || left > time.Hour+time.Millisecond {
							t.Fatalf("call %d: it expires in %v; want an hour", i, left)
						}
						if err := task.Validate(m); err != nil {
							t.Fatal(err)
						}
					}
				}
				if first, last := d.calls[0][0].ETA, d.calls[len(d.calls)-1][0].ETA; last.Sub(first) < 4*time.Second {
					t.Errorf("the first is due at %v, the last at %v", first, last)
				}
			})
		})
	}
}

func TestTheLedgerKnowsWhenATaskIsDue(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	l := load(3)
	l.Countdown = 10 * time.Minute
	before := ledger.Now()
	if _, err := d.producer().Run(t.Context(), l, nil); err != nil {
		t.Fatal(err)
	}
	after := ledger.Now()
	for _, a := range d.lines(ledger.Attempted) {
		// Read off one clock and kept on the other: a millisecond may lie between.
		if slack := int64(time.Millisecond); a.ETA < before+int64(l.Countdown)-slack || a.ETA > after+int64(l.Countdown)+slack {
			t.Errorf("due %v after the publish; want %v", time.Duration(a.ETA-a.Mono), l.Countdown)
		}
	}
	d = newDesk(t)
	if _, err := d.producer().Run(t.Context(), load(1), nil); err != nil {
		t.Fatal(err)
	}
	if a := d.lines(ledger.Attempted)[0]; a.ETA != 0 {
		t.Errorf("a task without an eta is due at %d", a.ETA)
	}
}

func TestTimesThatMakeNoSenseAreRefused(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for want, spoil := range map[string]func(*producer.Load){
		"countdown -1s is negative":   func(l *producer.Load) { l.Countdown = -time.Second },
		"expires -1s is negative":     func(l *producer.Load) { l.ExpireAfter = -time.Second },
		"a countdown and an eta":      func(l *producer.Load) { l.Countdown, l.Options.ETA = time.Second, now },
		"countdown 8760h0m0s":         func(l *producer.Load) { l.Countdown = 8760 * time.Hour },
		"more than 30 days ahead":     func(l *producer.Load) { l.Options.ETA = now.AddDate(1, 0, 0) },
		"before its countdown of 10s": func(l *producer.Load) { l.Countdown, l.ExpireAfter = 10*time.Second, 5*time.Second },
		"before its eta":              func(l *producer.Load) { l.Options.ETA, l.ExpireAfter = now.Add(time.Hour), time.Minute },
	} {
		l := load(1)
		spoil(&l)
		if err := l.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v; want %q in it", err, want)
		}
	}
	for name, good := range map[string]producer.Load{
		"30 days":                 {Countdown: task.MaxDelay},
		"an eta that has passed":  {Options: task.Options{ETA: now.Add(-time.Hour)}},
		"expires with the moment": {Countdown: time.Second, ExpireAfter: time.Second},
	} {
		l := load(1)
		l.Countdown, l.ExpireAfter, l.Options.ETA = good.Countdown, good.ExpireAfter, good.Options.ETA
		if err := l.Check(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
