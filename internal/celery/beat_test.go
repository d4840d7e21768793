package celery_test

import (
	"testing"
	"time"

	"acklab/internal/celery"
	"acklab/internal/ledger"
	"acklab/internal/minder"
)

// beat starts Celery's scheduler on the queue.
func (b *bench) beat(t *testing.T, o celery.BeatOptions) *member {
	t.Helper()
	o.Broker = b.url
	return b.run(t, func(dir, ledger, log string) (minder.Spec, error) { return b.app.Beat(o, "beat", dir, ledger, log) })
}

func TestBeatOnAClockThatIsMadeUp(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		const queue = "night"
		if b.rabbit != nil {
			if err := b.client.Declare(t.Context(), queue); err != nil {
				t.Fatal(err)
			}
		}
		berlin, err := time.LoadLocation("Europe/Berlin")
		if err != nil {
			t.Fatal(err)
		}
		// The night of Saturday has no 02:30.
		saturday := time.Date(2026, 3, 28, 12, 0, 0, 0, berlin)
		w := b.beat(t, celery.BeatOptions{
			Queue: queue, Zone: "Europe/Berlin", From: saturday, Until: saturday.AddDate(0, 0, 2),
			Schedules: []celery.Schedule{{Name: "report", Task: "add", Args: []any{1, 2}, Cron: "30 2 * * *"}},
		})
		f := w.ended()
		var due []string
		for _, l := range f.Lines {
			if l.Event == ledger.Planned {
				at, err := time.Parse(time.RFC3339Nano, l.Detail["due"])
				if err != nil {
					t.Fatal(err)
				}
				due = append(due, at.In(berlin).Format("Mon 15:04"))
				if got, want := events(f, l.Task, ledger.Planned, ledger.Attempted, ledger.Confirmed), "planned attempted confirmed"; got != want {
					t.Errorf("a tick is %s, want %s", got, want)
				}
			}
		}
		if len(due) != 2 || due[0] != "Sun 03:00" || due[1] != "Mon 02:30" {
			t.Errorf("due %v, want Sun 03:00, Mon 02:30", due)
		}
		b.awaitHeld(t, queue, 2)
	})
}

func TestBeatKeepsTimeUntilItIsStopped(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		const queue = "ticks"
		if b.rabbit != nil {
			if err := b.client.Declare(t.Context(), queue); err != nil {
				t.Fatal(err)
			}
		}
		w := b.beat(t, celery.BeatOptions{Queue: queue, Schedules: []celery.Schedule{{Name: "tick", Task: "noop", Every: 200 * time.Millisecond}}})
		w.await(ledger.Confirmed, 3)
		f := w.stop()
		if planned, confirmed := count(f, ledger.Planned), count(f, ledger.Confirmed); planned != confirmed {
			t.Errorf("%d planned, %d confirmed", planned, confirmed)
		}
	})
}
