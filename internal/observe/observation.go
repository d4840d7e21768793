// Package observe watches trials through a real Prometheus server and keeps
// what it saw beside the ledgers. Counts come from the ledgers; what is here
// are shapes over time, and where the two differ.
package observe

// Observation is what Prometheus saw of one trial. It is saved as
// observations/TRIAL.json in the folder of the run.
type Observation struct {
	Trial string `json:"trial"`
	// Begin is the trial's zero: CLOCK_MONOTONIC in nanoseconds, as in its
	// ledgers. All times below are seconds since then.
	Begin       int64        `json:"begin"`
	Plots       []Plot       `json:"plots"`
	Windows     []Window     `json:"windows"`
	Differences []Difference `json:"differences,omitempty"`
}

// Plot is one range query. All its series share Times.
type Plot struct {
	Title  string    `json:"title"`
	Unit   string    `json:"unit"`  // "tasks", "tasks/s", "s", "bytes"
	Query  string    `json:"query"` // PromQL, for people
	Times  []float64 `json:"times"`
	Series []Series  `json:"series"`
}

// Series is one line of a plot: as many values as the plot has times; nil
// where Prometheus had no sample.
type Series struct {
	Name   string     `json:"name"`
	Values []*float64 `json:"values"`
}

// Window is the time of one fault.
type Window struct {
	Fault string  `json:"fault"`
	From  float64 `json:"from"`
	To    float64 `json:"to"`
}

// Difference is a counter that Prometheus and the ledgers do not agree on.
type Difference struct {
	What       string  `json:"what"` // e.g. "finished, by worker victim"
	Prometheus float64 `json:"prometheus"`
	Ledger     float64 `json:"ledger"`
	Why        string  `json:"why"`
}
