package report

import (
	"fmt"
	"slices"
	"strings"
)

// Returns is the experiment whose cells say how long a task of a dead worker
// takes to be with another one.
const Returns = "task-comes-back"

// readmeReturns is a row for each system and setting of its lease, the quickest
// first.
func readmeReturns(run Run) string {
	type row struct {
		cell  *Cell
		after []float64
	}
	var rows []row
	for i := range run.Experiments {
		e := &run.Experiments[i]
		if e.Name != Returns {
			continue
		}
		for _, c := range e.cells() {
			if after := c.measures("back_after_seconds"); len(after) > 0 {
				slices.Sort(after)
				rows = append(rows, row{c, after})
			}
		}
	}
	if len(rows) == 0 {
		return "The reference run has no cell of the experiment `" + Returns + "`."
	}
	slices.SortStableFunc(rows, func(a, b row) int { return int(a.after[0]*1000) - int(b.after[0]*1000) })
	var b strings.Builder
	b.WriteString("| system | its lease | back with another worker after | trials |\n|---|---|---|---|\n")
	for _, r := range rows {
		text := Duration(r.after[0])
		if most := Duration(r.after[len(r.after)-1]); most != text {
			text += " to " + most
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %d |\n", markEscape(r.cell.System), markEscape(r.cell.Setting["lease"]), text, len(r.after))
	}
	return b.String()
}
