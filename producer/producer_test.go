package producer_test

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"acklab/broker"
	"acklab/broker/memorybroker"
	"acklab/internal/ledger"
	"acklab/internal/metrics"
	"acklab/producer"
	"acklab/task"
)

func TestEveryMessageIsAttemptedInTheLedgerBeforeItIsPublished(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	if _, err := d.producer().Run(t.Context(), load(1200), nil); err != nil {
		t.Fatal(err)
	}
	if len(d.missing) > 0 {
		t.Errorf("%d messages were published before they were attempted", len(d.missing))
	}
	d.wrote(map[ledger.Event]int{ledger.Planned: 1200, ledger.Attempted: 1200, ledger.Confirmed: 1200})
}

func TestWhatBecameOfAPublishIsInTheLedgerAndInTheTally(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.fate = inTurn
	msgs := []*task.Message{message(t, "q"), message(t, "q"), message(t, "q"), message(t, "q")}
	tally, errs, err := d.producer().Publish(t.Context(), msgs...)
	if err != nil {
		t.Fatal(err)
	}
	if tally.Confirmed != 2 || tally.Refused != 1 || tally.Unsure != 1 || tally.Total() != 4 || !errors.Is(tally.First, broker.ErrRefused) {
		t.Errorf("tally: %+v", tally)
	}
	if len(errs) != 4 || errs[0] != nil || !errors.Is(errs[1], broker.ErrRefused) || !errors.Is(errs[2], broker.ErrUnsure) || errs[3] != nil {
		t.Errorf("errors: %v", errs)
	}
	d.wrote(map[ledger.Event]int{ledger.Attempted: 4, ledger.Confirmed: 2, ledger.Refused: 1, ledger.Unsure: 1})
	for i, l := range d.lines(ledger.Attempted) {
		if m := msgs[i]; l.Task != m.TaskID || l.Message != m.ID || l.Queue != "q" || l.Name != "add" || l.Hash != m.Hash() || l.Retries != 1 {
			t.Errorf("attempted: %+v", l)
		}
	}
	for event, want := range map[ledger.Event]struct {
		of     *task.Message
		reason string
	}{ledger.Refused: {msgs[1], "OOM"}, ledger.Unsure: {msgs[2], "the connection broke"}} {
		if l := d.lines(event)[0]; l.Message != want.of.ID || l.Task != want.of.TaskID || !strings.Contains(l.Reason, want.reason) {
			t.Errorf("%s: %+v", event, l)
		}
	}
}

func TestARefusedDuplicateIsMarked(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	reasons := []broker.Reason{broker.Duplicate, broker.Full}
	d.fate = func(n int) error { return &broker.Refusal{Reason: reasons[n]} }
	if _, _, err := d.producer().Publish(t.Context(), message(t, "q"), message(t, "q")); err != nil {
		t.Fatal(err)
	}
	for i, l := range d.lines(ledger.Refused) {
		if marked := l.Detail[ledger.DetailDuplicate] != ""; marked != (i == 0) {
			t.Errorf("refused as %s: %+v", reasons[i], l)
		}
	}
}

func TestAnErrorThatIsNoRefusalIsUnsure(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.fate = func(int) error { return errors.New("whatever this is") }
	tally, _, err := d.producer().Publish(t.Context(), message(t, "q"))
	if err != nil || tally.Unsure != 1 || tally.Total() != 1 {
		t.Errorf("%+v, %v", tally, err)
	}
	d.wrote(map[ledger.Event]int{ledger.Attempted: 1, ledger.Unsure: 1})
}

func TestTalliesAddUpAndKeepTheFirstError(t *testing.T) {
	t.Parallel()
	sum := producer.Tally{Confirmed: 1}
	sum.Add(producer.Tally{Refused: 2, First: errFull})
	sum.Add(producer.Tally{Unsure: 3, First: errLost})
	if sum.Total() != 6 || sum.First != errFull {
		t.Errorf("%+v", sum)
	}
	if got := sum.Summary(); got != "6 published: 1 confirmed, 3 unsure, 2 refused (first: publish: refused (full): OOM)" {
		t.Errorf("in words: %s", got)
	}
	if got := (producer.Tally{Confirmed: 2}).Summary(); got != "2 published: 2 confirmed, 0 unsure, 0 refused" {
		t.Errorf("in words: %s", got)
	}
}

func TestWithoutItsLedgerAProducerPublishesNothing(t *testing.T) {
	t.Parallel()
	for name, run := range map[string]func(*producer.Producer) error{
		"one":   func(p *producer.Producer) error { _, _, err := p.Publish(t.Context(), message(t, "q")); return err },
		"burst": func(p *producer.Producer) error { _, err := p.Run(t.Context(), load(10), nil); return err },
		"steady": func(p *producer.Producer) error {
			l := load(10)
			l.Rate = 1000
			_, err := p.Run(t.Context(), l, nil)
			return err
		},
	} {
		d := newDesk(t)
		if err := d.ledger.Close(); err != nil {
			t.Fatal(err)
		}
		if err := run(d.producer()); !errors.Is(err, os.ErrClosed) {
			t.Errorf("%s: %v", name, err)
		}
		if len(d.calls) > 0 {
			t.Errorf("%s: published %d times", name, len(d.calls))
		}
	}
}

func TestWithoutLedgerAndMetricsAProducerWorks(t *testing.T) {
	t.Parallel()
	server := memorybroker.NewServer()
	b := server.Open(broker.Options{})
	if err := b.Declare(t.Context(), "q"); err != nil {
		t.Fatal(err)
	}
	tally, err := producer.New(producer.Config{Broker: b}).Run(t.Context(), load(1001), nil)
	if ready, _ := server.View("q"); err != nil || tally.Confirmed != 1001 || ready != 1001 {
		t.Errorf("%+v, %v, %d in the queue", tally, err, ready)
	}
}

func TestAProducerCountsItsPublishes(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.fate = inTurn
	reg := prometheus.NewRegistry()
	p := producer.New(producer.Config{Broker: d, Ledger: d.ledger, Metrics: metrics.New(reg)})
	if _, err := p.Run(t.Context(), load(7), nil); err != nil {
		t.Fatal(err)
	}
	want := `
# HELP acklab_published_total Messages published, by how the publish ended: confirmed, unsure or refused.
# TYPE acklab_published_total counter
acklab_published_total{outcome="confirmed",queue="q"} 3
acklab_published_total{outcome="refused",queue="q"} 2
acklab_published_total{outcome="unsure",queue="q"} 2
`
	if err := testutil.GatherAndCompare(reg, strings.NewReader(want), "acklab_published_total"); err != nil {
		t.Error(err)
	}
}
