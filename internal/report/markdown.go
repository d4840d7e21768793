package report

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"acklab/internal/check"
)

// markdown is report.md; files says what lies beside it.
func markdown(run Run, files func(*strings.Builder)) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Run of %s\n\n", when(run))
	for _, s := range sentences(run) {
		fmt.Fprintf(&b, "%s\n\n", markEscape(s))
	}
	markVerdicts(&b, run)
	b.WriteString("## The answer\n\n```text\n" + AnswerTable(run) + "```\n\n")
	markBeside(&b, run)
	for i := range run.Experiments {
		markExperiment(&b, &run.Experiments[i])
	}
	markHost(&b, run)
	files(&b)
	return b.String()
}

func markVerdicts(b *strings.Builder, run Run) {
	var rows [][]string
	for _, e := range run.Experiments {
		for _, v := range e.Verdicts {
			rows = append(rows, []string{v.Claim, "**" + v.Verdict + "**", v.Because, e.Name})
		}
	}
	if len(rows) == 0 {
		return
	}
	b.WriteString("## Verdicts\n\n| claim | verdict | because | experiment |\n|---|---|---|---|\n")
	for _, r := range rows {
		fmt.Fprintf(b, "| <a id=%q></a>%s | %s | %s | [%s](#%s) |\n", claimAnchor(r[0]), markEscape(r[0]), markEscape(r[1]), markEscape(r[2]), markEscape(r[3]), headingAnchor(r[3]))
	}
	b.WriteByte('\n')
}

// claimAnchor is where a claim's verdict stands, in report.md and index.html.
func claimAnchor(claim string) string { return "claim-" + anchorText(claim) }

// headingAnchor is the anchor that a heading of a Markdown page gets.
func headingAnchor(heading string) string { return anchorText(heading) }

// anchorText is the text in lower case, with nothing in it but letters, digits
// and dashes.
func anchorText(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'A' && r <= 'Z':
			return r - 'A' + 'a'
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '-':
			return r
		case r == ' ':
			return '-'
		}
		return -1
	}, s)
}

func markExperiment(b *strings.Builder, e *Experiment) {
	fmt.Fprintf(b, "## %s\n\n", markEscape(e.Name))
	if e.Question != "" {
		fmt.Fprintf(b, "**Question:** %s\n\n", markEscape(e.Question))
	}
	if len(e.Claims) > 0 {
		fmt.Fprintf(b, "**Claims:** %s\n\n", markEscape(strings.Join(e.Claims, ", ")))
	}
	fmt.Fprintf(b, "**Varied:** %s\n\n", markEscape(varied(e)))
	var rows [][]string
	for i := range e.Cells {
		c := &e.Cells[i]
		if c.Outcome != NotRun {
			rows = append(rows, []string{c.System, setting(c.Setting), predictedText(c), c.Because, detailText(c), c.Outcome, fmt.Sprint(len(c.Trials))})
		}
	}
	if len(rows) > 0 {
		markTable(b, []string{"system", "setting", "predicted", "because", "counted", "outcome", "trials"}, rows)
	}
	for _, outcome := range []string{Surprise, Unsure, NotRun} {
		markOutcome(b, e, outcome)
	}
	markReasons(b, e)
}

// varied says what the cells differ in, and the values of each.
func varied(e *Experiment) string {
	values := map[string][]string{}
	for _, c := range e.Cells {
		for k, v := range c.Setting {
			if !slices.Contains(values[k], v) {
				values[k] = append(values[k], v)
			}
		}
	}
	parts := []string{"system (" + strings.Join(ordered(e.cells(), systems, func(c *Cell) string { return c.System }), ", ") + ")"}
	keys := map[string]string{}
	for k := range values {
		keys[k] = ""
	}
	for _, k := range settingKeys(keys) {
		parts = append(parts, fmt.Sprintf("%s (%s)", k, strings.Join(values[k], ", ")))
	}
	return strings.Join(parts, "; ")
}

// predictedText are the bounds in the order of the counts, measures last.
func predictedText(c *Cell) string {
	var parts []string
	for _, name := range boundNames(c.Predicted) {
		parts = append(parts, name+" "+bounds(c.Predicted[name]))
	}
	switch {
	case len(parts) > 0:
		return strings.Join(parts, ", ")
	case c.Outcome == NotRun:
		return "-"
	default:
		return "nothing lost, nothing twice"
	}
}

func boundNames(b check.Bounds) []string {
	return slices.SortedFunc(maps.Keys(b), func(x, y string) int {
		if d := position(check.Names, x) - position(check.Names, y); d != 0 {
			return d
		}
		return strings.Compare(x, y)
	})
}

// detailText is what the cell counted with the bounds of its races, and the
// spread of its measures.
func detailText(c *Cell) string {
	var parts []string
	for _, name := range telling(c) {
		parts = append(parts, name+" "+c.tally(name).detail())
	}
	if c.tally("lost").race() && !slices.Contains(telling(c), "lost") {
		parts = append(parts, "lost "+c.tally("lost").detail())
	}
	for _, name := range measureNames(c) {
		parts = append(parts, words(name)+" "+spread(name, c.measures(name)))
	}
	if len(parts) == 0 {
		return orElse(c.Reason, "no trial counts")
	}
	return strings.Join(parts, ", ")
}

// spread is the median of a measure and, where they differ, its extremes.
func spread(name string, vs []float64) string {
	mid := measure(name, median(vs))
	lo, hi := measure(name, slices.Min(vs)), measure(name, slices.Max(vs))
	if lo == hi {
		return mid
	}
	return fmt.Sprintf("%s (%s to %s)", mid, lo, hi)
}

func markOutcome(b *strings.Builder, e *Experiment, outcome string) {
	var rows [][]string
	for i := range e.Cells {
		c := &e.Cells[i]
		if c.Outcome != outcome {
			continue
		}
		reason := orElse(c.Reason, "no reason given")
		for _, t := range c.Trials {
			for _, why := range slices.Concat(t.Broken, t.Unsure) {
				reason += fmt.Sprintf("; %s: %s", t.ID, why)
			}
		}
		rows = append(rows, []string{c.System, setting(c.Setting), reason})
	}
	if len(rows) > 0 {
		fmt.Fprintf(b, "### %s\n\n", capital(outcome))
		markTable(b, []string{"system", "setting", "reason"}, rows)
	}
}

// markReasons lists why ranges that are wider than a point are.
func markReasons(b *strings.Builder, e *Experiment) {
	var lines []string
	for _, c := range e.Cells {
		for _, count := range slices.Sorted(maps.Keys(c.Reasons)) {
			line := fmt.Sprintf("- %s %s: %s\n", markEscape(count), bounds(c.Predicted[count]), markEscape(c.Reasons[count]))
			if !slices.Contains(lines, line) {
				lines = append(lines, line)
			}
		}
	}
	if len(lines) > 0 {
		b.WriteString("Why some predictions are ranges:\n\n" + strings.Join(lines, "") + "\n")
	}
}

func markHost(b *strings.Builder, run Run) {
	b.WriteString("## Where it was measured\n\n")
	var rows [][]string
	for _, k := range slices.Sorted(maps.Keys(run.Servers)) {
		rows = append(rows, []string{k, run.Servers[k]})
	}
	for _, k := range slices.Sorted(maps.Keys(run.Host)) {
		rows = append(rows, []string{k, fmt.Sprint(run.Host[k])})
	}
	markTable(b, []string{"", ""}, rows)
}

func markFiles(b *strings.Builder) {
	b.WriteString(`## Files

- ` + "`report.json`" + `: all numbers of this page, for programs
- ` + "`index.html`" + `: this report as a page, with a timeline of trials in ` + "`trials/`" + `
- ` + "`ledger/`" + `: what every process saw, one folder a trial; ` + "`acklab recheck`" + ` judges it again, ` + "`acklab explain`" + ` tells the life of one task
- ` + "`logs/`" + `: what servers and processes printed
`)
}

func markReferenceFiles(b *strings.Builder) {
	b.WriteString(`## Files

- ` + "`report.json`" + `: all numbers of this page, for programs: the form of every run, with the trials of a cell in columns
- The ledgers are not kept here. ` + "`acklab compare latest reference`" + ` says what a run of yours has that differs.
`)
}

func markTable(b *strings.Builder, head []string, rows [][]string) {
	b.WriteString("| " + strings.Join(head, " | ") + " |\n|" + strings.Repeat("---|", len(head)) + "\n")
	for _, r := range rows {
		cells := make([]string, len(r))
		for i, s := range r {
			cells[i] = markEscape(s)
		}
		b.WriteString("| " + strings.Join(cells, " | ") + " |\n")
	}
	b.WriteByte('\n')
}

// markEscape keeps a text on its line, inside its table cell and out of HTML.
func markEscape(s string) string {
	return strings.NewReplacer("|", `\|`, "\n", " ", "\r", " ", "<", "&lt;", ">", "&gt;").Replace(s)
}
