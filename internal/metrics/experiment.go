package metrics

import (
	"maps"
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
)

// outcomes are the outcomes of a cell; the one it has shows 1, the others 0.
var outcomes = []string{"as predicted", "surprise", "unsure", "not run"}

// FaultActive says whether the fault is injected at this moment.
func (m *Metrics) FaultActive(fault string, active bool) {
	if m != nil {
		m.fault.WithLabelValues(fault).Set(number(active))
	}
}

// CellDone shows a finished cell: its outcome, and by class how many tasks of
// all its trials had it. Names come from the catalogue, so they are few.
func (m *Metrics) CellDone(experiment, system string, setting map[string]string, outcome string, classes map[string]int) {
	if m == nil {
		return
	}
	cell := prometheus.Labels{"experiment": experiment, "system": system, "setting": settingLabel(setting)}
	for class, n := range classes {
		m.expTask.With(with(cell, "class", class)).Set(float64(n))
	}
	for _, o := range outcomes {
		m.expOut.With(with(cell, "outcome", o)).Set(number(o == outcome))
	}
}

func with(cell prometheus.Labels, key, value string) prometheus.Labels {
	l := maps.Clone(cell)
	l[key] = value
	return l
}

// settingLabel is a cell's setting as one label: "ack=late,crash_at=started".
func settingLabel(setting map[string]string) string {
	var parts []string
	for _, k := range slices.Sorted(maps.Keys(setting)) {
		parts = append(parts, k+"="+setting[k])
	}
	return strings.Join(parts, ",")
}
