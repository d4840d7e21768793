package report

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// boxes are the charts of an experiment's measures.
type boxes struct {
	Measures int // how many of them are drawn
	Charts   []boxChart
	Same     []string // the measures that no cell has otherwise: "days twice: 0 in all 60 cells"
}

// boxChart shows one measure over cells: a bar from the least to the most of
// the trials that count, a mark at the median. A measure of more cells than one
// chart shows has a chart for each system, all with the same scale.
type boxChart struct {
	Measure       string
	Part          string // which cells, where the measure has several charts
	Width, Height float64
	Left, Right   float64
	Log           bool // a scale by powers of ten
	Ticks         []tick
	Rows          []boxRow
}

// boxRow is one cell: Name is the whole of it, for the tooltip.
type boxRow struct {
	Name, Short, Anchor, Text string
	Y, X0, X1, Mid            float64
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

// boxed is a cell and the values of a measure that it has.
type boxed struct {
	cell   *Cell
	values []float64
}

// newBoxes draws the measures that differ between cells, in the order of their
// names, and names those that do not. A measure that one cell alone has is in
// neither.
func newBoxes(e *Experiment, anchors map[*Cell]string) boxes {
	names := map[string]bool{}
	for _, c := range e.cells() {
		for _, name := range measureNames(c) {
			names[name] = true
		}
	}
	var b boxes
	for _, name := range sortedKeys(names) {
		some := boxedCells(name, e.cells())
		if len(some) < 2 {
			continue
		}
		scale := newBoxScale(some)
		if scale.lo == scale.hi {
			b.Same = append(b.Same, sameEverywhere(name, scale.lo, len(some), e))
			continue
		}
		b.Measures++
		for _, part := range boxParts(some) {
			b.Charts = append(b.Charts, newBoxChart(name, part, scale, anchors))
		}
	}
	return b
}

// sameEverywhere says what a measure is in the n cells of the experiment that
// have it.
func sameEverywhere(name string, value float64, n int, e *Experiment) string {
	text := fmt.Sprintf("%s: %s in all %d cells", words(name), measure(name, value), n)
	if slices.ContainsFunc(e.cells(), func(c *Cell) bool { return len(c.counted()) > 0 && len(c.measures(name)) == 0 }) {
		text += " that have it"
	}
	return text
}

// boxedCells are the cells that have the measure.
func boxedCells(name string, cells []*Cell) []boxed {
	var some []boxed
	for _, c := range cells {
		vs := slices.DeleteFunc(c.measures(name), func(v float64) bool { return math.IsNaN(v) || math.IsInf(v, 0) })
		if len(vs) > 0 {
			some = append(some, boxed{c, vs})
		}
	}
	return some
}

// boxPart are the cells of one chart.
type boxPart struct {
	title string // "rabbitmq", or "" for all cells
	cells []boxed
}

// boxParts divides the cells into charts: all in one, or those of each system,
// and of one system as many as one chart shows at a time.
func boxParts(some []boxed) []boxPart {
	if len(some) <= boxLimit {
		return []boxPart{{cells: some}}
	}
	by := map[string][]boxed{}
	var cells []*Cell
	for _, s := range some {
		by[s.cell.System] = append(by[s.cell.System], s)
		cells = append(cells, s.cell)
	}
	var parts []boxPart
	for _, system := range ordered(cells, systems, func(c *Cell) string { return c.System }) {
		n := 0
		for few := range slices.Chunk(by[system], boxLimit) {
			title := system
			if len(by[system]) > boxLimit {
				title = fmt.Sprintf("%s, cells %d to %d of %d", system, n+1, n+len(few), len(by[system]))
			}
			n += len(few)
			parts = append(parts, boxPart{title, few})
		}
	}
	return parts
}

// boxScale is from the least to the most of a measure in all cells.
type boxScale struct {
	lo, hi   float64
	from, to float64 // what is drawn; the powers of ten when it is log
	log      bool
}

func newBoxScale(some []boxed) boxScale {
	s := boxScale{lo: math.Inf(1), hi: math.Inf(-1)}
	for _, b := range some {
		s.lo, s.hi = min(s.lo, slices.Min(b.values)), max(s.hi, slices.Max(b.values))
	}
	s.from, s.to = min(0, s.lo), max(0, s.hi)
	if s.log = s.lo > 0 && s.hi/s.lo > 100; s.log {
		s.from, s.to = math.Log10(s.lo), math.Log10(s.hi)
	}
	return s
}

// at is where a value stands, in pixels.
func (s boxScale) at(v float64) float64 {
	if s.log {
		v = math.Log10(v)
	}
	return boxLeft + (v-s.from)/(s.to-s.from)*(boxRight-boxLeft)
}

func newBoxChart(name string, part boxPart, scale boxScale, anchors map[*Cell]string) boxChart {
	b := boxChart{Measure: words(name), Part: part.title, Width: boxWidth, Left: boxLeft, Right: boxRight, Log: scale.log}
	for i, c := range part.cells {
		r := boxRow{Name: cellName(c.cell), Anchor: anchors[c.cell], Text: spread(name, c.values)}
		r.Short = r.Name
		if part.title != "" && len(c.cell.Setting) > 0 {
			r.Short = setting(c.cell.Setting)
		}
		r.Y = boxTop + boxPitch*float64(i)
		r.X0, r.X1, r.Mid = scale.at(slices.Min(c.values)), scale.at(slices.Max(c.values)), scale.at(median(c.values))
		b.Rows = append(b.Rows, r)
	}
	b.Height = boxTop + boxPitch*float64(len(b.Rows)) + 6
	b.Ticks = boxTicks(name, scale)
	return b
}

// boxTicks are some round values of the measure.
func boxTicks(name string, s boxScale) []tick {
	var ticks []tick
	add := func(v float64) { ticks = append(ticks, tick{s.at(v), measure(name, v)}) }
	if s.log {
		step := math.Ceil((s.to - s.from) / 6)
		for p := math.Ceil(s.from); p <= s.to; p += step {
			add(math.Pow(10, p))
		}
		return ticks
	}
	step := roundStep((s.to - s.from) / 6)
	for n := math.Ceil(s.from / step); n*step <= s.to; n++ {
		add(n * step)
	}
	return ticks
}

// Title says what the chart is about.
func (b boxChart) Title() string {
	text := b.Measure
	if b.Part != "" {
		text += ", " + b.Part
	}
	if b.Log {
		text += " (scale by powers of ten)"
	}
	return text
}

// Label is the row's name, shortened to its place.
func (r boxRow) Label() string {
	if rs := []rune(r.Short); len(rs) > 62 {
		return string(rs[:61]) + "…"
	}
	return r.Short
}

// Summary says how many measures there are: "5, and 2 the same everywhere".
func (b boxes) Summary() string {
	var parts []string
	if b.Measures > 0 {
		parts = append(parts, fmt.Sprint(b.Measures))
	}
	if n := len(b.Same); n > 0 {
		parts = append(parts, fmt.Sprintf("%d the same everywhere", n))
	}
	return strings.Join(parts, ", and ")
}
