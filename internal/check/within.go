package check

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
)

// Within says how the result leaves the bounds, one sentence each ("lost 1,
// predicted 0"), in the order of Names and then of the measures; nil: it does
// not. Counts that are not stated are bounded as Bounds says; measures only
// when they are stated, and one that was not measured is a violation. The
// counts of Never are violations above zero whatever the bounds say.
func Within(b Bounds, r Result) []string {
	var out []string
	for _, name := range Names {
		lo, hi, bound := b.of(name)
		if !bound {
			continue
		}
		if v := violation(name, lo, hi, r); v != "" {
			out = append(out, v)
		}
	}
	return append(out, withinMeasures(b, r)...)
}

// WithinStated is Within for a claim, which is silent about what it does not
// speak of: only what is stated is looked at.
func WithinStated(b Bounds, r Result) []string {
	var out []string
	for _, name := range Names {
		if rng, ok := b[name]; ok {
			if v := violation(name, rng[0], rng[1], r); v != "" {
				out = append(out, v)
			}
		}
	}
	return append(out, withinMeasures(b, r)...)
}

func withinMeasures(b Bounds, r Result) []string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(b)) {
		if isCount(name) {
			continue
		}
		rng := b[name]
		switch v, ok := r.Measures[name]; {
		case !ok:
			out = append(out, fmt.Sprintf("%s was not measured, predicted %s", name, rangeText(rng[0], rng[1])))
		case !(v >= float64(rng[0]) && v <= float64(rng[1])): // also when v is not a number
			out = append(out, fmt.Sprintf("%s %s, predicted %s", name, strconv.FormatFloat(v, 'g', 6, 64), rangeText(rng[0], rng[1])))
		}
	}
	return out
}

func violation(name string, lo, hi int, r Result) string {
	n, ok := r.Counts[name]
	switch {
	case !ok:
		return fmt.Sprintf("%s was not counted, predicted %s", name, rangeText(lo, hi))
	case n < lo || n > hi:
		return fmt.Sprintf("%s %d, predicted %s", name, n, rangeText(lo, hi))
	}
	return ""
}

func rangeText(lo, hi int) string {
	if lo == hi {
		return strconv.Itoa(lo)
	}
	return fmt.Sprintf("%d to %d", lo, hi)
}

// of gives the range of a count; bound is false when anything will do.
func (b Bounds) of(name string) (lo, hi int, bound bool) {
	if Never[name] {
		return 0, 0, true
	}
	if r, ok := b[name]; ok {
		return r[0], r[1], true
	}
	if sum, ok := b[sumOf(name)]; ok {
		return 0, sum[1], true
	}
	for _, part := range parts[name] {
		if r, ok := b[part]; ok {
			lo, hi = lo+r[0], hi+r[1]
		}
	}
	if lo == 0 && hi == 0 && Free[name] {
		return 0, 0, false
	}
	return lo, hi, true
}
