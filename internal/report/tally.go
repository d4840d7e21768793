package report

import (
	"fmt"
	"slices"
	"strconv"

	"acklab/internal/check"
)

// tally is one count over the trials of a cell that count.
type tally struct {
	values []int
	load   bool // a count that describes the load: always read in tasks
}

func (c *Cell) tally(count string) tally {
	t := tally{load: check.Free[count]}
	for _, trial := range c.counted() {
		t.values = append(t.values, trial.Counts[count])
	}
	return t
}

// trials is in how many trials it was not zero.
func (t tally) trials() int {
	n := 0
	for _, v := range t.values {
		if v != 0 {
			n++
		}
	}
	return n
}

func (t tally) sum() int {
	n := 0
	for _, v := range t.values {
		n += v
	}
	return n
}

// race tells whether the tally is read in trials and not in tasks.
func (t tally) race() bool {
	if len(t.values) == 0 || t.load {
		return false
	}
	lo, hi := slices.Min(t.values), slices.Max(t.values)
	return len(t.values) >= raceTrials || lo != hi && hi <= 1
}

// String is "1" where all trials agree, "12 of 50" trials for a race, "2-5"
// where a few trials differ, "-" without a trial that counts.
func (t tally) String() string {
	switch {
	case len(t.values) == 0:
		return "-"
	case t.race():
		return fmt.Sprintf("%d of %d", t.trials(), len(t.values))
	}
	lo, hi := slices.Min(t.values), slices.Max(t.values)
	if lo == hi {
		return strconv.Itoa(lo)
	}
	return fmt.Sprintf("%d-%d", lo, hi)
}

// detail is String and, for a race, what n trials can say: the bound.
func (t tally) detail() string {
	if !t.race() {
		return t.String()
	}
	return check.Frequency(t.trials(), len(t.values))
}

// median is the middle of the values, the lower one of two.
func median(values []float64) float64 {
	s := slices.Sorted(slices.Values(values))
	return s[(len(s)-1)/2]
}

// measures are the values of one measure over the trials that count and have
// it.
func (c *Cell) measures(name string) []float64 {
	var vs []float64
	for _, t := range c.counted() {
		if v, ok := t.Measures[name]; ok {
			vs = append(vs, v)
		}
	}
	return vs
}

// backAfter is the median time until another process had the task of the crash
// again, over the trials in which it came back. Where the victim had not begun
// any task, it is the first of those that it had received.
func (c *Cell) backAfter() (seconds float64, ok bool) {
	back := c.measures("back_after_seconds")
	if len(back) == 0 && !slices.ContainsFunc(c.measures("running"), func(n float64) bool { return n > 0 }) {
		back = c.measures("redelivery_seconds")
	}
	back = slices.DeleteFunc(back, func(s float64) bool { return s < 0 })
	if len(back) == 0 {
		return 0, false
	}
	return median(back), true
}

// held tells whether the broker still had the task of the crash when the run
// ended: something was stranded, and not because that task itself was lost.
func (c *Cell) held() bool {
	for _, t := range c.counted() {
		if t.Counts["stranded"] > 0 && (t.Measures["running"] == 0 || t.Measures["running_lost"] < t.Measures["running"]) {
			return true
		}
	}
	return false
}
