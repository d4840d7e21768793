package report

import "strings"

// widest is how wide a column but the last may be.
const widest = 44

// writeTable writes rows in columns. Long cells are wrapped: the last column
// to what is left of the screen, the others to widest.
func writeTable(b *strings.Builder, rows [][]string) {
	last := len(rows[0]) - 1
	widths := make([]int, last+1)
	widths[last] = screenWidth
	for i := range last {
		for _, r := range rows {
			widths[i] = max(widths[i], width(r[i]))
		}
		widths[i] = min(widths[i], widest)
		widths[last] -= widths[i] + 2
	}
	widths[last] = max(widths[last], 30)
	for _, r := range rows {
		writeRow(b, r, widths)
	}
}

func writeRow(b *strings.Builder, row []string, widths []int) {
	cells := make([][]string, len(row))
	height := 0
	for i, text := range row {
		cells[i] = wrap(text, widths[i])
		height = max(height, len(cells[i]))
	}
	for n := range height {
		line := ""
		for i, lines := range cells {
			part := ""
			if n < len(lines) {
				part = lines[n]
			}
			line += pad(part, widths[i]+2)
		}
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
}
