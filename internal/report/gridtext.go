package report

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// writeGrid writes the table, with tighter cells or in several blocks of
// systems when it would be too wide.
func writeGrid(b *strings.Builder, g grid) {
	label := width("crash at")
	for _, group := range g.Groups {
		for _, row := range group.Rows {
			label = max(label, 2+width(row.label()))
		}
	}
	tight := screenWidth // cells longer than this lose the blanks around their slashes
	widths := g.columnWidths(tight)
	for _, tight = range []int{screenWidth, 16, 14, 0} {
		widths = g.columnWidths(tight)
		if label+sum(widths)+2*len(widths) <= screenWidth {
			break
		}
	}
	for from := 0; from < len(g.Systems); {
		to, used := from, label
		for to < len(g.Systems) && (to == from || used+2+widths[to] <= screenWidth) {
			used += 2 + widths[to]
			to++
		}
		if from > 0 {
			b.WriteByte('\n')
		}
		g.writeBlock(b, from, to, label, widths, tight)
		from = to
	}
}

func (g grid) columnWidths(tight int) []int {
	widths := make([]int, len(g.Systems))
	for i, system := range g.Systems {
		widths[i] = width(system)
		for _, group := range g.Groups {
			for _, row := range group.Rows {
				widths[i] = max(widths[i], width(row.Cells[i].text(tight)))
			}
		}
	}
	return widths
}

func (g grid) writeBlock(b *strings.Builder, from, to, label int, widths []int, tight int) {
	line := pad("crash at", label)
	for i := from; i < to; i++ {
		line += "  " + pad(g.Systems[i], widths[i])
	}
	b.WriteString(strings.TrimRight(line, " ") + "\n")
	left := screenRows
	for _, group := range g.Groups {
		b.WriteString(ackTitle(group.Ack) + "\n")
		for n, row := range group.Rows {
			if left == 0 {
				fmt.Fprintf(b, "  %d more rows in report.md\n", len(group.Rows)-n)
				break
			}
			left--
			line := pad("  "+row.label(), label)
			for i := from; i < to; i++ {
				line += "  " + pad(row.Cells[i].text(tight), widths[i])
			}
			b.WriteString(strings.TrimRight(line, " ") + "\n")
		}
	}
}

// ackTitle heads the rows of one acknowledgement mode.
func ackTitle(ack string) string {
	switch ack {
	case "early":
		return "ack=early: acknowledged just before the handler runs"
	case "late":
		return "ack=late: acknowledged after the handler and its result"
	case "none":
		return "ack=none: the broker forgets at delivery"
	default:
		return "ack=" + ack
	}
}

func (r gridRow) label() string {
	if r.Trials == "" {
		return r.Moment
	}
	return r.Moment + " " + r.Trials
}

// text is the cell in the table, without blanks around the slashes when it
// would be longer than tight. The n of a race stands in the row's label, so a
// 0 is just 0, and without any room 49 of 50 is just 49.
func (c gridCell) text(tight int) string {
	switch {
	case c.Cell == nil:
		return ""
	case c.Word != "":
		return c.Word + " [" + c.Note + "]"
	}
	s := strings.Join([]string{short(c.Lost), short(c.Twice), c.Back}, " / ")
	if width(s) > tight {
		s = strings.ReplaceAll(s, " / ", "/")
	}
	if tight == 0 {
		s = ofTrials.ReplaceAllString(s, "")
	}
	if c.Note != "" {
		s += " " + c.Note[:1] + "[" + c.Note[1:] + "]"
	}
	return s
}

// ofTrials is what follows the number of trials of a race.
var ofTrials = regexp.MustCompile(` of [0-9]+`)

func short(count string) string {
	if strings.HasPrefix(count, "0 of ") {
		return "0"
	}
	return count
}

func sum(ns []int) int {
	total := 0
	for _, n := range ns {
		total += n
	}
	return total
}

func (g grid) has(is func(gridCell) bool) bool {
	for _, group := range g.Groups {
		for _, row := range group.Rows {
			if slices.ContainsFunc(row.Cells, is) {
				return true
			}
		}
	}
	return false
}

func (g grid) races() bool {
	for _, group := range g.Groups {
		for _, row := range group.Rows {
			if row.Trials != "" {
				return true
			}
		}
	}
	return false
}
