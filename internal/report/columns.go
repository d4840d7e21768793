package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"

	"acklab/internal/check"
)

// Trials are the trials of a cell. In report.json they are a list of them; in
// a reference run, which is kept small, an object of columns: one value where
// all trials agree, else one for each. Both are read.
type Trials []Trial

// UnmarshalJSON reads either form.
func (ts *Trials) UnmarshalJSON(raw []byte) error {
	if !bytes.HasPrefix(bytes.TrimSpace(raw), []byte("{")) {
		return json.Unmarshal(raw, (*[]Trial)(ts))
	}
	var c columns
	if err := json.Unmarshal(raw, &c); err != nil {
		return err
	}
	trials, err := c.trials()
	*ts = trials
	return err
}

// columns are the trials of a cell, packed. A count that is not there is zero
// in every trial. Times have three digits.
type columns struct {
	N        int                 `json:"n"`
	Seed     column              `json:"seed"`
	Counts   map[string]column   `json:"counts"`
	Measures map[string]column   `json:"measures,omitempty"`
	Unsure   map[string][]string `json:"unsure,omitempty"` // by the number of the trial, from 1
	Broken   map[string][]string `json:"broken,omitempty"`
}

// mostPacked bounds what a file can make this program allocate.
const mostPacked = 1_000_000

// column has a value for each trial; nil: the trial has none.
type column []*float64

// MarshalJSON writes one number where all values are the same.
func (c column) MarshalJSON() ([]byte, error) {
	if len(c) > 0 && !slices.ContainsFunc(c, func(v *float64) bool { return v == nil || *v != *c[0] }) {
		return json.Marshal(c[0])
	}
	return json.Marshal([]*float64(c))
}

// UnmarshalJSON reads one number as a column of length one.
func (c *column) UnmarshalJSON(raw []byte) error {
	if bytes.HasPrefix(raw, []byte("[")) {
		return json.Unmarshal(raw, (*[]*float64)(c))
	}
	var v float64
	if err := json.Unmarshal(raw, &v); err != nil {
		return err
	}
	*c = column{&v}
	return nil
}

// at is the value of trial i of n.
func (c column) at(i, n int) (v float64, ok bool, err error) {
	switch {
	case len(c) == 1:
		i = 0
	case len(c) != n:
		return 0, false, fmt.Errorf("a column has %d values for %s", len(c), plural(n, "trial"))
	}
	if c[i] == nil {
		return 0, false, nil
	}
	return *c[i], true, nil
}

// pack packs the trials of a cell. What nobody can miss is left out: counts
// that are zero in every trial, and measures that the checker makes of every
// victim where they are zero and neither the prediction nor a claim names them.
func pack(c *Cell) columns {
	p := columns{N: len(c.Trials), Counts: map[string]column{}, Measures: map[string]column{}, Unsure: map[string][]string{}, Broken: map[string][]string{}}
	names := map[string]bool{}
	for i, t := range c.Trials {
		p.Seed = append(p.Seed, number(float64(t.Seed)))
		for name := range t.Measures {
			names[name] = true
		}
		key := strconv.Itoa(i + 1)
		if len(t.Unsure) > 0 {
			p.Unsure[key] = t.Unsure
		}
		if len(t.Broken) > 0 {
			p.Broken[key] = t.Broken
		}
	}
	for _, name := range check.Names {
		var col column
		any := false
		for _, t := range c.Trials {
			any = any || t.Counts[name] != 0
			col = append(col, number(float64(t.Counts[name])))
		}
		if any {
			p.Counts[name] = col
		}
	}
	for name := range names {
		var col column
		any := false
		for _, t := range c.Trials {
			v, ok := t.Measures[name]
			any = any || v != 0
			if ok {
				col = append(col, number(threeDigits(v)))
			} else {
				col = append(col, nil)
			}
		}
		if any || !slices.Contains(check.MeasureNames, name) || c.states(name) {
			p.Measures[name] = col
		}
	}
	return p
}

// states tells whether the prediction or a claim bounds the name.
func (c *Cell) states(name string) bool {
	if _, ok := c.Predicted[name]; ok {
		return true
	}
	for _, b := range c.Claims {
		if _, ok := b[name]; ok {
			return true
		}
	}
	return false
}

func number(v float64) *float64 { return &v }

// threeDigits rounds what is not a whole number.
func threeDigits(v float64) float64 {
	if v == math.Trunc(v) {
		return v
	}
	short, err := strconv.ParseFloat(strconv.FormatFloat(v, 'g', 3, 64), 64)
	if err != nil {
		return v
	}
	return short
}

// trials unpacks the columns. The trials have no ids: their ledgers are
// elsewhere.
func (p columns) trials() (Trials, error) {
	if p.N < 0 || p.N > mostPacked {
		return nil, fmt.Errorf("%d trials in a cell", p.N)
	}
	ts := make(Trials, p.N)
	for i := range ts {
		t := &ts[i]
		t.Counts, t.Measures = check.Counts{}, map[string]float64{}
		key := strconv.Itoa(i + 1)
		t.ID, t.Unsure, t.Broken = "trial "+key, p.Unsure[key], p.Broken[key]
		seed, _, err := p.Seed.at(i, p.N)
		if err != nil {
			return nil, fmt.Errorf("seed: %w", err)
		}
		t.Seed = int64(seed)
		for _, name := range check.Names {
			t.Counts[name] = 0
		}
		for _, name := range slices.Sorted(maps.Keys(p.Counts)) {
			v, _, err := p.Counts[name].at(i, p.N)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			t.Counts[name] = int(v)
		}
		for _, name := range slices.Sorted(maps.Keys(p.Measures)) {
			v, ok, err := p.Measures[name].at(i, p.N)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			if ok {
				t.Measures[name] = v
			}
		}
	}
	return ts, nil
}
