package experiments

import (
	"cmp"
	"maps"
	"slices"
)

// Listing is the catalogue as data, for `acklab list --json`.
type Listing struct {
	Experiments []Entry  `json:"experiments"`
	NotBuilt    []string `json:"not_built"`
}

// Entry is one experiment of a listing.
type Entry struct {
	Name     string   `json:"name"`
	Question string   `json:"question"`
	Claims   []string `json:"claims"`
	Systems  []string `json:"systems"`
	Suites   []string `json:"suites"`
	Cells    int      `json:"cells"`
	Seconds  float64  `json:"seconds"`
}

// List makes the listing; cells and seconds are those of the suite full.
func List() (Listing, error) {
	l := Listing{NotBuilt: slices.SortedFunc(maps.Keys(NotBuilt), byClaim)}
	plan, err := NewPlan(Choice{What: []string{string(Full)}})
	if err != nil {
		return l, err
	}
	for _, e := range plan.Experiments {
		entry := Entry{Name: e.Name, Question: e.Question, Claims: append([]string{}, e.Claims...), Cells: len(e.cells)}
		entry.Seconds = Plan{Experiments: []Planned{e}}.Seconds(2)
		entry.Suites = e.suiteNames()
		for _, c := range e.cells {
			if !slices.Contains(entry.Systems, c.System.Name) {
				entry.Systems = append(entry.Systems, c.System.Name)
			}
		}
		l.Experiments = append(l.Experiments, entry)
	}
	return l, nil
}

// suiteNames are the suites that the experiment belongs to, full included.
func (e *Experiment) suiteNames() []string {
	var names []string
	for _, s := range e.Suites {
		names = append(names, string(s))
	}
	return append(names, string(Full))
}

// byClaim orders B2 before B10.
func byClaim(a, b string) int {
	if group(a) != group(b) || len(a) == len(b) {
		return cmp.Compare(a, b)
	}
	return len(a) - len(b)
}
