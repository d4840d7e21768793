package experiments

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// Steps that measure what neither a ledger nor the census tells.

// MeasureLog counts the lines of a member's log that say the words.
func MeasureLog(name, measure, words string) Step {
	return Step{fmt.Sprintf("count %q in the log of %s", words, name), func(_ context.Context, t *Trial) error {
		raw, err := os.ReadFile(t.logOf(name))
		if err != nil {
			return fmt.Errorf("read the log of %s: %w", name, err)
		}
		return t.Measure(measure, float64(bytes.Count(raw, []byte(words))))
	}}
}

// MeasureMetric reads a metric of a living member from its /metrics, summed
// over all series that have the label.
func MeasureMetric(name, measure, metric, label, value string) Step {
	return Step{fmt.Sprintf("read %s{%s=%q} of %s", metric, label, value, name), func(ctx context.Context, t *Trial) error {
		url, err := t.metricsURL(name)
		if err != nil {
			return err
		}
		sum, err := readMetric(ctx, url, metric, label, value)
		if err != nil {
			return fmt.Errorf("read %s from %s: %w", metric, url, err)
		}
		return t.Measure(measure, sum)
	}}
}

func (t *Trial) logOf(name string) string { return filepath.Join(t.logs, name+".log") }

var metricsLine = regexp.MustCompile(`http://[^" ]+/metrics`)

// metricsURL is what the member itself announced.
func (t *Trial) metricsURL(name string) (string, error) {
	raw, err := os.ReadFile(t.logOf(name))
	if err != nil {
		return "", fmt.Errorf("read the log of %s: %w", name, err)
	}
	if url := metricsLine.Find(raw); url != nil {
		return string(url), nil
	}
	return "", fmt.Errorf("the log of %s names no address of metrics", name)
}

// readMetric sums the series of a metric that have the label.
func readMetric(ctx context.Context, url, metric, label, value string) (sum float64, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, resp.Body.Close()) }()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(resp.Body)
	if err != nil {
		return 0, err
	}
	for _, m := range families[metric].GetMetric() {
		for _, l := range m.GetLabel() {
			if l.GetName() == label && l.GetValue() == value {
				sum += m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	return sum, nil
}
