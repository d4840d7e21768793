package report

import (
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"acklab/internal/check"
	"acklab/internal/ledger"
)

// Caps of a trial's page, each stated where it bites.
const (
	pageFates = 200  // rows of the table of fates
	pageLines = 1000 // ledger lines of one process
	pageRows  = 40   // rows of one lane
)

// Measures of the drawing, in pixels.
const (
	chartWidth = 1180.0
	chartLeft  = 132.0
	chartRight = 1164.0
	chartTop   = 34.0
)

// trialPage is what trials/<id>.html shows.
type trialPage struct {
	Trial   ledger.Trial
	Setting string
	Cell    *Cell
	Result  check.Result
	Broken  string // why there is no timeline
	Chart   svgChart
	Tasks   string // "first 200 of 10,000 tasks"
	Fates   []fateRow
	MoreFates,
	TotalFates int
	Files    []fileView
	Observed *observed // nil: nobody asked for it
	Data     []plotData
	Anchor   string // of its cell on the run's page
}

type fateRow struct {
	check.Fate
	Short   string
	Class   string // for colour
	Back    string
	Verdict string
}

type fileView struct {
	Name, Ended, Damage string
	Link                string // the ledger itself, relative to the page
	Lines               []lineView
	First, Total        int // how many lines from the first on are there; and all
}

// lineView is one line of a ledger: Number from 1, and the place of the
// drawing that it is part of.
type lineView struct {
	Number                       int
	ID, Clock, Event, Text, Task string
	Back                         string
}

// lineID is the anchor of a ledger's line: the process by its place in the
// trial, the line by its number.
func lineID(process, line int) string { return fmt.Sprintf("l-%d-%d", process, line) }

// drawnID is the anchor of what is drawn for a line: a delivery, a mark, a
// fault.
func drawnID(process, line int) string { return fmt.Sprintf("d-%d-%d", process, line) }

// svgChart is the drawing with every place computed.
type svgChart struct {
	Width, Height float64
	Left, Right   float64
	Top, Bottom   float64
	Lanes         []svgLane
	Shades        []svgRect
	Ticks         []tick
	Cuts          []svgCut
}

type svgLane struct {
	Name, Ended    string
	Y, H, Mid      float64
	X0, X1         float64
	Killed         bool
	KillX          float64
	KillTitle      string
	KillHref       string // the victim's last line
	Bars           []svgBar
	Marks          []svgMark
	Hidden         int // rows that did not fit
	LabelY, EndedY float64
}

type svgBar struct {
	X, Y, W, H float64
	Task       string
	Class      string
	Again      bool
	Open       bool
	Runs       []svgRect
	Title      string
	ID, Href   string // its own anchor; its first line
}

type svgRect struct {
	X, Y, W, H float64
	Moment     bool // a fault that was injected and not healed: a kill
	Title      string
	Label      string
	ID, Href   string
}

type svgMark struct {
	X, Y        float64
	Kind, Title string
	ID, Href    string
}

type svgCut struct {
	X, W  float64
	Label string
}

// newTrialPage gathers the page of one trial; cell may be nil.
func newTrialPage(t ledger.Trial, files map[string]ledger.File, cell *Cell) trialPage {
	p := trialPage{Trial: t, Setting: setting(t.Setting), Cell: cell, Result: check.Judge(t, files)}
	fates := slices.Clone(p.Result.Fates)
	slices.SortStableFunc(fates, func(a, b check.Fate) int { return b2i(odd(b)) - b2i(odd(a)) })
	c := newChart(t, files, fates)
	p.Chart = c.place()
	p.Tasks = plural(c.Tasks, "task")
	if c.Drawn < c.Tasks {
		p.Tasks = fmt.Sprintf("%d of %d tasks: those to which more happened than that they ran once come first", c.Drawn, c.Tasks)
	}
	p.TotalFates = len(fates)
	for _, f := range fates[:min(len(fates), pageFates)] {
		p.Fates = append(p.Fates, newFateRow(f))
	}
	p.MoreFates = len(fates) - len(p.Fates)
	zero := firstMono(t, files)
	back := c.places()
	for i, proc := range t.Processes {
		f, ok := fileOf(files, proc)
		v := fileView{Name: proc.Name, Ended: ended(proc), Damage: f.Damage, First: min(len(f.Lines), pageLines), Total: len(f.Lines)}
		if ok && filepath.IsLocal(t.ID) && filepath.IsLocal(proc.File) {
			v.Link = linkTo("../ledger/" + t.ID + "/" + proc.File)
		}
		switch {
		case !ok:
			v.Damage = "there is no ledger"
		case f.Torn:
			v.Damage = strings.TrimPrefix(v.Damage+"; the last line is torn", "; ")
		}
		for n, l := range f.Lines {
			id := lineID(i, n+1)
			if n >= pageLines && back[id] == "" {
				continue
			}
			v.Lines = append(v.Lines, lineView{n + 1, id, clock(max(0, seconds(l.Mono-zero))), string(l.Event), strings.TrimPrefix(lineText(l), string(l.Event)+" "), l.Task, back[id]})
		}
		p.Files = append(p.Files, v)
	}
	return p
}

// places says where each line is drawn: the anchor of the drawing by that of
// the line.
func (c chart) places() map[string]string {
	back := map[string]string{}
	for i, l := range c.Lanes {
		for _, m := range l.Marks {
			back[lineID(i, m.Ref)] = drawnID(i, m.Ref)
		}
		for _, b := range l.Bars {
			for _, ref := range b.Refs {
				if b.Row < pageRows {
					back[lineID(i, ref)] = drawnID(i, b.Refs[0])
				}
			}
		}
		if l.Killed && l.Last > 0 && back[lineID(i, l.Last)] == "" {
			back[lineID(i, l.Last)] = "timeline"
		}
	}
	for _, f := range c.Faults {
		back[lineID(f.Lane, f.Ref)] = drawnID(f.Lane, f.Ref)
	}
	return back
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

func newFateRow(f check.Fate) fateRow {
	r := fateRow{Fate: f, Short: f.Task, Class: colour(f), Back: "-"}
	if len(r.Short) > 13 {
		r.Short = r.Short[:13] + "…"
	}
	if f.BackAfter > 0 {
		r.Back = Duration(f.BackAfter)
	}
	r.Verdict = string(f.Class)
	if f.Cause != "" {
		r.Verdict += " (" + string(f.Cause) + ")"
	}
	if f.Finishes > 1 {
		r.Verdict += ", repeated"
	}
	return r
}

// colour is the kind of a fate that the page colours: lost, twice, held, or
// ok.
func colour(f check.Fate) string {
	switch {
	case f.Class == check.Lost || f.Class == check.Phantom || f.Class == check.Unexpected || f.Class == check.Unaccounted:
		return "lost"
	case f.Finishes > 1:
		return "twice"
	case f.Class == check.Finished || f.Class == check.Recovered:
		return "ok"
	default:
		return "held"
	}
}

// place computes where everything is drawn.
func (c chart) place() svgChart {
	a := newAxis(c.Times, chartLeft, chartRight)
	s := svgChart{Width: chartWidth, Left: chartLeft, Right: chartRight, Top: chartTop, Ticks: a.ticks()}
	y := chartTop + 8
	for i, l := range c.Lanes {
		sl := placeLane(i, l, a, y)
		s.Lanes = append(s.Lanes, sl)
		y += sl.H + 10
	}
	s.Bottom, s.Height = y, y+26
	for _, p := range a.parts {
		if p.Cut {
			s.Cuts = append(s.Cuts, svgCut{p.X0, p.X1 - p.X0, Duration(p.To - p.From)})
		}
	}
	for _, f := range c.Faults {
		x0, x1 := a.x(f.From), a.x(f.To)
		s.Shades = append(s.Shades, svgRect{X: x0, Y: s.Top, W: max(2, x1-x0), H: s.Bottom - s.Top, Title: f.Title, Label: f.Fault, Moment: f.From == f.To, ID: drawnID(f.Lane, f.Ref), Href: "#" + lineID(f.Lane, f.Ref)})
	}
	return s
}

func placeLane(process int, l lane, a axis, y float64) svgLane {
	rows := min(l.Rows, pageRows)
	pitch := 12.0
	if rows > 12 {
		pitch = 7
	}
	s := svgLane{Name: l.Name, Ended: l.Ended, Y: y, X0: a.x(l.Start), X1: a.x(l.End), Killed: l.Killed, KillX: a.x(l.End), KillTitle: l.KillTitle}
	if l.Killed && l.Last > 0 {
		s.KillHref = "#" + lineID(process, l.Last)
	}
	body := max(float64(rows)*pitch, 22)
	s.H = body + 10
	s.Mid = y + s.H/2
	s.LabelY, s.EndedY = s.Mid-2, s.Mid+11
	top := y + 5 + (body-float64(rows)*pitch)/2
	for _, b := range l.Bars {
		if b.Row >= pageRows {
			s.Hidden++
			continue
		}
		by := top + float64(b.Row)*pitch
		sb := svgBar{X: a.x(b.From), Y: by, H: pitch - 2, Task: b.Task, Class: string(b.Class), Again: b.Again, Open: b.Open,
			Title: "task " + b.Task + " (" + string(b.Class) + ")\n" + strings.Join(b.Lines, "\n"),
			ID:    drawnID(process, b.Refs[0]), Href: "#" + lineID(process, b.Refs[0])}
		sb.W = max(3, a.x(b.To)-sb.X)
		for _, r := range b.Runs {
			x := a.x(r[0])
			sb.Runs = append(sb.Runs, svgRect{X: x, Y: by, W: max(2, a.x(r[1])-x), H: pitch - 2})
		}
		s.Bars = append(s.Bars, sb)
	}
	for _, m := range l.Marks {
		s.Marks = append(s.Marks, svgMark{a.x(m.At), s.Mid, m.Kind, m.Title, drawnID(process, m.Ref), "#" + lineID(process, m.Ref)})
	}
	return s
}

// write renders the page.
func (p trialPage) write(w io.Writer) error { return pages.ExecuteTemplate(w, "trial.html", p) }
