package report

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Flagship is the experiment whose cells are laid out as system x
// acknowledgement x moment of the crash.
const Flagship = "worker-crash"

// systems and moments are the orders in which a reader expects them; what is
// in neither list comes after, in the order of the run.
var (
	systems = []string{"memory", "asynq", "redis", "rabbitmq", "rabbitmq-quorum", "celery+redis", "celery+rabbitmq"}
	acks    = []string{"early", "late", "none"}
	moments = []string{"before-fetch", "fetched", "ack-sent", "acked", "started", "mid", "finished", "result-stored", "late-ack-sent", "late-acked"}
	// arrangements in the order in which one is chosen for the table.
	preferred = []string{"then=survivor", "then=none", "then=restart", "wait=lease", "wait=none"}
)

// grid is the flagship's table: one row a moment, one column a system.
type grid struct {
	Systems []string
	Groups  []gridGroup
	Notes   []note   // what the letters in the cells mean
	Shown   []string // "then=survivor wait=lease: asynq, redis"
	Others  []string // what the other arrangements did, compared with the table
	Hidden  []string // the arrangements that have cells which the table does not show
}

type gridGroup struct {
	Ack  string
	Rows []gridRow
}

type gridRow struct {
	Moment string
	Trials string // "50x" when the row is a race
	Cells  []gridCell
}

// gridCell is what one cell did: three numbers, or a word why there are none.
type gridCell struct {
	Cell              *Cell // nil: the run had no such cell
	Lost, Twice, Back string
	Word              string // "no point", "unsure", ... instead of the numbers
	Note              string // letter of a note
}

type note struct{ Letter, Text string }

// inGrid tells whether the cell has an acknowledgement and a moment.
func inGrid(c *Cell) bool { return c.Setting["ack"] != "" && c.Setting["crash_at"] != "" }

// newGrid lays out those of the cells that have a place in the grid.
func newGrid(all []*Cell) grid {
	cells := slices.DeleteFunc(slices.Clone(all), func(c *Cell) bool { return !inGrid(c) })
	var g grid
	g.Systems = ordered(cells, systems, func(c *Cell) string { return c.System })
	shown := choose(cells)
	for _, ack := range ordered(cells, acks, func(c *Cell) string { return c.Setting["ack"] }) {
		group := gridGroup{Ack: ack}
		for _, moment := range ordered(of(cells, ack), moments, func(c *Cell) string { return c.Setting["crash_at"] }) {
			group.Rows = append(group.Rows, g.row(ack, moment, shown))
		}
		g.Groups = append(g.Groups, group)
	}
	g.describeShown(shown)
	g.describeOthers(cells, shown)
	return g
}

// place is where a cell stands in the grid.
type place struct{ system, ack, moment string }

func placeOf(c *Cell) place { return place{c.System, c.Setting["ack"], c.Setting["crash_at"]} }

// choose picks the cell that each place shows: the arrangement that comes
// first in preferred.
func choose(cells []*Cell) map[place]*Cell {
	shown := map[place]*Cell{}
	for _, c := range cells {
		p := placeOf(c)
		if old := shown[p]; old == nil || rank(c) < rank(old) || rank(c) == rank(old) && arrangement(c) < arrangement(old) {
			shown[p] = c
		}
	}
	return shown
}

func rank(c *Cell) int {
	n := 0
	for i, p := range preferred {
		key, value, _ := strings.Cut(p, "=")
		if c.Setting[key] == value {
			n += 1 << i
		}
	}
	return n
}

// arrangement is the rest of a cell's setting: what is neither the
// acknowledgement nor the moment.
func arrangement(c *Cell) string {
	s := maps.Clone(c.Setting)
	delete(s, "ack")
	delete(s, "crash_at")
	return setting(s)
}

func (g *grid) row(ack, moment string, shown map[place]*Cell) gridRow {
	r := gridRow{Moment: moment}
	least, most := 0, 0
	for _, system := range g.Systems {
		c := shown[place{system, ack, moment}]
		if c != nil {
			if n := len(c.counted()); n >= raceTrials {
				most = max(most, n)
				if least == 0 || n < least {
					least = n
				}
			}
		}
		r.Cells = append(r.Cells, g.cell(c))
	}
	switch {
	case most > least:
		r.Trials = fmt.Sprintf("%d-%dx", least, most)
	case most > 0:
		r.Trials = fmt.Sprintf("%dx", most)
	}
	return r
}

func (g *grid) cell(c *Cell) gridCell {
	switch {
	case c == nil:
		return gridCell{}
	case c.Outcome == NotRun:
		return gridCell{Cell: c, Word: shortReason(c.Reason), Note: g.note(c.Reason)}
	case len(c.counted()) == 0:
		return gridCell{Cell: c, Word: "unsure", Note: g.note(unsureReason(c))}
	}
	cell := gridCell{Cell: c, Lost: c.tally("lost").String(), Twice: c.tally("repeated").String(), Back: "-"}
	if s, ok := c.backAfter(); ok {
		cell.Back = Duration(s)
	} else if c.held() {
		cell.Back = "held"
	}
	switch c.Outcome {
	case Surprise:
		cell.Note = "!" + g.note("not as predicted: "+orElse(c.Reason, "no reason given"))
	case Unsure:
		cell.Note = "?" + g.note("unsure: "+unsureReason(c))
	}
	return cell
}

// shortReason is the word that stands in the table for a cell that did not
// run; its note has the whole reason.
func shortReason(reason string) string {
	r := strings.ToLower(reason)
	switch {
	case strings.Contains(r, "no such point"):
		return "no point"
	case strings.Contains(r, "missing"), strings.Contains(r, "not installed"), strings.Contains(r, "apt-get"):
		return "missing"
	case strings.Contains(r, "not built"):
		return "not built"
	default:
		return "not run"
	}
}

func unsureReason(c *Cell) string {
	if c.Reason != "" {
		return c.Reason
	}
	for _, t := range c.Trials {
		if len(t.Unsure) > 0 {
			return t.Unsure[0]
		}
	}
	return "no trial counts"
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// note gives the text a letter, the same one for the same text.
func (g *grid) note(text string) string {
	text = orElse(text, "no reason given")
	for _, n := range g.Notes {
		if n.Text == text {
			return n.Letter
		}
	}
	letter := letters(len(g.Notes))
	g.Notes = append(g.Notes, note{letter, text})
	return letter
}

// letters is a, b, ..., z, aa, ab, ...
func letters(i int) string {
	s := string(rune('a' + i%26))
	if i >= 26 {
		return letters(i/26-1) + s
	}
	return s
}

// describeShown says which arrangement each system's column shows.
func (g *grid) describeShown(shown map[place]*Cell) {
	by := map[string][]string{}
	for _, c := range shown {
		a := arrangement(c)
		if a != "" && !slices.Contains(by[a], c.System) {
			by[a] = append(by[a], c.System)
		}
	}
	for _, a := range slices.Sorted(maps.Keys(by)) {
		if len(by[a]) == len(g.Systems) && len(by) == 1 {
			g.Shown = append(g.Shown, "all: "+a)
			continue
		}
		slices.SortFunc(by[a], func(x, y string) int { return bySystem(x, y, g.Systems) })
		g.Shown = append(g.Shown, strings.Join(by[a], ", ")+": "+a)
	}
}

func bySystem(x, y string, order []string) int {
	return slices.Index(order, x) - slices.Index(order, y)
}

// describeOthers says, for each arrangement that the table does not show, in
// how many places it lost and repeated the same, and where it did not.
func (g *grid) describeOthers(cells []*Cell, shown map[place]*Cell) {
	same, all, differs := map[string]int{}, map[string]int{}, map[string][]string{}
	for _, c := range cells {
		twin := shown[placeOf(c)]
		if a := arrangement(c); c != twin && !slices.Contains(g.Hidden, a) {
			g.Hidden = append(g.Hidden, a)
		}
		if c == twin || len(c.counted()) == 0 || len(twin.counted()) == 0 {
			continue
		}
		a := arrangement(c)
		all[a]++
		lost, twice := c.tally("lost").String(), c.tally("repeated").String()
		if lost == twin.tally("lost").String() && twice == twin.tally("repeated").String() {
			same[a]++
			continue
		}
		differs[a] = append(differs[a], fmt.Sprintf("%s %s %s: %s / %s", c.System, c.Setting["ack"], c.Setting["crash_at"], lost, twice))
	}
	slices.Sort(g.Hidden)
	for _, a := range slices.Sorted(maps.Keys(all)) {
		line := fmt.Sprintf("%s: lost and ran twice as above in %d of %s", orElse(a, "plain"), same[a], plural(all[a], "cell"))
		if n := len(differs[a]); n > 0 {
			line += "; else " + strings.Join(differs[a][:min(n, 4)], ", ")
			if n > 4 {
				line += fmt.Sprintf(" and %d more in report.md", n-4)
			}
		}
		g.Others = append(g.Others, line)
	}
}

// ordered are the distinct keys of the cells: those of order first, in its
// order, the others in the order of the cells.
func ordered(cells []*Cell, order []string, key func(*Cell) string) []string {
	var keys []string
	for _, c := range cells {
		if k := key(c); !slices.Contains(keys, k) {
			keys = append(keys, k)
		}
	}
	slices.SortStableFunc(keys, func(a, b string) int { return cmp.Compare(position(order, a), position(order, b)) })
	return keys
}

func position(order []string, key string) int {
	if i := slices.Index(order, key); i >= 0 {
		return i
	}
	return len(order)
}

func of(cells []*Cell, ack string) []*Cell {
	var some []*Cell
	for _, c := range cells {
		if c.Setting["ack"] == ack {
			some = append(some, c)
		}
	}
	return some
}
