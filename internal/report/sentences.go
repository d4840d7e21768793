package report

import (
	"fmt"
	"strings"
)

// sentences answer the run's questions in words, made from the same cells as
// the tables.
func sentences(run Run) []string {
	var out []string
	if s := verdictSentence(run); s != "" {
		out = append(out, s)
	}
	for i := range run.Experiments {
		if e := &run.Experiments[i]; e.Name == Flagship {
			out = append(out, crashSentences(e)...)
		}
	}
	return append(out, capital(summary(run)))
}

func verdictSentence(run Run) string {
	n, total := map[string]int{}, 0
	for _, e := range run.Experiments {
		for _, v := range e.Verdicts {
			n[v.Verdict]++
			total++
		}
	}
	if total == 0 {
		return ""
	}
	var parts []string
	for _, w := range []struct{ verdict, one, many string }{
		{"holds", "holds", "hold"}, {"refuted", "is refuted", "are refuted"}, {"depends", "depends on a condition", "depend on a condition"}, {"not run", "was not run", "were not run"},
	} {
		switch n[w.verdict] {
		case 0:
		case 1:
			parts = append(parts, "1 "+w.one)
		default:
			parts = append(parts, fmt.Sprintf("%d %s", n[w.verdict], w.many))
		}
	}
	return fmt.Sprintf("Of %s %s.", plural(total, "claim"), join(parts))
}

// crashSentences say, for each acknowledgement mode, where the crash lost the
// task, where it made it run twice, and how soon the task was back.
func crashSentences(e *Experiment) []string {
	g := newGrid(e.cells())
	var out []string
	for _, group := range g.Groups {
		lost, lostAny := g.where(group, "lost")
		twice, twiceAny := g.where(group, "repeated")
		text := fmt.Sprintf("With %s acknowledgement the crash lost tasks %s.", group.Ack, lost)
		if !lostAny {
			text = fmt.Sprintf("With %s acknowledgement the crash lost no task that was counted.", group.Ack)
		}
		if twiceAny {
			text += fmt.Sprintf(" Tasks ran twice %s.", twice)
		} else {
			text += " No task ran twice."
		}
		if back := g.backs(group); back != "" {
			text += " What came back was with another worker after " + back + " (median)."
		}
		out = append(out, text)
	}
	if len(g.Groups) > 0 {
		out = append(out, prefetchedLine(e))
	}
	return out
}

// where groups the systems by the moments at which the count was not zero:
// "on redis and rabbitmq at acked and started; nowhere on asynq". It also says
// whether there was any.
func (g grid) where(group gridGroup, count string) (text string, any bool) {
	var order []string
	at := map[string][]string{}
	for i, system := range g.Systems {
		var hit []string
		ran := 0
		for _, row := range group.Rows {
			c := row.Cells[i].Cell
			if c == nil || row.Cells[i].Word != "" {
				continue
			}
			ran++
			if t := c.tally(count); t.race() && t.trials() > 0 {
				hit = append(hit, fmt.Sprintf("%s (%s)", row.Moment, t))
			} else if t.sum() > 0 {
				hit = append(hit, row.Moment)
			}
		}
		key := join(hit)
		switch {
		case ran == 0:
			continue
		case len(hit) == 0:
			key = ""
		case len(hit) == ran && ran > 1:
			key = "every moment"
		}
		if _, seen := at[key]; !seen && key != "" {
			order = append(order, key)
		}
		at[key] = append(at[key], system)
	}
	var parts []string
	for _, key := range order {
		parts = append(parts, fmt.Sprintf("on %s at %s", join(at[key]), key))
	}
	if len(at[""]) > 0 {
		parts = append(parts, "nowhere on "+join(at[""]))
	}
	return strings.Join(parts, "; "), len(order) > 0
}

// backs is how soon tasks came back, by system: "2 ms on rabbitmq".
func (g grid) backs(group gridGroup) string {
	var parts []string
	for i, system := range g.Systems {
		lo, hi, any := 0.0, 0.0, false
		for _, row := range group.Rows {
			c := row.Cells[i].Cell
			if c == nil {
				continue
			}
			if s, ok := c.backAfter(); ok {
				if !any {
					lo, hi, any = s, s, true
				}
				lo, hi = min(lo, s), max(hi, s)
			}
		}
		switch {
		case !any:
		case Duration(lo) == Duration(hi):
			parts = append(parts, fmt.Sprintf("%s on %s", Duration(lo), system))
		default:
			parts = append(parts, fmt.Sprintf("%s to %s on %s", Duration(lo), Duration(hi), system))
		}
	}
	return join(parts)
}
