package report

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"acklab/internal/check"
)

// The answer fits a terminal: this many columns, which seven systems need, and this many rows of cells.
const (
	screenWidth = 112
	screenRows  = 24
)

const gridLegend = "Each cell: tasks lost / ran twice (to the end) / back at another worker after the crash."

// AnswerTable is the answer of the run as text of at most 112 columns: the
// verdicts, then a table for each experiment. The same run gives the same
// text. A long experiment shows what is not as predicted and says where the
// rest is.
func AnswerTable(run Run) string {
	var b strings.Builder
	writeVerdicts(&b, run)
	for i := range run.Experiments {
		e := &run.Experiments[i]
		if len(e.Cells) == 0 {
			continue
		}
		title := e.Name
		if e.Question != "" {
			title += ": " + e.Question
		}
		b.WriteString(strings.Join(wrap(title, screenWidth), "\n") + "\n\n")
		if e.Name == Flagship {
			writeFlagship(&b, e)
		} else {
			writePlain(&b, e.cells())
		}
		b.WriteByte('\n')
	}
	b.WriteString(strings.Join(wrap(summary(run), screenWidth), "\n") + "\n")
	return b.String()
}

// summary counts the cells by outcome and says where it was measured.
func summary(run Run) string {
	n := map[string]int{}
	trials := 0
	for _, e := range run.Experiments {
		for _, c := range e.Cells {
			n[c.Outcome]++
			trials += len(c.Trials)
		}
	}
	text := fmt.Sprintf("%s as predicted, %s, %d unsure, %d not run; %s", plural(n[AsPredicted], "cell"), plural(n[Surprise], "surprise"), n[Unsure], n[NotRun], plural(trials, "trial"))
	if s := servers(run); s != "" {
		text += " on " + s
	}
	return text + "."
}

func servers(run Run) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(run.Servers)) {
		parts = append(parts, name+" "+run.Servers[name])
	}
	return join(parts)
}

func writeVerdicts(b *strings.Builder, run Run) {
	rows := [][]string{{"claim", "verdict", "because"}}
	for _, e := range run.Experiments {
		for _, v := range e.Verdicts {
			rows = append(rows, []string{v.Claim, v.Verdict, v.Because})
		}
	}
	if len(rows) > 1 {
		writeTable(b, rows)
		b.WriteByte('\n')
	}
}

func writeFlagship(b *strings.Builder, e *Experiment) {
	g := newGrid(e.cells())
	if len(g.Groups) > 0 {
		b.WriteString(gridLegend + "\n\n")
		writeGrid(b, g)
		b.WriteByte('\n')
		for _, line := range gridLines(e, g) {
			writeHanging(b, line)
		}
	}
	if rest := slices.DeleteFunc(e.cells(), inGrid); len(rest) > 0 {
		b.WriteByte('\n')
		writePlain(b, rest)
	}
}

// gridLines are the lines below the table: marks, notes, arrangements, what
// was prefetched.
func gridLines(e *Experiment, g grid) []string {
	var lines []string
	marks := "-: it did not come back, or had no need to"
	if g.has(func(c gridCell) bool { return c.Back == "held" }) {
		marks += "; held: the broker still had it when the run ended"
	}
	if g.has(func(c gridCell) bool { return strings.Contains(c.Lost+c.Twice, " of ") }) || g.races() {
		marks += "; 50x: a race of 50 trials, counted in trials (12 of 50; 0 means 0 of 50, not never)"
	}
	if g.has(func(c gridCell) bool { return c.Cell == nil }) {
		marks += "; blank: no cell of this run"
	}
	lines = append(lines, marks+".")
	for _, n := range g.Notes {
		lines = append(lines, "["+n.Letter+"] "+n.Text)
	}
	if len(g.Shown) > 0 {
		lines = append(lines, "Shown: "+strings.Join(g.Shown, "; ")+".")
	}
	for _, o := range g.Others {
		lines = append(lines, "Also: "+o+".")
	}
	return append(lines, prefetchedLine(e))
}

// prefetchedLine says what became of the tasks that the victims had prefetched
// and not begun, and on which systems some were lost.
func prefetchedLine(e *Experiment) string {
	tasks, lost, trials := 0, 0, 0
	by := map[string]int{}
	for _, c := range e.cells() {
		for _, t := range c.counted() {
			if n := int(t.Measures["prefetched"]); n > 0 {
				tasks, trials = tasks+n, trials+1
				lost += int(t.Measures["prefetched_lost"])
				by[c.System] += int(t.Measures["prefetched_lost"])
			}
		}
	}
	if trials == 0 {
		return "Prefetched and not begun: no trial had such tasks."
	}
	text := fmt.Sprintf("Prefetched and not begun: %s in %s, %d lost", plural(tasks, "task"), plural(trials, "trial"), lost)
	var where []string
	for _, system := range ordered(e.cells(), systems, func(c *Cell) string { return c.System }) {
		if by[system] > 0 {
			where = append(where, fmt.Sprintf("%d on %s", by[system], system))
		}
	}
	if len(where) > 0 {
		text += " (" + join(where) + ")"
	}
	return text + "."
}

// writePlain is the table of any other experiment.
func writePlain(b *strings.Builder, cells []*Cell) {
	hidden := 0
	if len(cells) > screenRows {
		odd := slices.DeleteFunc(slices.Clone(cells), func(c *Cell) bool { return c.Outcome == AsPredicted })
		odd = odd[:min(len(odd), screenRows)]
		hidden = len(cells) - len(odd)
		cells = odd
	}
	rows := [][]string{{"system", "setting", "outcome", "counted"}}
	for _, c := range cells {
		rows = append(rows, []string{c.System, setting(c.Setting), c.Outcome, countedText(c)})
	}
	if len(rows) > 1 {
		writeTable(b, rows)
	}
	if hidden > 0 {
		fmt.Fprintf(b, "%s more: see report.md.\n", plural(hidden, "cell"))
	}
}

// countedText is what a cell counted: every count that is not zero or was
// predicted, then the measures; the reason where there is nothing to count.
func countedText(c *Cell) string {
	if len(c.counted()) == 0 {
		return orElse(c.Reason, unsureReason(c))
	}
	var parts []string
	for _, name := range telling(c) {
		parts = append(parts, name+" "+c.tally(name).String())
	}
	for _, name := range measureNames(c) {
		parts = append(parts, words(name)+" "+measure(name, median(c.measures(name))))
	}
	text := strings.Join(parts, ", ")
	if c.Outcome != AsPredicted && c.Reason != "" {
		text += ": " + c.Reason
	}
	return text
}

// telling are the counts of a cell that say something: how many finished, and
// those that are not zero or were predicted. Those that only describe the
// load, and those that merely split lost, are left out unless predicted.
func telling(c *Cell) []string {
	var names []string
	if len(c.counted()) == 0 {
		return nil
	}
	for _, name := range check.Names {
		_, predicted := c.Predicted[name]
		quiet := check.Free[name] && name != "finished"
		if predicted || !quiet && c.tally(name).sum() > 0 {
			names = append(names, name)
		}
	}
	return names
}

// measureNames are the measures of a cell's trials, sorted. Those that the
// checker makes of every victim are left out where they are 0 and nobody
// predicted them.
func measureNames(c *Cell) []string {
	seen := map[string]bool{}
	for _, t := range c.counted() {
		for name, v := range t.Measures {
			_, predicted := c.Predicted[name]
			if v != 0 || predicted || !slices.Contains(check.MeasureNames, name) {
				seen[name] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(seen))
}

// words is the name of a measure without its unit, which the value shows.
func words(name string) string {
	return strings.ReplaceAll(strings.TrimSuffix(name, "_seconds"), "_", " ")
}

func writeHanging(b *strings.Builder, text string) {
	for i, line := range wrap(text, screenWidth-2) {
		if i > 0 {
			line = "  " + line
		}
		b.WriteString(line + "\n")
	}
}
