package report

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path/filepath"
	"slices"
	"strconv"

	"acklab/internal/observe"
)

// observed is what a page shows of what Prometheus saw of a trial.
type observed struct {
	Missing     string // why there are no plots
	Notes       []string
	Source      string // "Prometheus 2.42.0, a scrape each 0.5 s"
	Plots       []plotView
	Windows     []windowView
	Differences []differenceView
}

// plotView is one plot: Data for the script, the rest for people.
type plotView struct {
	Title, Unit, Query string
	Data               plotData
	Rows               []seriesRow
	Cell, Link         string // on the run's page: which cell it is of, and its trial
}

// plotData is what the page's script draws.
type plotData struct {
	Unit    string       `json:"unit"`
	Times   []float64    `json:"times"`
	Series  []plotSeries `json:"series"`
	Windows []plotWindow `json:"windows"`
}

type plotSeries struct {
	Name   string     `json:"name"`
	Values []*float64 `json:"values"` // null: no sample
}

type plotWindow struct {
	Fault string  `json:"fault"`
	From  float64 `json:"from"`
	To    float64 `json:"to"`
}

// seriesRow is a series in numbers, for those who have no script.
type seriesRow struct {
	Name, Least, Median, Most string
	Samples, Gaps             int
}

type windowView struct{ Fault, From, To string }

type differenceView struct{ What, Prometheus, Ledger, Why string }

// Limits of what a page draws; both say so where they bite.
const (
	plotSeriesLimit = 24
	plotPointsLimit = 5000
)

// loadObserved reads what Prometheus saw of the trial in the run's folder, and
// counts times from the page's own zero, CLOCK_MONOTONIC in nanoseconds (0: as
// the observation does). nil: the trial was not to be observed. What cannot be
// read is missing, and the page says why.
func loadObserved(runDir, trialID string, zero int64) *observed {
	if !filepath.IsLocal(trialID) {
		return nil
	}
	o, err := observe.Load(runDir, trialID)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return &observed{Missing: err.Error()}
	}
	return newObserved(o, zero)
}

func newObserved(o observe.Observation, zero int64) *observed {
	v := &observed{Missing: o.Missing, Notes: o.Notes}
	if o.Prometheus != "" {
		v.Source = "Prometheus " + o.Prometheus
		if o.Interval > 0 {
			v.Source += ", a scrape each " + Duration(o.Interval)
		}
		if o.ClockError > 0 {
			v.Source += ", times within " + Duration(o.ClockError) + " of the ledgers'"
		}
	}
	shift := 0.0
	if zero != 0 && o.Begin != 0 {
		shift = seconds(o.Begin - zero)
	}
	windows := []plotWindow{}
	for _, w := range o.Windows {
		pw := plotWindow{w.Fault, threeDecimals(w.From + shift), threeDecimals(w.To + shift)}
		windows = append(windows, pw)
		v.Windows = append(v.Windows, windowView{w.Fault, clock(pw.From), clock(pw.To)})
	}
	from, to := extent(o, shift)
	for _, p := range o.Plots {
		view, note := newPlotView(p, shift, from, to)
		view.Data.Windows = windows
		v.Plots = append(v.Plots, view)
		if note != "" {
			v.Notes = append(slices.Clone(v.Notes), note)
		}
	}
	if v.Missing == "" && len(v.Plots) == 0 {
		v.Missing = "the observation has no plot"
	}
	for _, d := range o.Differences {
		v.Differences = append(v.Differences, differenceView{d.What, amount(d.Prometheus), amount(d.Ledger), d.Why})
	}
	return v
}

// extent is the time that all plots of the observation share.
func extent(o observe.Observation, shift float64) (from, to float64) {
	from, to = math.Inf(1), math.Inf(-1)
	include := func(ts ...float64) {
		for _, t := range ts {
			from, to = min(from, t+shift), max(to, t+shift)
		}
	}
	for _, p := range o.Plots {
		include(p.Times...)
	}
	for _, w := range o.Windows {
		include(w.From, w.To)
	}
	return threeDecimals(from), threeDecimals(to)
}

// newPlotView prepares one plot. It begins and ends with the others of its
// page, with gaps where it has no samples. The note says what was left out.
func newPlotView(p observe.Plot, shift, from, to float64) (plotView, string) {
	v := plotView{Title: p.Title, Unit: p.Unit, Query: p.Query, Data: plotData{Unit: p.Unit, Times: []float64{}, Series: []plotSeries{}, Windows: []plotWindow{}}}
	times := p.Times
	note := ""
	if len(times) > plotPointsLimit {
		times = times[:plotPointsLimit]
		note = fmt.Sprintf("%s: the first %d of %d points.", p.Title, plotPointsLimit, len(p.Times))
	}
	series := p.Series
	if len(series) > plotSeriesLimit {
		series = series[:plotSeriesLimit]
		note += fmt.Sprintf(" %s: the first %d of %d series.", p.Title, plotSeriesLimit, len(p.Series))
	}
	for _, t := range times {
		v.Data.Times = append(v.Data.Times, threeDecimals(t+shift))
	}
	before := len(times) > 0 && from < v.Data.Times[0]
	after := len(times) > 0 && to > v.Data.Times[len(times)-1]
	for _, s := range series {
		values := make([]*float64, len(times)) // a series that is short has gaps at its end
		for i, x := range s.Values[:min(len(s.Values), len(times))] {
			if x != nil && !math.IsNaN(*x) && !math.IsInf(*x, 0) {
				values[i] = number(fourDigits(*x))
			}
		}
		v.Rows = append(v.Rows, newSeriesRow(s.Name, p.Unit, values))
		if before {
			values = slices.Insert(values, 0, nil)
		}
		if after {
			values = append(values, nil)
		}
		v.Data.Series = append(v.Data.Series, plotSeries{s.Name, values})
	}
	if before {
		v.Data.Times = slices.Insert(v.Data.Times, 0, from)
	}
	if after {
		v.Data.Times = append(v.Data.Times, to)
	}
	return v, note
}

func newSeriesRow(name, unit string, values []*float64) seriesRow {
	r := seriesRow{Name: name, Least: "-", Median: "-", Most: "-"}
	var seen []float64
	for _, v := range values {
		if v != nil {
			seen = append(seen, *v)
		}
	}
	r.Samples, r.Gaps = len(seen), len(values)-len(seen)
	if len(seen) > 0 {
		r.Least, r.Median, r.Most = inUnit(unit, slices.Min(seen)), inUnit(unit, median(seen)), inUnit(unit, slices.Max(seen))
	}
	return r
}

// inUnit is a value of a plot as people read it.
func inUnit(unit string, v float64) string {
	switch unit {
	case "s":
		return Duration(v)
	case "bytes":
		for _, u := range []struct {
			size float64
			name string
		}{{1e9, "GB"}, {1e6, "MB"}, {1e3, "kB"}} {
			if math.Abs(v) >= u.size {
				return strconv.FormatFloat(v/u.size, 'g', 3, 64) + " " + u.name
			}
		}
		return amount(v) + " B"
	}
	return amount(v)
}

// amount is a number without digits that nobody reads.
func amount(v float64) string { return measure("", v) }

func threeDecimals(v float64) float64 { return math.Round(v*1000) / 1000 }

func fourDigits(v float64) float64 {
	if v == math.Trunc(v) {
		return v
	}
	short, err := strconv.ParseFloat(strconv.FormatFloat(v, 'g', 4, 64), 64)
	if err != nil {
		return v
	}
	return short
}

// chosen is the plot that stands for the trial on the run's page: the first
// one that has something in it and is not only whether servers answer.
func (o *observed) chosen() (plotView, bool) {
	for _, p := range o.Plots {
		if p.Unit != "up" && slices.ContainsFunc(p.Rows, func(r seriesRow) bool { return r.Samples > 1 }) {
			return p, true
		}
	}
	return plotView{}, false
}

// plotsData are the plots' data in the order of the page.
func plotsData(plots []plotView) []plotData {
	data := []plotData{}
	for _, p := range plots {
		data = append(data, p.Data)
	}
	return data
}
