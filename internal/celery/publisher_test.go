package celery_test

import (
	"testing"

	"acklab/internal/celery"
	"acklab/internal/ledger"
	"acklab/internal/minder"
)

func TestCelerysOwnProducerObeysItsRoutes(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		if b.rabbit != nil {
			if err := b.client.Declare(t.Context(), "rest", "high", "low"); err != nil {
				t.Fatal(err)
			}
		}
		p := b.run(t, func(dir, ledger, log string) (minder.Spec, error) {
			return b.app.Publisher(celery.PublisherOptions{
				Broker: b.url, Queues: []string{"rest", "high", "low"},
				Routes: [][2]string{{"*_payment", "high"}, {"web_scrape", "made"}},
				Orders: []celery.Order{
					{Task: "process_payment", Args: []any{"o-1", 9.5}},
					{Task: "process_payment", Args: []any{"o-2", 9.5}, Options: map[string]any{"queue": "low"}},
					{Task: "web_scrape", Args: []any{"http://example.org/"}},
					{Task: "noop"},
				},
			}, "celery", dir, ledger, log)
		})
		f := p.ended()
		var went []string
		for _, l := range f.Lines {
			if l.Event == ledger.Confirmed {
				went = append(went, l.Queue)
			}
		}
		want := []string{"high", "low", "made", "rest"}
		if len(went) != len(want) {
			t.Fatalf("confirmed for %q, want %q", went, want)
		}
		for i, queue := range want {
			if went[i] != queue {
				t.Errorf("order %d was confirmed for %s, want %s", i, went[i], queue)
			}
			if n := b.held(t, queue); n != 1 {
				t.Errorf("%s holds %d messages, want 1", queue, n)
			}
		}
	})
}
