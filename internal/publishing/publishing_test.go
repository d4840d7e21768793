package publishing_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"acklab/broker"
	"acklab/internal/ledger"
	"acklab/internal/metrics"
	"acklab/internal/publishing"
	"acklab/task"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestWhatTheBrokerSaysIsOneLineAndOneCount(t *testing.T) {
	t.Parallel()
	m, err := task.New("noop", task.Options{Queue: "q", Retries: 2})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		said      error
		event     ledger.Event
		duplicate string
	}{
		{nil, ledger.Confirmed, ""},
		{&broker.Refusal{Reason: broker.TooLarge}, ledger.Refused, ""},
		{fmt.Errorf("publish: %w", &broker.Refusal{Reason: broker.Duplicate}), ledger.Refused, "true"},
		{fmt.Errorf("%w: the reply was lost", broker.ErrUnsure), ledger.Unsure, ""},
		{errors.New("anything else"), ledger.Unsure, ""},
	} {
		path := filepath.Join(t.TempDir(), "books.jsonl")
		w, err := ledger.Create(path, nil)
		if err != nil {
			t.Fatal(err)
		}
		registry := prometheus.NewRegistry()
		event, err := publishing.Heard(w, metrics.New(registry), m, c.said)
		if event != c.event || err != nil {
			t.Errorf("%v is %q, %v", c.said, event, err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		f, err := ledger.Read(path)
		if err != nil {
			t.Fatal(err)
		}
		l := f.Lines[1]
		if l.Event != c.event || l.Task != m.TaskID || l.Message != m.ID || l.Queue != "q" || l.Retries != 2 || l.Detail[ledger.DetailDuplicate] != c.duplicate || (l.Reason == "") != (c.said == nil) {
			t.Errorf("%v: the line is %+v", c.said, l)
		}
		counted := 0
		for _, outcome := range []ledger.Event{ledger.Confirmed, ledger.Refused, ledger.Unsure} {
			if n := countOf(t, registry, string(outcome)); n > 0 {
				if counted++; outcome != c.event || n != 1 {
					t.Errorf("%v: %v times %s", c.said, n, outcome)
				}
			}
		}
		if counted != 1 {
			t.Errorf("%v: %d outcomes are counted", c.said, counted)
		}
	}
	if _, err := publishing.Heard(nil, nil, m, nil); err != nil {
		t.Errorf("without books: %v", err)
	}
}

// countOf is acklab_published_total of an outcome.
func countOf(t *testing.T, registry *prometheus.Registry, outcome string) float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, metric := range f.GetMetric() {
			for _, label := range metric.GetLabel() {
				if f.GetName() == "acklab_published_total" && label.GetName() == "outcome" && label.GetValue() == outcome {
					return metric.GetCounter().GetValue()
				}
			}
		}
	}
	return 0
}

func TestTheLineBeforeItSaysWhatIsPublished(t *testing.T) {
	t.Parallel()
	m, err := task.New("noop", task.Options{Queue: "q", ETA: time.Now().Add(time.Minute)})
	if err != nil {
		t.Fatal(err)
	}
	l := publishing.Intent(m)
	if l.Event != ledger.Attempted || l.Name != "noop" || l.Hash != m.Hash() || l.Task != m.TaskID || l.Message != m.ID || l.ETA <= ledger.Now() {
		t.Errorf("the line is %+v", l)
	}
}
