package experiments

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"acklab/internal/check"
	"acklab/internal/report"
)

// ExitStatus is that of `acklab run`: 0 as predicted, 1 a surprise, 2 unsure,
// 3 nothing wrong but cells not run for a missing tool.
func ExitStatus(run report.Run) int {
	var surprise, unsure, missing bool
	for _, e := range run.Experiments {
		for _, c := range e.Cells {
			surprise = surprise || c.Outcome == "surprise"
			unsure = unsure || c.Outcome == "unsure"
			missing = missing || c.Missing
		}
	}
	switch {
	case surprise:
		return 1
	case unsure:
		return 2
	case missing:
		return 3
	}
	return 0
}

// String is the setting as key=value words.
func (s Setting) String() string {
	var words []string
	for _, k := range s.keys() {
		words = append(words, k+"="+s[k])
	}
	return strings.Join(words, " ")
}

// BoundsText is a prediction in words: what is not mentioned is 0.
func BoundsText(b check.Bounds) string {
	var words []string
	for _, name := range slices.Sorted(maps.Keys(b)) {
		switch lo, hi := b[name][0], b[name][1]; {
		case lo != hi:
			words = append(words, fmt.Sprintf("%s %d to %d", name, lo, hi))
		case lo != 0:
			words = append(words, fmt.Sprintf("%s %d", name, lo))
		}
	}
	if len(words) == 0 {
		return "nothing lost, nothing twice"
	}
	return strings.Join(words, ", ")
}
