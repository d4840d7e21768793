package experiments

import (
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"acklab/internal/ledger"
)

// read is what the member has written. Steps that measure read whole ledgers,
// of members that have ended.
func (t *Trial) read(name string) ([]ledger.Line, error) {
	file, err := ledger.Read(filepath.Join(t.dir, name+".jsonl"))
	return file.Lines, err
}

// measured is what an earlier step of this trial has measured.
func (t *Trial) measured(name string) (float64, error) {
	lines, err := t.read("runner")
	if err != nil {
		return 0, err
	}
	for _, l := range slices.Backward(lines) {
		if l.Event == ledger.Measured && l.Point == name {
			return l.Value, nil
		}
	}
	return 0, fmt.Errorf("this trial has not measured %s", name)
}

// milliseconds from one moment of a ledger to another.
func milliseconds(from, to int64) float64 { return float64(to-from) / float64(time.Millisecond) }

// quantile is the value below which the part q of the values lies, by rank; 0
// when there are none. It sorts them.
func quantile(values []float64, q float64) float64 {
	if len(values) == 0 {
		return 0
	}
	slices.Sort(values)
	return values[min(int(q*float64(len(values))), len(values)-1)]
}

// moments are the first time of the event for each task in a member's ledger.
func (t *Trial) moments(name string, event ledger.Event) (map[string]int64, error) {
	lines, err := t.read(name)
	first := map[string]int64{}
	for _, l := range lines {
		if _, known := first[l.Task]; l.Event == event && !known {
			first[l.Task] = l.Mono
		}
	}
	return first, err
}
