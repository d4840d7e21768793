package check

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// CheckBounds is the lint of a prediction, to be run before the first trial.
// The error joins everything that is wrong with it; nil: nothing is.
//
// load is how many tasks one trial has; measures are the names of whole-number
// measures of the experiment's own, beside MeasureNames. It refuses
//
//   - a name that nobody counts or measures, lo > hi, a negative bound;
//   - more than zero of what is always a surprise (see Never);
//   - parts and sums that cannot both be met;
//   - a range wider than a point without a reason of its own, and a reason for
//     what is not a range;
//   - a range of tasks that covers everything that can happen, [0,load] or
//     more, whatever the reason: it could not fail. One task at stake is the
//     exception, for a race has two ends: [0,1] at a load of 1 passes with a
//     reason, if the same prediction states at least one other count or measure
//     as a point, so that it can still come out wrong.
func CheckBounds(b Bounds, reasons map[string]string, load int, measures ...string) error {
	var errs []error
	complain := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if load < 1 {
		complain("load %d: a prediction needs the number of tasks", load)
	}
	for _, name := range slices.Sorted(maps.Keys(b)) {
		if !isCount(name) && !isMeasure(name) && !slices.Contains(measures, name) {
			complain("predicted %q: no such count or measure", name)
			continue
		}
		if err := b.checkRange(name, reasons[name], load); err != nil {
			errs = append(errs, err)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(reasons)) {
		if rng, ok := b[name]; !ok || rng[0] == rng[1] {
			complain("a reason for %q, which is not predicted as a range", name)
		}
	}
	return errors.Join(append(errs, b.checkSums()...)...)
}

func (b Bounds) checkRange(name, reason string, load int) error {
	lo, hi := b[name][0], b[name][1]
	text := rangeText(lo, hi)
	switch {
	case lo < 0:
		return fmt.Errorf("predicted %s [%d,%d]: negative", name, lo, hi)
	case lo > hi:
		return fmt.Errorf("predicted %s [%d,%d]: the lower end is above the upper", name, lo, hi)
	case Never[name] && hi > 0:
		return fmt.Errorf("predicted %s %s: more than 0 is always a surprise", name, text)
	case lo == hi:
		return nil
	case strings.TrimSpace(reason) == "":
		return fmt.Errorf("predicted %s %s: a range wider than a point needs its own reason", name, text)
	case lo > 0 || hi < load || !countsTasks(name):
		return nil
	case load > 1 || hi > 1:
		return fmt.Errorf("predicted %s %s of %d tasks: it covers all that can happen, so it cannot fail", name, text, load)
	case !b.statesPoint():
		return fmt.Errorf("predicted %s %s of one task, and nothing else as a point: it cannot fail", name, text)
	}
	return nil
}

// countsTasks tells whether load bounds the count: seconds and an experiment's
// own measures have no such bound.
func countsTasks(name string) bool {
	return isCount(name) || isMeasure(name) && !strings.HasSuffix(name, "_seconds")
}

// statesPoint tells whether a point is stated that the trial can miss: not the
// load, and not what is zero anyway.
func (b Bounds) statesPoint() bool {
	for name, r := range b {
		if r[0] == r[1] && name != "planned" && name != "attempted" && !Never[name] {
			return true
		}
	}
	return false
}

// checkSums refuses parts that their sum excludes. A part that is not stated
// fits any sum, as long as not all are.
func (b Bounds) checkSums() []error {
	var errs []error
	for _, sum := range slices.Sorted(maps.Keys(parts)) {
		total, ok := b[sum]
		if !ok || total[0] > total[1] {
			continue
		}
		lo, hi := 0, 0
		for _, part := range parts[sum] {
			l, h, _ := b.of(part)
			lo, hi = lo+l, hi+h
		}
		if lo > total[1] || hi < total[0] {
			errs = append(errs, fmt.Errorf("predicted %s %s, but its parts make %s", sum, rangeText(total[0], total[1]), rangeText(lo, hi)))
		}
	}
	return errs
}
