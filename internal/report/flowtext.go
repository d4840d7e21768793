package report

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"acklab/internal/check"
)

// The picture of a workflow: its tree, a line a member, with a bar on the time
// from the first publish to the last end. Where a node has many members that
// went well, most of them are one line.

const (
	barWidth = 36
	// calm is how many members of one node that went well are drawn before the
	// rest is one line, when there are more than calmMost.
	calm, calmMost = 4, 12
)

// text draws the workflow.
func (f *flow) text(marked string) string {
	var rows []row
	tree := f.tree()
	if tree.label == "" && tree.leaf == nil {
		for _, n := range tree.below {
			f.rows(n, "", "", &rows, marked)
		}
	} else {
		f.rows(tree, "", "", &rows, marked)
	}
	left, middle, bar := 0, 0, 0
	for _, r := range rows {
		left, middle, bar = max(left, width(r.left)), max(middle, width(r.middle)), max(bar, width(r.bar))
	}
	var b strings.Builder
	head := fmt.Sprintf("workflow %s: %s", f.id, plural(len(f.members), "task"))
	if f.first > 0 {
		head += fmt.Sprintf(", %s from the first publish to the last end", Duration(seconds(f.last-f.first)))
	}
	b.WriteString(head + "\n\n")
	for _, r := range rows {
		line := pad(r.left, left) + "  " + pad(r.middle, middle) + "  " + pad(r.bar, bar) + "  " + r.right
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	if f.first > 0 {
		b.WriteString("\n" + legend + "\n")
	}
	return b.String()
}

const legend = "░ waits, █ runs, ✗ fails or dies with its worker; ▶ is the task that was asked for"

// row is one line of the picture.
type row struct{ left, middle, bar, right string }

// rows appends the lines of a node and of all below it.
func (f *flow) rows(n *node, before, branch string, rows *[]row, marked string) {
	label := n.label
	r := row{left: before + branch + label}
	if m := n.leaf; m != nil {
		r = row{left: strings.TrimRight(before+branch+strings.TrimSpace(label+" "+m.name), " "), middle: shortID(m.task), bar: f.bar(m), right: m.words()}
		if m.task == marked {
			r.middle = "▶" + r.middle
		} else {
			r.middle = " " + r.middle
		}
	}
	*rows = append(*rows, r)
	switch branch {
	case "├─ ":
		before += "│  "
	case "└─ ":
		before += "   "
	}
	hidden := hide(n.below)
	for i, b := range n.below {
		mark := "├─ "
		if i == len(n.below)-1 {
			mark = "└─ "
		}
		switch {
		case !hidden[b]:
			f.rows(b, before, mark, rows, marked)
		case i == 0 || !hidden[n.below[i-1]]:
			*rows = append(*rows, row{left: before + mark + "…", right: inCommon(n.below[i:], hidden)})
		}
	}
}

// hide are the members that went well and are more than a person wants to see.
func hide(below []*node) map[*node]bool {
	var well []*node
	for _, n := range below {
		if n.leaf != nil && len(n.below) == 0 && n.label == "" && n.leaf.uneventful() {
			well = append(well, n)
		}
	}
	hidden := map[*node]bool{}
	if len(well) > calmMost {
		for _, n := range well[calm : len(well)-1] {
			hidden[n] = true
		}
	}
	return hidden
}

// inCommon is what the hidden members in a row have in common.
func inCommon(from []*node, hidden map[*node]bool) string {
	total, by := 0, map[string]int{}
	for _, n := range from {
		if !hidden[n] {
			break
		}
		total++
		if len(n.leaf.runs) > 0 {
			by[n.leaf.runs[0].process]++
		}
	}
	var who []string
	for _, name := range slices.Sorted(maps.Keys(by)) {
		who = append(who, fmt.Sprintf("%s %d", name, by[name]))
	}
	if len(who) == 0 {
		return fmt.Sprintf("%d more", total)
	}
	return fmt.Sprintf("%d more finished, once each: %s", total, strings.Join(who, ", "))
}

// uneventful: sent, run once, and well; or, in a plan, not sent yet.
func (m *member) uneventful() bool {
	plain := len(m.runs) <= 1 && m.fate.Finishes == len(m.runs) && !m.fate.Redelivered && !m.fate.Copied && m.collapsed == 0
	return plain && (m.fate.Class == check.Finished || m.fate.Class == "")
}

// words say what became of the member, and by whom.
func (m *member) words() string {
	if m.fate.Class == "" {
		return ""
	}
	text := strings.ReplaceAll(string(m.fate.Class), "_", " ")
	if m.fate.Class == check.NeverSent && m.calledOff != "" {
		text += ", called off" + because(m.calledOff)
	}
	var who []string
	for _, r := range m.runs {
		switch {
		case r.killed:
			who = append(who, r.process+" died in it")
		case r.failed:
			who = append(who, r.process+" failed")
		default:
			who = append(who, r.process)
		}
	}
	if len(who) > 0 {
		text += ": " + strings.Join(who, ", then ")
	}
	var more []string
	if m.fate.Finishes > 1 {
		more = append(more, "ran to its end "+times(m.fate.Finishes))
	}
	if m.fate.Copied {
		more = append(more, "published more than once")
	} else if m.fate.Redelivered {
		more = append(more, "delivered more than once")
	}
	if m.collapsed > 0 {
		more = append(more, "not run again "+times(m.collapsed))
	}
	if len(more) > 0 {
		text += " (" + strings.Join(more, ", ") + ")"
	}
	return printable(text)
}

// bar is the member's life on the time of the workflow.
func (f *flow) bar(m *member) string {
	if f.first == 0 || m.published == 0 && len(m.runs) == 0 {
		return ""
	}
	cells := make([]rune, barWidth)
	for i := range cells {
		cells[i] = ' '
	}
	column := func(at int64) int {
		return int(int64(barWidth-1) * (at - f.first) / max(f.last-f.first, 1))
	}
	fill := func(from, to int64, with rune) {
		for i := max(column(from), 0); i <= min(column(to), barWidth-1); i++ {
			cells[i] = with
		}
	}
	end := m.published
	for _, r := range m.runs {
		if r.begin > end && end > 0 {
			fill(end, r.begin, '░')
		}
		end = max(end, r.end)
	}
	for _, r := range m.runs {
		fill(r.begin, max(r.end, r.begin), '█')
		if r.failed || r.killed {
			fill(r.end, r.end, '✗')
		}
	}
	if len(m.runs) == 0 {
		fill(m.published, f.last, '░')
	}
	return string(cells)
}

// shortID is the beginning of an id.
func shortID(id string) string { return id[:min(len(id), 8)] }

// PlannedStep is one task of a workflow that is not sent yet.
type PlannedStep struct{ Place, Task, Name string }

// DrawPlan draws a workflow that is not sent: its tree, with the ids that it would
// have. id names the whole. The error is w's.
func DrawPlan(w io.Writer, id string, steps []PlannedStep) error {
	f := &flow{id: id}
	for _, s := range steps {
		f.members = append(f.members, &member{place: s.Place, task: s.Task, name: s.Name})
	}
	_, err := io.WriteString(w, f.text(""))
	return err
}
