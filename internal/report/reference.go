package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// referenceLimit is how many bytes the report.json of a reference run may
// have: it is kept with the source.
const referenceLimit = 1_500_000

// SaveReference writes the run into dir as the run that others are compared
// with: report.json with its trials in columns, one line a cell, and report.md.
// There are no ledgers and no pages. It is an error when report.json would
// have more than 1.5 MB; nothing is written then.
func SaveReference(dir string, run Run) error {
	raw, err := packed(run)
	if err != nil {
		return fmt.Errorf("save the reference run: %w", err)
	}
	if len(raw) > referenceLimit {
		return fmt.Errorf("save the reference run: report.json would have %d kB, at most %d are kept with the source: make it from a run of fewer experiments or trials", len(raw)/1000, referenceLimit/1000)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("save the reference run: %w", err)
	}
	if err := write(filepath.Join(dir, "report.json"), raw); err != nil {
		return err
	}
	small, err := Parse(raw, "the reference run")
	if err != nil {
		return err
	}
	return write(filepath.Join(dir, "report.md"), []byte(ReferenceText(small)))
}

// ReferenceText is the report.md of a reference run.
func ReferenceText(run Run) string { return markdown(run, markReferenceFiles) }

// packed is the run as JSON, one line a cell.
func packed(run Run) ([]byte, error) {
	type packedCell struct {
		Cell
		Trials columns `json:"trials"`
	}
	run.Schema = Schema
	experiments := run.Experiments
	run.Experiments = nil
	var b bytes.Buffer
	put := func(v any) error {
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(v); err != nil {
			return err
		}
		b.Truncate(b.Len() - 1) // the line feed of Encode
		return nil
	}
	if err := put(run); err != nil {
		return nil, err
	}
	b.Truncate(b.Len() - len("null}"))
	b.WriteString("[\n")
	for i, e := range experiments {
		cells := e.Cells
		e.Cells = nil
		head := struct {
			Experiment
			Cells []Cell `json:"cells,omitempty"`
		}{Experiment: e}
		if err := put(head); err != nil {
			return nil, err
		}
		b.Truncate(b.Len() - 1)
		b.WriteString(",\"cells\":[\n")
		for j := range cells {
			c := cells[j]
			c.Control = "" // names a ledger
			if err := put(packedCell{c, pack(&c)}); err != nil {
				return nil, err
			}
			b.WriteString(comma(j, len(cells)))
		}
		b.WriteString("]}" + comma(i, len(experiments)))
	}
	b.WriteString("]}\n")
	return b.Bytes(), nil
}

// comma ends element i of n of a list that has one line an element.
func comma(i, n int) string {
	if i+1 < n {
		return ",\n"
	}
	return "\n"
}
