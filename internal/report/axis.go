package report

import (
	"fmt"
	"math"
	"slices"
)

// axis maps times to horizontal places. Long pauses in which nothing happens
// (a lease that runs out) are cut to a narrow band, so that milliseconds at
// both ends stay visible; every place that is cut is marked as such.
type axis struct {
	left, right float64
	parts       []axisPart
}

// axisPart is one stretch of the axis: from and to in seconds, x0 and x1 in
// pixels.
type axisPart struct {
	From, To, X0, X1 float64
	Cut              bool
}

// tick is a labelled time.
type tick struct {
	X     float64
	Label string
}

const (
	maxCuts   = 6
	cutPixels = 46.0
)

// newAxis makes an axis over the times, in seconds, at which something
// happened.
func newAxis(times []float64, left, right float64) axis {
	times = slices.Compact(slices.Sorted(slices.Values(times)))
	if len(times) == 0 {
		times = []float64{0}
	}
	if len(times) == 1 {
		times = append(times, times[0]+0.001)
	}
	a := axis{left: left, right: right}
	cuts := chooseCuts(times)
	shown := times[len(times)-1] - times[0]
	for _, i := range cuts {
		shown -= times[i+1] - times[i]
	}
	scale := (right - left - cutPixels*float64(len(cuts))) / shown
	x, from := left, times[0]
	for _, i := range append(cuts, len(times)-1) {
		if to := times[i]; to > from {
			a.parts = append(a.parts, axisPart{From: from, To: to, X0: x, X1: x + (to-from)*scale})
			x += (to - from) * scale
		}
		if i < len(times)-1 {
			a.parts = append(a.parts, axisPart{From: times[i], To: times[i+1], X0: x, X1: x + cutPixels, Cut: true})
			x += cutPixels
			from = times[i+1]
		}
	}
	return a
}

// chooseCuts are the pauses worth cutting, as indexes of the time before each:
// a pause that takes half of what is shown, or more.
func chooseCuts(times []float64) []int {
	pauses := make([]int, len(times)-1)
	for i := range pauses {
		pauses[i] = i
	}
	length := func(i int) float64 { return times[i+1] - times[i] }
	slices.SortStableFunc(pauses, func(a, b int) int {
		return int(math.Copysign(1, length(b)-length(a)))
	})
	shown := times[len(times)-1] - times[0]
	var cuts []int
	for _, i := range pauses {
		rest := shown - length(i)
		if len(cuts) == maxCuts || rest <= 0 || length(i) < rest {
			break
		}
		cuts = append(cuts, i)
		shown = rest
	}
	slices.Sort(cuts)
	return cuts
}

// x is where the time is; what is outside of the axis is at its end.
func (a axis) x(t float64) float64 {
	for _, p := range a.parts {
		if t <= p.To {
			return p.X0 + (max(t, p.From)-p.From)/(p.To-p.From)*(p.X1-p.X0)
		}
	}
	return a.right
}

// ticks are round times, none closer than 70 pixels to the one before.
func (a axis) ticks() []tick {
	var ts []tick
	last := math.Inf(-1)
	for _, p := range a.parts {
		if p.Cut {
			continue
		}
		step := roundStep((p.To - p.From) * 90 / max(p.X1-p.X0, 1))
		for n := math.Ceil(p.From / step); n*step <= p.To; n++ {
			if x := a.x(n * step); x-last >= 70 {
				ts = append(ts, tick{x, tickLabel(n*step, step)})
				last = x
			}
		}
	}
	return ts
}

// roundStep is the smallest of 1, 2, 5 times a power of ten that is not below
// s.
func roundStep(s float64) float64 {
	p := math.Pow(10, math.Floor(math.Log10(max(s, 1e-6))))
	for _, m := range []float64{1, 2, 5} {
		if m*p >= s {
			return m * p
		}
	}
	return 10 * p
}

// tickLabel is the time with as many digits as the step needs.
func tickLabel(t, step float64) string {
	digits := max(0, int(math.Ceil(-math.Log10(step)-1e-9)))
	if step < 0.1 && t < 1 {
		return fmt.Sprintf("%.*f ms", max(0, digits-3), t*1000)
	}
	return fmt.Sprintf("%.*f s", digits, t)
}
