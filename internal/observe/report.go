package observe

import (
	"fmt"
	"strings"

	"acklab/internal/ledger"
)

// Observation is what was seen, with the windows and the differences that only
// the ledgers tell. It comes after End, when all processes have ended.
func (w *Watch) Observation(t ledger.Trial, files map[string]ledger.File) Observation {
	o := Observation{
		Trial: w.subject.Trial, Begin: w.subject.Begin, Prometheus: w.prometheus.Version(), Interval: w.interval.Seconds(),
		ClockError: float64(w.clock.within) / 1e9, Plots: w.seen.plots, Windows: windows(files[t.Processes[0].File].Lines, w.subject.Begin),
		Notes: w.seen.troubles,
	}
	if len(w.unwatched) > 0 {
		o.Notes = append(o.Notes, fmt.Sprintf("prometheus had no target left for: %s", strings.Join(w.unwatched, ", ")))
	}
	if !w.prometheus.Alive() {
		o.Notes = append([]string{"prometheus ended during the trial: " + w.prometheus.Process().Exit().String()}, o.Notes...)
	}
	if len(o.Plots) == 0 {
		o.Plots = []Plot{}
		o.Missing = "prometheus saw nothing of this trial"
		if len(o.Notes) > 0 {
			o.Missing = o.Notes[0]
		}
		return o
	}
	if len(w.seen.troubles) == 0 { // else a counter may be missing for another reason
		o.Differences = w.differences(t, files)
	}
	return o
}

// Unobserved is the observation of a trial that nobody could watch, and why.
func Unobserved(trial string, begin int64, why error) Observation {
	return Observation{Trial: trial, Begin: begin, Missing: why.Error(), Plots: []Plot{}, Windows: []Window{}}
}
