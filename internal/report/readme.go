package report

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"acklab/internal/check"
)

// Where the README keeps what is made from the reference run.
const (
	answerMark   = "answer"
	returnsMark  = "returns"
	verdictsMark = "verdicts"
)

// readmeBecause is about how long the reason of a verdict is in the README;
// the whole sentence is in the report that it links to.
const readmeBecause = 180

// Readme is the README's text with what stands between its markers
// (<!-- answer --> to <!-- /answer -->, and the same with returns and verdicts) made from
// the reference run. material is what the material says, by claim; every claim
// in it gets its row or is named as not run. link leads to the reference run's
// report.md. The error names a marker that is missing.
func Readme(text string, run Run, material map[string]string, link string) (string, error) {
	var err error
	for _, part := range []struct{ mark, content string }{
		{answerMark, readmeAnswer(run)},
		{returnsMark, readmeReturns(run)},
		{verdictsMark, readmeVerdicts(run, material, link)},
	} {
		if text, err = between(text, part.mark, part.content); err != nil {
			return "", err
		}
	}
	return text, nil
}

// between replaces what stands between a pair of markers.
func between(text, mark, content string) (string, error) {
	begin, end := "<!-- "+mark+" -->", "<!-- /"+mark+" -->"
	before, rest, ok := strings.Cut(text, begin)
	_, after, closed := strings.Cut(rest, end)
	if !ok || !closed {
		return "", fmt.Errorf("make the README: it needs the lines %s and %s, in this order", begin, end)
	}
	return before + begin + "\n\n" + strings.TrimRight(content, "\n") + "\n\n" + end + after, nil
}

// readmeAnswer is the flagship's table.
func readmeAnswer(run Run) string {
	for i := range run.Experiments {
		e := &run.Experiments[i]
		g := newGrid(e.cells())
		if e.Name != Flagship || len(g.Groups) == 0 {
			continue
		}
		var b strings.Builder
		writeGrid(&b, g)
		b.WriteByte('\n')
		for _, line := range append(gridLines(e, g), prefetchedOnBrokers(e)) {
			writeHanging(&b, line)
		}
		return "```text\n" + b.String() + "```\n"
	}
	return "The reference run has no cell of the experiment `" + Flagship + "`."
}

// prefetchedOnBrokers says what became of prefetched tasks where a broker, and
// not the process that died, held the queue.
func prefetchedOnBrokers(e *Experiment) string {
	tasks, lost := 0, 0
	for _, c := range e.cells() {
		for _, t := range c.counted() {
			if c.System != "memory" {
				tasks += int(t.Measures["prefetched"])
				lost += int(t.Measures["prefetched_lost"])
			}
		}
	}
	return fmt.Sprintf("Prefetched from a broker and not begun: %d of %s lost.", lost, plural(tasks, "task"))
}

// readmeVerdicts is a row for every claim that the run speaks of, what it was
// measured on, and the claims without an experiment.
func readmeVerdicts(run Run, material map[string]string, link string) string {
	var b strings.Builder
	b.WriteString("| claim | the material says | verdict | because |\n|---|---|---|---|\n")
	rows := map[string]string{}
	for _, e := range run.Experiments {
		for _, v := range e.Verdicts {
			rows[v.Claim] = fmt.Sprintf("| %s | %s | **%s** | %s |\n", markEscape(v.Claim), markEscape(material[v.Claim]), markEscape(v.Verdict), readmeReason(v, link))
		}
	}
	for _, claim := range slices.SortedFunc(maps.Keys(rows), byClaim) {
		b.WriteString(rows[claim])
	}
	var silent []string
	for _, claim := range slices.SortedFunc(maps.Keys(material), byClaim) {
		if rows[claim] == "" {
			silent = append(silent, claim)
		}
	}
	b.WriteString("\n" + measuredOn(run, link) + "\n")
	if len(silent) > 0 {
		fmt.Fprintf(&b, "\n**Not run**, because the reference run has no experiment for them: %s.\n", strings.Join(silent, ", "))
	}
	return b.String()
}

// readmeReason is the reason of a verdict, shortened at the end of a part of
// the sentence, with a link to the whole. What was not tried is always said.
func readmeReason(v Verdict, link string) string {
	because, untried, partly := strings.Cut(v.Because, "; not tried: ")
	parts := strings.Split(because, "; ")
	if n := len(parts); n > 1 && strings.HasPrefix(parts[n-1], "on ") {
		parts = parts[:n-1] // the versions stand below the table
	}
	text, n := parts[0], 1
	for n < len(parts) && width(text)+width(parts[n]) <= readmeBecause {
		text += "; " + parts[n]
		n++
	}
	text = clip(text, 2*readmeBecause)
	if partly {
		text += "; not tried: " + untried
	}
	return fmt.Sprintf("%s ([all](%s#%s))", markEscape(text), link, claimAnchor(v.Claim))
}

// clip shortens what is longer than n at a blank.
func clip(text string, n int) string {
	lines := wrap(text, n)
	if len(lines) == 1 {
		return lines[0]
	}
	return lines[0] + " …"
}

// measuredOn says where, when and how much was measured.
func measuredOn(run Run, link string) string {
	trials, cells := 0, 0
	for _, e := range run.Experiments {
		for _, c := range e.Cells {
			trials += len(c.Trials)
			if c.Outcome != NotRun {
				cells++
			}
		}
	}
	text := fmt.Sprintf("Measured %s: %s in %s", run.Started.UTC().Format("2006-01-02"), plural(trials, "trial"), plural(cells, "cell"))
	if s := servers(run); s != "" {
		text += ", on " + s
	}
	for _, k := range []string{"os", "arch", "cores"} {
		if v, ok := run.Host[k]; ok {
			text += ", " + hostFact(k, v)
		}
	}
	return fmt.Sprintf("%s. Every cell with its prediction, its counts and the frequency of its races is in [the reference run](%s).", markEscape(text), link)
}

func hostFact(key string, v any) string {
	if key == "cores" {
		return fmt.Sprintf("%v cores", v)
	}
	return fmt.Sprint(v)
}

// byClaim orders B2 before B10.
func byClaim(a, b string) int {
	split := func(s string) (letters string, digits string) {
		i := strings.IndexFunc(s, func(r rune) bool { return r >= '0' && r <= '9' })
		if i < 0 {
			return s, ""
		}
		return s[:i], s[i:]
	}
	la, da := split(a)
	lb, db := split(b)
	switch {
	case la != lb:
		return strings.Compare(la, lb)
	case len(da) != len(db):
		return len(da) - len(db)
	default:
		return strings.Compare(da, db)
	}
}

// covers tells whether a cell of the experiment speaks of the claim.
func (e *Experiment) covers(claim string) bool {
	return slices.ContainsFunc(e.Cells, func(c Cell) bool { _, ok := c.Claims[claim]; return ok })
}

// result is the trial as the checker takes it.
func (t *Trial) result() check.Result { return check.Result{Counts: t.Counts, Measures: t.Measures} }
