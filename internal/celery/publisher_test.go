package celery_test

import (
	"context"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"acklab/broker"
	"acklab/internal/celery"
	"acklab/internal/connect"
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

func TestCeleryDeclaresAndPublishesAsTheURLSays(t *testing.T) {
	t.Parallel()
	b := onRabbit(t)
	url, queue := b.url+"?durable=false&persistent=false", "transient"
	client, err := connect.Open(t.Context(), url, broker.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close(context.Background())
	if err := client.Declare(t.Context(), queue); err != nil {
		t.Fatal(err)
	}
	published := b.run(t, func(dir, ledger, log string) (minder.Spec, error) {
		return b.app.Publisher(celery.PublisherOptions{Broker: url, Queues: []string{queue}, Orders: []celery.Order{{Task: "noop"}}}, "celery", dir, ledger, log)
	}).ended()
	if n := count(published, ledger.Confirmed); n != 1 {
		t.Fatalf("%d publishes are confirmed, want 1", n)
	}
	conn, err := amqp.Dial(b.url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ch, err := conn.Channel()
	if err != nil {
		t.Fatal(err)
	}
	m, ok, err := ch.Get(queue, false)
	if err != nil || !ok || m.DeliveryMode != amqp.Transient {
		t.Fatalf("Celery published with delivery mode %d (%v, %v), want %d", m.DeliveryMode, ok, err, amqp.Transient)
	}
	if err := m.Nack(false, true); err != nil {
		t.Fatal(err)
	}
	b.startAt(t, url, queue, celery.Options{Pool: celery.Solo}).await(ledger.Finished, 1)
}
