package report

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"acklab/internal/ledger"
)

// clock is a time in seconds after the trial's first line, to the millisecond.
func clock(s float64) string { return fmt.Sprintf("%.3f s", s) }

// lineText is a ledger line as text: the event and every field it has.
func lineText(l ledger.Line) string {
	parts := []string{string(l.Event)}
	add := func(key, value string) {
		if value != "" {
			parts = append(parts, key+"="+value)
		}
	}
	num := func(key string, n int64) {
		if n != 0 {
			add(key, fmt.Sprint(n))
		}
	}
	add("task", l.Task)
	add("msg", l.Message)
	add("name", l.Name)
	add("queue", l.Queue)
	num("retries", int64(l.Retries))
	num("session", int64(l.Session))
	add("seen", l.Seen)
	num("count", int64(l.Count))
	num("upto", l.Upto)
	if l.Final {
		parts = append(parts, "final")
	}
	add("point", l.Point)
	add("process", l.Process)
	add("fault", l.Fault)
	add("state", l.State)
	num("n", int64(l.N))
	if l.Value != 0 {
		add("value", measure(l.Point, l.Value))
	}
	add("reason", quoted(l.Reason))
	for _, k := range slices.Sorted(maps.Keys(l.Detail)) {
		add(k, quoted(l.Detail[k]))
	}
	return strings.Join(parts, " ")
}

func quoted(s string) string {
	if strings.ContainsAny(s, " \t\n\"") {
		return fmt.Sprintf("%q", s)
	}
	return s
}
