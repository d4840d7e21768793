package experiments

import (
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
