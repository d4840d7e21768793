package report

import (
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"acklab/internal/check"
)

// indexPage is what index.html shows.
type indexPage struct {
	When, Servers string
	Sentences     []string
	Tiles         []tile
	Verdicts      []verdictView
	Experiments   []experimentView
	Host          []pair
	TimelineNote  string
	Data          []plotData // of all plots, in the order of the page
}

type tile struct {
	Outcome, Label, Tone string
	N                    int
}

type pair struct{ Key, Value string }

type verdictView struct {
	Verdict
	ID, Experiment, Anchor string
	Cells                  []claimCellView
}

// claimCellView is a cell as one claim sees it, with where it stands.
type claimCellView struct{ Claim, Anchor, Name, State, Tone string }

func (v verdictView) Claim() string   { return v.Verdict.Claim }
func (v verdictView) Because() string { return v.Verdict.Because }

type experimentView struct {
	Name, Question, Claims, Varied, Anchor string
	Grids                                  []gridView
	Prefetched                             string
	Outcomes                               []tile
	Cells                                  []cellView
	Plots                                  []plotView
	FirstPlot                              int // its place among the plots of the page
	Unobserved                             []string
	Boxes                                  boxes
}

type gridView struct {
	Title   string
	Systems []string
	Groups  []groupView
	Notes   []note
	Shown   []string
	Others  []string
}

type groupView struct {
	Title string
	Rows  []rowView
}

type rowView struct {
	Moment, Trials string
	Cells          []gridCellView
}

type gridCellView struct {
	gridCell
	Setting, Anchor, Title string
	LostSum, TwiceSum      int
	LostWide, TwiceWide    bool
}

type cellView struct {
	System, SettingText, Anchor, Predicted, Because, Outcome, Reason string
	Keys                                                             []pair
	Counts                                                           []countView
	Measures                                                         []measureView
	TrialsText, Timeline                                             string
	Columns                                                          []string
	Trials                                                           []trialView
	Claims                                                           []claimCellView
}

type countView struct {
	Name, Text, Detail, Tone string
	Sum, N                   int
}

type measureView struct{ Name, Label, Text, Median string }

type trialView struct {
	ID, Short, Timeline string
	Ledger              string // its folder, where it has no page
	Seed                int64
	Values              []valueView
	Why                 []string
}

type valueView struct {
	Name, Value, Text string
	Measure           bool
}

// newIndexPage gathers the page of the run in the folder dir; with ledgers the
// trials that have no page of their own lead to theirs.
func newIndexPage(dir string, run Run, ledgers bool) indexPage {
	p := indexPage{When: when(run), Servers: servers(run), Sentences: sentences(run), TimelineNote: timelineNote(run)}
	n := map[string]int{}
	for i := range run.Experiments {
		e := &run.Experiments[i]
		anchors := map[*Cell]string{}
		for j := range e.Cells {
			n[e.Cells[j].Outcome]++
			anchors[&e.Cells[j]] = cellAnchor(i, j)
		}
		v := newExperimentView(e, anchors, ledgers)
		v.Anchor = fmt.Sprintf("e-%d", i)
		v.Plots, v.Unobserved = observedCells(dir, e)
		v.FirstPlot = len(p.Data)
		p.Data = append(p.Data, plotsData(v.Plots)...)
		p.Experiments = append(p.Experiments, v)
		for _, verdict := range e.Verdicts {
			vv := verdictView{Verdict: verdict, ID: claimAnchor(verdict.Claim), Experiment: e.Name, Anchor: v.Anchor}
			for j := range e.Cells {
				if c := &e.Cells[j]; c.Claims[verdict.Claim] != nil {
					vv.Cells = append(vv.Cells, newClaimCellView(verdict.Claim, c, anchors[c]))
				}
			}
			p.Verdicts = append(p.Verdicts, vv)
		}
	}
	p.Tiles = tiles(n)
	for _, k := range slices.Sorted(maps.Keys(run.Servers)) {
		p.Host = append(p.Host, pair{k, run.Servers[k]})
	}
	for _, k := range slices.Sorted(maps.Keys(run.Host)) {
		p.Host = append(p.Host, pair{k, fmt.Sprint(run.Host[k])})
	}
	return p
}

// cellAnchor is where cell j of experiment i stands on the run's page.
func cellAnchor(i, j int) string { return fmt.Sprintf("c-%d-%d", i, j) }

// newClaimCellView says what the cell's sure trials say of the claim.
func newClaimCellView(claim string, c *Cell, anchor string) claimCellView {
	v := claimCellView{Claim: claim, Anchor: anchor, Name: cellName(c)}
	against := 0
	trials := c.counted()
	for _, t := range trials {
		if len(check.WithinStated(c.Claims[claim], t.result())) > 0 {
			against++
		}
	}
	switch n := len(trials); {
	case c.Outcome == NotRun:
		v.State = "not run"
	case n == 0 || c.Outcome == Unsure && n == len(c.Trials):
		v.State = "undecided"
	case against == 0:
		v.State, v.Tone = "holds", "good"
	case against == n:
		v.State, v.Tone = "does not hold", "lost"
	default:
		v.State, v.Tone = fmt.Sprintf("%d of %d against it", against, n), "twice"
	}
	return v
}

// observedCells are a plot for each cell of which Prometheus saw a trial, and
// a sentence for each reason why it saw none of some.
func observedCells(dir string, e *Experiment) (plots []plotView, unobserved []string) {
	why := map[string][]string{}
	var order []string
	for _, c := range e.cells() {
		reason, seen := "", false
		for _, t := range c.Trials {
			o := loadObserved(dir, t.ID, 0)
			if o == nil {
				continue
			}
			if p, ok := o.chosen(); ok && o.Missing == "" {
				p.Cell, p.Link = cellName(c), linkTo(t.Timeline)
				if p.Link != "" {
					p.Link += "#observed"
				}
				plots, seen = append(plots, p), true
				break
			}
			reason = orElse(o.Missing, "no plot has two samples")
		}
		if !seen && reason != "" {
			if why[reason] == nil {
				order = append(order, reason)
			}
			why[reason] = append(why[reason], cellName(c))
		}
	}
	for _, reason := range order {
		unobserved = append(unobserved, fmt.Sprintf("Not observed, because %s: %s.", strings.TrimSuffix(reason, "."), strings.Join(why[reason], "; ")))
	}
	return plots, unobserved
}

func when(run Run) string { return run.Started.UTC().Format("2006-01-02 15:04 MST") }

func tiles(n map[string]int) []tile {
	ts := []tile{
		{AsPredicted, "cells as predicted", "good", n[AsPredicted]},
		{Surprise, "surprises", "bad", n[Surprise]},
		{Unsure, "unsure", "warn", n[Unsure]},
		{NotRun, "not run", "", n[NotRun]},
	}
	for i := range ts {
		if ts[i].N == 0 {
			ts[i].Tone = ""
		}
	}
	return ts
}

func newExperimentView(e *Experiment, anchors map[*Cell]string, ledgers bool) experimentView {
	v := experimentView{Name: e.Name, Question: e.Question, Claims: strings.Join(e.Claims, ", "), Varied: varied(e)}
	n := map[string]int{}
	for i := range e.Cells {
		c := &e.Cells[i]
		n[c.Outcome]++
		v.Cells = append(v.Cells, newCellView(c, anchors[c], ledgers))
	}
	for _, t := range tiles(n) {
		if t.N > 0 {
			v.Outcomes = append(v.Outcomes, t)
		}
	}
	v.Boxes = newBoxes(e, anchors)
	if e.Name == Flagship {
		v.Prefetched = prefetchedLine(e)
		v.Grids = gridViews(e, anchors)
	}
	return v
}

// gridViews are the answer table and, behind it, one table for each
// arrangement that it does not show whole.
func gridViews(e *Experiment, anchors map[*Cell]string) []gridView {
	cells := e.cells()
	g := newGrid(cells)
	if len(g.Groups) == 0 {
		return nil
	}
	views := []gridView{newGridView(g, "", anchors)}
	for _, a := range g.Hidden {
		some := slices.DeleteFunc(slices.Clone(cells), func(c *Cell) bool { return arrangement(c) != a })
		views = append(views, newGridView(newGrid(some), a, anchors))
	}
	return views
}

func newGridView(g grid, title string, anchors map[*Cell]string) gridView {
	v := gridView{Title: "the same table for " + title, Systems: g.Systems, Notes: g.Notes, Shown: g.Shown, Others: g.Others}
	for _, group := range g.Groups {
		gv := groupView{Title: ackTitle(group.Ack)}
		for _, row := range group.Rows {
			rv := rowView{Moment: row.Moment, Trials: row.Trials}
			for _, c := range row.Cells {
				rv.Cells = append(rv.Cells, newGridCellView(c, anchors))
			}
			gv.Rows = append(gv.Rows, rv)
		}
		v.Groups = append(v.Groups, gv)
	}
	return v
}

func newGridCellView(c gridCell, anchors map[*Cell]string) gridCellView {
	v := gridCellView{gridCell: c}
	if c.Cell == nil {
		return v
	}
	v.Setting, v.Anchor = setting(c.Cell.Setting), anchors[c.Cell]
	v.Title = c.Cell.System + " " + v.Setting + "\n" + c.Cell.Outcome
	if c.Cell.Reason != "" {
		v.Title += ": " + c.Cell.Reason
	}
	if c.Word != "" {
		if c.Note != "" {
			v.gridCell.Word += " [" + c.Note + "]"
		}
		return v
	}
	lost, twice := c.Cell.tally("lost"), c.Cell.tally("repeated")
	v.Title += fmt.Sprintf("\nlost %s\nran twice %s\nback after %s", lost.detail(), twice.detail(), c.Back)
	if c.Cell.Because != "" {
		v.Title += "\n" + c.Cell.Because
	}
	v.LostSum, v.TwiceSum = lost.sum(), twice.sum()
	v.gridCell.Lost, v.gridCell.Twice = short(c.Lost), short(c.Twice)
	v.LostWide, v.TwiceWide = len(v.gridCell.Lost) > 3, len(v.gridCell.Twice) > 3
	return v
}

func newCellView(c *Cell, anchor string, ledgers bool) cellView {
	v := cellView{System: c.System, SettingText: setting(c.Setting), Anchor: anchor, Predicted: predictedText(c), Because: c.Because, Outcome: c.Outcome, Reason: c.Reason}
	for _, k := range settingKeys(c.Setting) {
		v.Keys = append(v.Keys, pair{k, c.Setting[k]})
	}
	names := telling(c)
	for _, name := range names {
		t := c.tally(name)
		v.Counts = append(v.Counts, countView{name, t.String(), t.detail(), tone(name, t), t.sum(), len(t.values)})
	}
	measures := measureNames(c)
	for _, name := range measures {
		vs := c.measures(name)
		v.Measures = append(v.Measures, measureView{name, words(name), spread(name, vs), strconv.FormatFloat(median(vs), 'g', -1, 64)})
	}
	for _, name := range []string{"lost", "repeated"} {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	names = slices.SortedFunc(slices.Values(names), func(a, b string) int { return position(check.Names, a) - position(check.Names, b) })
	v.Columns = slices.Concat(names, measures)
	for i, t := range c.Trials {
		tv := newTrialView(i, t, names, measures)
		if ledgers && t.Timeline == "" && filepath.IsLocal(t.ID) {
			tv.Ledger = linkTo("ledger/" + t.ID + "/")
		}
		v.Trials = append(v.Trials, tv)
	}
	for _, claim := range slices.SortedFunc(maps.Keys(c.Claims), byClaim) {
		cv := newClaimCellView(claim, c, claimAnchor(claim))
		v.Claims = append(v.Claims, cv)
	}
	if len(v.Trials) > 0 {
		v.Timeline = v.Trials[0].Timeline
	}
	v.TrialsText = plural(len(c.Trials), "trial")
	return v
}

func newTrialView(i int, t Trial, counts, measures []string) trialView {
	v := trialView{ID: t.ID, Short: fmt.Sprintf("trial %d", i+1), Timeline: linkTo(t.Timeline), Seed: t.Seed, Why: slices.Concat(t.Unsure, t.Broken)}
	for _, name := range counts {
		n := strconv.Itoa(t.Counts[name])
		v.Values = append(v.Values, valueView{Name: name, Value: n, Text: n})
	}
	for _, name := range measures {
		value := valueView{Name: name, Text: "-", Measure: true}
		if m, ok := t.Measures[name]; ok {
			value.Value, value.Text = strconv.FormatFloat(m, 'g', -1, 64), measure(name, m)
		}
		v.Values = append(v.Values, value)
	}
	return v
}

// tone colours a count: what is lost, what ran twice, what is held.
func tone(name string, t tally) string {
	switch {
	case t.sum() == 0:
		return ""
	case check.Never[name] || strings.HasPrefix(name, "lost"):
		return "lost"
	case name == "repeated" || name == "copied":
		return "twice"
	case name == "stranded" || name == "dead" || name == "leftover" || name == "failed":
		return "held"
	case name == "finished":
		return "good"
	}
	return ""
}

func (p indexPage) write(w io.Writer) error { return pages.ExecuteTemplate(w, "index.html", p) }
