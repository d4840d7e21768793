package report

import (
	"math"
	"slices"
	"strings"
	"time"

	"acklab/internal/check"
)

// notableRatio is from where on the median of a measure is called different,
// when no value of the one run is among those of the other either.
const notableRatio = 1.5

// Comparison is what differs between two runs, A and B.
type Comparison struct {
	Runs        [2]Compared         `json:"runs"` // A and B
	Same        bool                `json:"same"` // all verdicts that both runs have are the same, and there are some
	Verdicts    []VerdictDifference `json:"verdicts"`
	Agreed      int                 `json:"verdicts_agreed"`
	Servers     []VersionDifference `json:"servers"`
	Cells       []CellDifference    `json:"cells"`
	Shared      int                 `json:"cells_shared"`
	OnlyVerdict [2][]string         `json:"claims_only"` // claims of which one run alone speaks
	OnlyCells   []OnlyCells         `json:"cells_only"`
}

// Compared is one of the two runs.
type Compared struct {
	Name    string            `json:"name"`
	Started time.Time         `json:"started"`
	Servers map[string]string `json:"servers"`
}

// VerdictDifference is a claim on which the runs differ.
type VerdictDifference struct {
	Claim    string    `json:"claim"`
	Verdicts [2]string `json:"verdicts"`
	Because  [2]string `json:"because"`
}

// VersionDifference is a server that the runs have in different versions;
// empty: one of them has none.
type VersionDifference struct {
	Server   string    `json:"server"`
	Versions [2]string `json:"versions"`
}

// OnlyCells are the cells of one experiment that one run alone has.
type OnlyCells struct {
	Experiment string   `json:"experiment"`
	Run        int      `json:"run"` // 0: A, 1: B
	Cells      []string `json:"cells"`
}

// CellDifference is a cell that both runs have and in which they differ.
type CellDifference struct {
	Experiment string            `json:"experiment"`
	System     string            `json:"system"`
	Setting    map[string]string `json:"setting"`
	Outcomes   *[2]string        `json:"outcomes,omitempty"` // nil: the same
	Counts     []CountDifference `json:"counts,omitempty"`
	Measures   []MeasureChange   `json:"measures,omitempty"`
}

// CountDifference is a count that left the bounds of the other run: what that
// one had predicted, all that it had counted, or how often chance allows it.
type CountDifference struct {
	Count  string    `json:"count"`
	Values [2]string `json:"values"` // as the tables have them: "1", "12 of 50"
	Why    string    `json:"why"`
}

// MeasureChange is a measure whose values do not overlap and whose medians are
// far apart. Ratio is B to A; nil where one of them is zero.
type MeasureChange struct {
	Measure string     `json:"measure"`
	Medians [2]float64 `json:"medians"`
	Ratio   *float64   `json:"ratio,omitempty"`
}

// Compare says what differs between two runs. The names are what the runs are
// called in the text.
func Compare(nameA string, a Run, nameB string, b Run) Comparison {
	c := Comparison{
		Runs:     [2]Compared{{nameA, a.Started, a.Servers}, {nameB, b.Started, b.Servers}},
		Verdicts: []VerdictDifference{}, Servers: []VersionDifference{}, Cells: []CellDifference{},
		OnlyVerdict: [2][]string{{}, {}}, OnlyCells: []OnlyCells{},
	}
	c.compareVerdicts(a, b)
	c.compareServers(a, b)
	c.compareCells(a, b)
	c.Same = len(c.Verdicts) == 0 && c.Agreed > 0
	return c
}

// spoken is the verdict on each claim of which a cell of the run speaks.
func spoken(run Run) (claims []string, verdicts map[string]Verdict) {
	verdicts = map[string]Verdict{}
	for i := range run.Experiments {
		e := &run.Experiments[i]
		for _, v := range e.Verdicts {
			if _, seen := verdicts[v.Claim]; !seen && (v.Verdict != check.NotRun || e.covers(v.Claim)) {
				claims = append(claims, v.Claim)
				verdicts[v.Claim] = v
			}
		}
	}
	slices.SortFunc(claims, byClaim)
	return claims, verdicts
}

func (c *Comparison) compareVerdicts(a, b Run) {
	claimsA, inA := spoken(a)
	claimsB, inB := spoken(b)
	for _, claim := range claimsA {
		va, vb := inA[claim], inB[claim]
		switch {
		case vb.Claim == "":
			c.OnlyVerdict[0] = append(c.OnlyVerdict[0], claim)
		case va.Verdict != vb.Verdict:
			c.Verdicts = append(c.Verdicts, VerdictDifference{claim, [2]string{va.Verdict, vb.Verdict}, [2]string{va.Because, vb.Because}})
		default:
			c.Agreed++
		}
	}
	for _, claim := range claimsB {
		if inA[claim].Claim == "" {
			c.OnlyVerdict[1] = append(c.OnlyVerdict[1], claim)
		}
	}
}

func (c *Comparison) compareServers(a, b Run) {
	all := map[string]bool{}
	for _, servers := range []map[string]string{a.Servers, b.Servers} {
		for name := range servers {
			all[name] = true
		}
	}
	for _, name := range sortedKeys(all) {
		if va, vb := a.Servers[name], b.Servers[name]; va != vb {
			c.Servers = append(c.Servers, VersionDifference{name, [2]string{va, vb}})
		}
	}
}

func (c *Comparison) compareCells(a, b Run) {
	inA, inB := cellIndex(a), cellIndex(b)
	for i := range a.Experiments {
		e := &a.Experiments[i]
		var only []string
		for _, ca := range e.cells() {
			cb := inB[cellKey(e, ca)]
			if cb == nil {
				only = append(only, cellName(ca))
				continue
			}
			c.Shared++
			if d, differs := compareCell(ca, cb); differs {
				d.Experiment = e.Name
				c.Cells = append(c.Cells, d)
			}
		}
		c.only(e.Name, 0, only)
	}
	for i := range b.Experiments {
		e := &b.Experiments[i]
		var only []string
		for _, cb := range e.cells() {
			if inA[cellKey(e, cb)] == nil {
				only = append(only, cellName(cb))
			}
		}
		c.only(e.Name, 1, only)
	}
}

func (c *Comparison) only(experiment string, run int, cells []string) {
	if len(cells) > 0 {
		c.OnlyCells = append(c.OnlyCells, OnlyCells{experiment, run, cells})
	}
}

func cellIndex(run Run) map[string]*Cell {
	index := map[string]*Cell{}
	for i := range run.Experiments {
		e := &run.Experiments[i]
		for _, c := range e.cells() {
			index[cellKey(e, c)] = c
		}
	}
	return index
}

func cellKey(e *Experiment, c *Cell) string { return e.Name + "\x00" + cellName(c) }

// cellName is the cell's system and setting in one line.
func cellName(c *Cell) string {
	if s := setting(c.Setting); s != "" {
		return c.System + " " + s
	}
	return c.System
}

// compareCell compares what two runs of one cell counted and measured. A cell
// that one of them did not run, or has no sure trial of, differs in its
// outcome alone.
func compareCell(a, b *Cell) (CellDifference, bool) {
	d := CellDifference{System: a.System, Setting: a.Setting}
	if a.Outcome != b.Outcome {
		d.Outcomes = &[2]string{a.Outcome, b.Outcome}
	}
	if len(a.counted()) > 0 && len(b.counted()) > 0 {
		apart := left(a, b)
		for _, name := range check.Names {
			if why := countDiffers(name, a, b, apart[name]); why != "" {
				d.Counts = append(d.Counts, CountDifference{name, [2]string{a.tally(name).String(), b.tally(name).String()}, why})
			}
		}
		names := map[string]bool{}
		for _, name := range append(measureNames(a), measureNames(b)...) {
			names[name] = true
		}
		for _, name := range sortedKeys(names) {
			if m, differs := measureDiffers(name, a.measured(name), b.measured(name)); differs {
				d.Measures = append(d.Measures, m)
			}
		}
	}
	return d, d.Outcomes != nil || len(d.Counts) > 0 || len(d.Measures) > 0
}

// measured are the values of a measure; one that the checker makes of every
// victim is zero where a small report leaves it out.
func (c *Cell) measured(name string) []float64 {
	vs := c.measures(name)
	if len(vs) == 0 && slices.Contains(check.MeasureNames, name) {
		return []float64{0}
	}
	return vs
}

// countDiffers says why the two cells differ in the count; empty: they do not.
// left: in one of them alone it is outside of a prediction.
func countDiffers(name string, a, b *Cell, left bool) string {
	ta, tb := a.tally(name), b.tally(name)
	quiet := check.Free[name] && name != "finished" // follows the load
	switch {
	case slices.Max(ta.values) == 0 && slices.Max(tb.values) == 0:
		return ""
	case left:
		return "outside of what the other run predicted"
	case quiet && !a.states(name) && !b.states(name):
		return ""
	case ta.race() && tb.race():
		if rateDiffers(ta.trials(), len(ta.values), tb.trials(), len(tb.values)) {
			return "more often than chance allows"
		}
	case slices.Max(ta.values) < slices.Min(tb.values) || slices.Max(tb.values) < slices.Min(ta.values):
		return "no trial of the one counted what a trial of the other did"
	}
	return ""
}

// left are the counts that leave the prediction of one of the two cells in the
// trials of the other, and not in its own.
func left(a, b *Cell) map[string]bool {
	names := map[string]bool{}
	for _, pair := range [][2]*Cell{{a, b}, {b, a}} {
		own := leavers(pair[1].Predicted, pair[1])
		for name := range leavers(pair[1].Predicted, pair[0]) {
			names[name] = names[name] || !own[name]
		}
	}
	return names
}

// leavers are the names of what leaves the bounds in a trial of the cell.
func leavers(bounds check.Bounds, c *Cell) map[string]bool {
	names := map[string]bool{}
	for _, t := range c.counted() {
		for _, violation := range check.Within(bounds, t.result()) {
			name, _, _ := strings.Cut(violation, " ")
			names[name] = true
		}
	}
	return names
}

// rateDiffers tells whether each of two rates is outside of the one-sided 95 %
// bound of the other.
func rateDiffers(k1, n1, k2, n2 int) bool {
	p1, p2 := float64(k1)/float64(n1), float64(k2)/float64(n2)
	if p1 > p2 {
		k1, n1, p1, k2, n2, p2 = k2, n2, p2, k1, n1, p1
	}
	upper := check.UpperBound95(k1, n1)
	lower := 1 - check.UpperBound95(n2-k2, n2)
	return p2 > upper && p1 < lower
}

func measureDiffers(name string, a, b []float64) (MeasureChange, bool) {
	if len(a) == 0 || len(b) == 0 {
		return MeasureChange{}, false
	}
	m := MeasureChange{Measure: name, Medians: [2]float64{median(a), median(b)}}
	apart := slices.Max(a) < slices.Min(b) || slices.Max(b) < slices.Min(a)
	if m.Medians[0] != 0 && m.Medians[1] != 0 && (m.Medians[0] < 0) == (m.Medians[1] < 0) {
		r := m.Medians[1] / m.Medians[0]
		m.Ratio = &r
		return m, apart && math.Abs(math.Log(r)) >= math.Log(notableRatio)
	}
	return m, apart
}
