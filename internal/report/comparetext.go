package report

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// mostCompared is how many cells the text names of those that one run alone
// has, and how many that differ; --json has all.
const mostCompared = 40

// Text is the comparison as text of at most 110 columns, the verdicts first.
func (c Comparison) Text() string {
	var b strings.Builder
	for i, r := range c.Runs {
		fmt.Fprintf(&b, "%c: %s, run of %s%s\n", 'A'+i, printable(r.Name), r.Started.UTC().Format("2006-01-02 15:04 MST"), onServers(r.Servers))
	}
	b.WriteByte('\n')
	c.writeVerdicts(&b)
	c.writeServers(&b)
	c.writeCells(&b)
	c.writeOnly(&b)
	return b.String()
}

func onServers(servers map[string]string) string {
	var parts []string
	for _, name := range sortedKeys(servers) {
		parts = append(parts, name+" "+servers[name])
	}
	if len(parts) == 0 {
		return ""
	}
	return printable(", on " + join(parts))
}

func (c Comparison) writeVerdicts(b *strings.Builder) {
	switch n := len(c.Verdicts); {
	case n == 0 && c.Agreed == 0:
		b.WriteString("No claim is in both runs.\n")
	case n == 0:
		fmt.Fprintf(b, "The verdicts are the same: %s in both runs.\n", plural(c.Agreed, "claim"))
	default:
		fmt.Fprintf(b, "%s of %d in both runs differ:\n\n", plural(n, "verdict"), n+c.Agreed)
		rows := [][]string{{"claim", "", "verdict", "because"}}
		for _, v := range c.Verdicts {
			rows = append(rows, []string{v.Claim, "A", v.Verdicts[0], v.Because[0]}, []string{"", "B", v.Verdicts[1], v.Because[1]})
		}
		writeTable(b, rows)
	}
	for i, claims := range c.OnlyVerdict {
		if len(claims) > 0 {
			writeHanging(b, fmt.Sprintf("Only %c speaks of %s.", 'A'+i, join(claims)))
		}
	}
}

func (c Comparison) writeServers(b *strings.Builder) {
	for _, s := range c.Servers {
		fmt.Fprintf(b, "Version: %s %s in A, %s in B.\n", s.Server, orElse(s.Versions[0], "none"), orElse(s.Versions[1], "none"))
	}
}

func (c Comparison) writeCells(b *strings.Builder) {
	fmt.Fprintf(b, "\n%s of %d in both runs differ.\n", plural(len(c.Cells), "cell"), c.Shared)
	if len(c.Cells) == 0 {
		return
	}
	b.WriteByte('\n')
	rows := [][]string{{"experiment", "system", "setting", "A against B"}}
	for _, d := range c.Cells[:min(len(c.Cells), mostCompared)] {
		rows = append(rows, []string{d.Experiment, d.System, setting(d.Setting), d.text()})
	}
	writeTable(b, rows)
	if n := len(c.Cells) - mostCompared; n > 0 {
		fmt.Fprintf(b, "%s more: see --json.\n", plural(n, "cell"))
	}
}

// text is what differs in the cell.
func (d CellDifference) text() string {
	var parts []string
	if d.Outcomes != nil {
		parts = append(parts, d.Outcomes[0]+" against "+d.Outcomes[1])
	}
	for _, n := range d.Counts {
		parts = append(parts, fmt.Sprintf("%s %s against %s (%s)", n.Count, n.Values[0], n.Values[1], n.Why))
	}
	for _, m := range d.Measures {
		text := fmt.Sprintf("%s %s against %s", words(m.Measure), measure(m.Measure, m.Medians[0]), measure(m.Measure, m.Medians[1]))
		if m.Ratio != nil {
			text += fmt.Sprintf(" (x %s)", measure("ratio", *m.Ratio))
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, "; ")
}

func (c Comparison) writeOnly(b *strings.Builder) {
	for _, o := range c.OnlyCells {
		names := o.Cells[:min(len(o.Cells), 3)]
		text := fmt.Sprintf("Only %c has %s of %s: %s", 'A'+o.Run, plural(len(o.Cells), "cell"), o.Experiment, strings.Join(names, "; "))
		if n := len(o.Cells) - len(names); n > 0 {
			text += fmt.Sprintf("; and %d more", n)
		}
		writeHanging(b, text+".")
	}
}
