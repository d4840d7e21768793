// Package report turns a judged run into what people read: report.json for
// programs, the answer table for the terminal, report.md, index.html with a
// timeline page a trial, and the story of one task's life.
//
// It counts nothing and judges nothing: every number comes from the trials of
// the run, and every class of a task from package check. The same words stand
// in all of its outputs.
//
//	Run ─┬─▶ report.json ─▶ Load
//	     ├─▶ AnswerTable ─▶ terminal, report.md
//	     └─▶ index.html ──▶ trials/*.html ◀── ledgers
//	                        Explain       ◀── ledgers
package report

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"acklab/internal/check"
)

// Schema is the version of report.json that this package writes and reads.
const Schema = 1

// Outcomes of a cell against its own prediction.
const (
	AsPredicted = check.AsPredicted
	Surprise    = check.Surprise
	Unsure      = check.Doubtful
	NotRun      = check.NotRun
)

// Run is all that a run found: the content of report.json.
type Run struct {
	Schema      int               `json:"schema"`  // Save writes Schema, whatever stands here
	Started     time.Time         `json:"started"` // wall clock
	Host        map[string]any    `json:"host"`    // os, cpu, cores, memory, go, ...
	Servers     map[string]string `json:"servers"` // server to version: "redis" "7.0.15"
	Experiments []Experiment      `json:"experiments"`
}

// Experiment is one experiment of the catalogue with its cells.
type Experiment struct {
	Name     string    `json:"name"`
	Question string    `json:"question,omitempty"`
	Claims   []string  `json:"claims"`
	Cells    []Cell    `json:"cells"`
	Verdicts []Verdict `json:"verdicts"`
}

// Verdict is what the run says about one claim: holds, refuted, depends or
// not run, and one sentence that says why.
type Verdict struct {
	Claim   string `json:"claim"`
	Verdict string `json:"verdict"`
	Because string `json:"because"`
}

// Cell is one combination of system and setting.
type Cell struct {
	System    string                  `json:"system"`
	Setting   map[string]string       `json:"setting"`
	Predicted check.Bounds            `json:"predicted"`         // written before the run
	Because   string                  `json:"because"`           // why it was predicted
	Reasons   map[string]string       `json:"reasons,omitempty"` // why a range is wider than a point, by count
	Claims    map[string]check.Bounds `json:"claims,omitempty"`  // what each claim predicts, beside ours
	Outcome   string                  `json:"outcome"`
	Reason    string                  `json:"reason,omitempty"` // why it is a surprise, unsure or not run
	Trials    Trials                  `json:"trials"`
	// Missing: the cell was not run because a tool is missing on this machine.
	Missing bool `json:"missing,omitempty"`
	// Control is the trial of the same cell without its fault; empty: none.
	Control string `json:"control,omitempty"`
}

// Trial is one repetition of a cell.
type Trial struct {
	ID       string             `json:"id"` // also its folder below the run's ledger folder
	Seed     int64              `json:"seed"`
	Counts   check.Counts       `json:"counts"`             // every name of check.Names, zeros included
	Measures map[string]float64 `json:"measures"`           //
	Unsure   []string           `json:"unsure,omitempty"`   // why it does not count
	Broken   []string           `json:"broken,omitempty"`   // findings that no prediction excuses
	Timeline string             `json:"timeline,omitempty"` // its page, relative to the run's folder; set by Save
}

// Load reads report.json of the run in dir. An error says what is wrong with
// which file: there is none, it is no JSON, or it has another schema.
func Load(dir string) (Run, error) {
	path := filepath.Join(dir, "report.json")
	raw, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Run{}, fmt.Errorf("read the run %s: it has no report.json (a run is a folder like runs/latest): %w", dir, err)
	case err != nil:
		return Run{}, fmt.Errorf("read the run %s: %w", dir, err)
	}
	return Parse(raw, path)
}

// Parse reads the content of a report.json; name is what errors call it. An
// error says that it is no report, or one of another schema.
func Parse(raw []byte, name string) (Run, error) {
	var run Run
	if err := json.Unmarshal(raw, &run); err != nil {
		return Run{}, fmt.Errorf("read %s: not a report: %w", name, err)
	}
	if run.Schema != Schema {
		return Run{}, fmt.Errorf("read %s: schema %d, this program reads schema %d", name, run.Schema, Schema)
	}
	return run, nil
}

// counted are the trials of the cell that count: those that are not unsure.
func (c *Cell) counted() []Trial {
	var ts []Trial
	for _, t := range c.Trials {
		if len(t.Unsure) == 0 {
			ts = append(ts, t)
		}
	}
	return ts
}

// cells are the experiment's cells, to be pointed at.
func (e *Experiment) cells() []*Cell {
	cells := make([]*Cell, len(e.Cells))
	for i := range e.Cells {
		cells[i] = &e.Cells[i]
	}
	return cells
}
