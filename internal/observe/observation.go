// Package observe watches trials through a real Prometheus server and keeps
// what it saw beside the ledgers. Counts come from the ledgers; what is here
// are shapes over time, and where the two differ.
//
// Nothing here can change a verdict: what goes wrong is written into the
// observation, and the trial goes on without it.
package observe

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// Observation is what Prometheus saw of one trial. It is saved as
// observations/TRIAL.json in the folder of the run.
type Observation struct {
	Trial string `json:"trial"`
	// Begin is the trial's zero: CLOCK_MONOTONIC in nanoseconds, as in its
	// ledgers. All times below are seconds since then.
	Begin int64 `json:"begin"`
	// Missing is why there is nothing to show; empty: there is. It is a
	// sentence for people, as in "prometheus is not installed; install it
	// with: apt-get install prometheus".
	Missing string `json:"missing,omitempty"`
	// Notes are sentences about what this observation cannot show.
	Notes []string `json:"notes,omitempty"`
	// Prometheus is the version of the server that watched.
	Prometheus string `json:"prometheus,omitempty"`
	// Interval is the time between two scrapes of a target, in seconds.
	Interval float64 `json:"interval,omitempty"`
	// ClockError is by how much the times of samples (wall clock) may be off
	// against those of ledgers (monotonic), in seconds.
	ClockError  float64      `json:"clock_error,omitempty"`
	Plots       []Plot       `json:"plots"`
	Windows     []Window     `json:"windows"`
	Differences []Difference `json:"differences,omitempty"`
}

// Plot is one range query. All its series share Times.
type Plot struct {
	Title  string    `json:"title"`
	Unit   string    `json:"unit"`  // "tasks", "tasks/s", "s", "bytes", "up" (1 or 0)
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
	What       string  `json:"what"` // e.g. "finished, by victim"
	Prometheus float64 `json:"prometheus"`
	Ledger     float64 `json:"ledger"`
	// Why is a sentence. It begins with "unexplained" when the ledger's lines
	// up to the last scrape are not what that scrape saw.
	Why string `json:"why"`
}

// Save writes the observation into the folder of its run.
func Save(run string, o Observation) error {
	path := pathOf(run, o.Trial)
	text, err := json.MarshalIndent(o, "", " ")
	if err == nil {
		err = os.MkdirAll(filepath.Dir(path), 0o755)
	}
	if err == nil {
		err = os.WriteFile(path, append(text, '\n'), 0o644)
	}
	if err != nil {
		return fmt.Errorf("save the observation of trial %s: %w", o.Trial, err)
	}
	return nil
}

// Load reads the observation of a trial. The error wraps fs.ErrNotExist where
// the trial was not to be observed.
func Load(run, trial string) (Observation, error) {
	var o Observation
	path := pathOf(run, trial)
	text, err := os.ReadFile(path)
	if err != nil {
		return o, fmt.Errorf("read the observation of trial %s: %w", trial, err)
	}
	if err := json.Unmarshal(text, &o); err != nil {
		return o, fmt.Errorf("read the observation %s: %w", path, err)
	}
	return o, nil
}

func pathOf(run, trial string) string { return filepath.Join(run, "observations", trial+".json") }
