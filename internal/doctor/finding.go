package doctor

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Level says how bad a finding is.
type Level string

// The levels, the worst first.
const (
	Warning Level = "warning" // tasks can be lost, or the queue can stop
	Advice  Level = "advice"  // better otherwise
	Unseen  Level = "unseen"  // could not be looked at
	Fine    Level = "fine"
)

var levels = []Level{Warning, Advice, Unseen, Fine}

// Finding is one thing that was looked at.
type Finding struct {
	Level Level `json:"level"`
	// What was found.
	What string `json:"finding"`
	// Why it matters for a task queue.
	Why string `json:"why,omitempty"`
	// Set is what to do or to set.
	Set string `json:"set,omitempty"`
	// Claims are the ids of the catalogue's claims that speak of it, as in "J2".
	Claims []string `json:"claims,omitempty"`
}

// worstFirst sorts by level, and keeps the order within one.
func worstFirst(findings []Finding) {
	slices.SortStableFunc(findings, func(a, b Finding) int { return slices.Index(levels, a.Level) - slices.Index(levels, b.Level) })
}

// writeFindings writes each finding as a small paragraph. built maps a claim to
// the experiment that puts it to the test.
func writeFindings(w io.Writer, findings []Finding, built map[string]string) error {
	for _, f := range findings {
		lines := []string{f.What}
		if f.Why != "" {
			lines = append(lines, "why: "+f.Why)
		}
		if f.Set != "" {
			lines = append(lines, "set: "+f.Set)
		}
		if len(f.Claims) > 0 {
			lines = append(lines, "see: "+claims(f.Claims, built))
		}
		if _, err := fmt.Fprintf(w, "%-8s %s\n", f.Level, strings.Join(lines, "\n         ")); err != nil {
			return err
		}
	}
	return nil
}

func claims(ids []string, built map[string]string) string {
	var parts, open []string
	for _, id := range ids {
		if name := built[id]; name != "" {
			parts = append(parts, fmt.Sprintf("%s (acklab run %s)", id, name))
		} else {
			open = append(open, id)
		}
	}
	if len(open) > 0 {
		parts = append(parts, strings.Join(open, ", ")+" (not built yet)")
	}
	return strings.Join(parts, ", ")
}

func writeJSON(w io.Writer, v any) error {
	out := json.NewEncoder(w)
	out.SetIndent("", "  ")
	out.SetEscapeHTML(false)
	return out.Encode(v)
}
