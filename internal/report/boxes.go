package report

import (
	"fmt"
	"math"
	"slices"
)

// boxChart shows one measure of an experiment over its cells: a bar from the
// least to the most of the trials that count, a mark at the median.
type boxChart struct {
	Measure       string
	Width, Height float64
	Left, Right   float64
	Log           bool // a scale by powers of ten
	Ticks         []tick
	Rows          []boxRow
	More          int // cells that did not fit
}

type boxRow struct {
	Name, Anchor, Text string
	Y, X0, X1, Mid     float64
}

// Measures of the boxes, in pixels, and how many rows one chart has.
const (
	boxWidth = 1100.0
	boxLeft  = 430.0
	boxRight = 970.0
	boxPitch = 20.0
	boxTop   = 26.0
	boxLimit = 40
)

// boxCharts are the charts of the measures that differ between cells, in the
// order of their names. A measure that one cell alone has makes no chart.
func boxCharts(e *Experiment, anchors map[*Cell]string) []boxChart {
	names := map[string]bool{}
	for _, c := range e.cells() {
		for _, name := range measureNames(c) {
			names[name] = true
		}
	}
	var charts []boxChart
	for _, name := range sortedKeys(names) {
		if b, ok := newBoxChart(name, e.cells(), anchors); ok {
			charts = append(charts, b)
		}
	}
	return charts
}

func newBoxChart(name string, cells []*Cell, anchors map[*Cell]string) (boxChart, bool) {
	b := boxChart{Measure: words(name), Width: boxWidth, Left: boxLeft, Right: boxRight}
	var values [][]float64
	lo, hi, least := math.Inf(1), math.Inf(-1), math.Inf(1)
	for _, c := range cells {
		vs := slices.DeleteFunc(c.measures(name), func(v float64) bool { return math.IsNaN(v) || math.IsInf(v, 0) })
		if len(vs) == 0 {
			continue
		}
		if len(b.Rows) == boxLimit {
			b.More++
			continue
		}
		values = append(values, vs)
		b.Rows = append(b.Rows, boxRow{Name: cellName(c), Anchor: anchors[c], Text: spread(name, vs)})
		for _, v := range vs {
			lo, hi = min(lo, v), max(hi, v)
			if v > 0 {
				least = min(least, v)
			}
		}
	}
	if len(b.Rows) < 2 || lo == hi {
		return b, false
	}
	b.Log = lo > 0 && hi/least > 100
	from, to := min(0, lo), max(0, hi)
	if b.Log {
		from, to = math.Log10(lo), math.Log10(hi)
	}
	at := func(v float64) float64 {
		if b.Log {
			v = math.Log10(v)
		}
		return boxLeft + (v-from)/(to-from)*(boxRight-boxLeft)
	}
	for i := range b.Rows {
		r := &b.Rows[i]
		r.Y = boxTop + boxPitch*float64(i)
		r.X0, r.X1, r.Mid = at(slices.Min(values[i])), at(slices.Max(values[i])), at(median(values[i]))
	}
	b.Height = boxTop + boxPitch*float64(len(b.Rows)) + 6
	b.Ticks = boxTicks(name, from, to, b.Log, at)
	return b, true
}

// boxTicks are some round values of the measure.
func boxTicks(name string, from, to float64, log bool, at func(float64) float64) []tick {
	var ticks []tick
	add := func(v float64) { ticks = append(ticks, tick{at(v), measure(name, v)}) }
	if log {
		step := math.Ceil((to - from) / 6)
		for p := math.Ceil(from); p <= to; p += step {
			add(math.Pow(10, p))
		}
		return ticks
	}
	step := roundStep((to - from) / 6)
	for n := math.Ceil(from / step); n*step <= to; n++ {
		add(n * step)
	}
	return ticks
}

// Title says what the chart is about.
func (b boxChart) Title() string {
	text := b.Measure
	if b.Log {
		text += " (scale by powers of ten)"
	}
	if b.More > 0 {
		text += fmt.Sprintf(", the first %d cells of %d", len(b.Rows), len(b.Rows)+b.More)
	}
	return text
}

// Label is the row's name, shortened to its place.
func (r boxRow) Label() string {
	if rs := []rune(r.Name); len(rs) > 62 {
		return string(rs[:61]) + "…"
	}
	return r.Name
}
