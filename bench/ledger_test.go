package bench

import (
	"path/filepath"
	"testing"

	"acklab/internal/ledger"
)

// BenchmarkRatioLedger says what one line costs: one write(2).
func BenchmarkRatioLedger(b *testing.B) {
	w, err := ledger.Create(filepath.Join(b.TempDir(), "a.jsonl"), nil)
	if err != nil {
		b.Fatal(err)
	}
	line := ledger.Line{
		Event: ledger.Received, Task: "0198f1de-7c0a-7f00-8000-000000000001", Message: "0198f1de-7c0a-7f00-8000-000000000002",
		Name: "noop", Queue: "celery", Hash: "0123456789abcdef", Session: 1, Seen: "first",
	}
	const lines = 100_000
	client := processorTime("self")
	for range lines {
		if _, err := w.Write(line); err != nil {
			b.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		b.Fatal(err)
	}
	results.line = (processorTime("self") - client) / lines
	b.ReportMetric(float64(results.line.Nanoseconds()), "cpu-ns/line")
	b.ReportMetric(0, "ns/op")
}
