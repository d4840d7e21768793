package report

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"acklab/internal/check"
	"acklab/internal/ledger"
)

// Timelines are drawn for the first trial of every cell, and for this many
// more of the trials that are unsure or not as predicted.
const oddTimelines = 4

// Ledgers gives the manifest and the ledgers of a trial, the files by the name
// that the manifest has for them, as check.Judge takes them.
type Ledgers func(trialID string) (ledger.Trial, map[string]ledger.File, error)

// Save writes the run into the folder dir: report.json, report.md, index.html
// and a timeline page for some trials of each cell. Where dir has observations
// of trials (see package observe) the pages draw them. report.json comes first,
// and each file replaces an older one whole. A trial whose ledgers cannot be
// read has a page that says so. With nil ledgers there are no timelines.
func Save(dir string, run Run, ledgers Ledgers) error {
	run = withTimelines(run, ledgers != nil)
	raw, err := json.MarshalIndent(run, "", "  ")
	if err != nil {
		return fmt.Errorf("save the run: %w", err)
	}
	if err := os.MkdirAll(filepath.Join(dir, "trials"), 0o755); err != nil {
		return fmt.Errorf("save the run: %w", err)
	}
	if err := write(filepath.Join(dir, "report.json"), append(raw, '\n')); err != nil {
		return err
	}
	if err := write(filepath.Join(dir, "report.md"), []byte(markdown(run, markFiles))); err != nil {
		return err
	}
	if err := render(filepath.Join(dir, "index.html"), newIndexPage(dir, run, ledgers != nil).write); err != nil {
		return err
	}
	return saveTimelines(dir, run, ledgers)
}

// write replaces the file whole: a reader sees the old one or the new one.
func write(path string, content []byte) error {
	tmp := path + ".new"
	if err := os.WriteFile(tmp, content, 0o644); err != nil {
		return fmt.Errorf("save the run: %w", err)
	}
	if err := os.Rename(tmp, path); err != nil {
		return fmt.Errorf("save the run: %w", err)
	}
	return nil
}

func render(path string, page func(io.Writer) error) error {
	var b bytes.Buffer
	if err := page(&b); err != nil {
		return fmt.Errorf("render %s: %w", path, err)
	}
	return write(path, b.Bytes())
}

// withTimelines is the run with Schema set and with the page of every trial
// that gets one; the caller's run stays as it is.
func withTimelines(run Run, wanted bool) Run {
	run.Schema = Schema
	run.Experiments = slices.Clone(run.Experiments)
	for i := range run.Experiments {
		e := &run.Experiments[i]
		e.Cells = slices.Clone(e.Cells)
		for j := range e.Cells {
			c := &e.Cells[j]
			c.Trials = slices.Clone(c.Trials)
			left := oddTimelines
			for k := range c.Trials {
				t := &c.Trials[k]
				t.Timeline = ""
				switch {
				case !wanted:
				case k == 0:
					t.Timeline = timelinePath(t.ID)
				case left > 0 && unexpected(c, *t):
					t.Timeline = timelinePath(t.ID)
					left--
				}
			}
		}
	}
	return run
}

// unexpected tells whether the trial is unsure or not as predicted.
func unexpected(c *Cell, t Trial) bool {
	return len(t.Unsure) > 0 || len(t.Broken) > 0 || len(check.Within(c.Predicted, check.Result{Counts: t.Counts, Measures: t.Measures})) > 0
}

// timelineNote says which trials have a timeline.
func timelineNote(run Run) string {
	drawn, all := 0, 0
	for _, e := range run.Experiments {
		for _, c := range e.Cells {
			for _, t := range c.Trials {
				all++
				if t.Timeline != "" {
					drawn++
				}
			}
		}
	}
	switch drawn {
	case 0:
		return "No timelines were drawn."
	case all:
		return "Every trial has a timeline."
	}
	return fmt.Sprintf("%d of %s have a timeline: the first of each cell, and up to %d more that are unsure or not as predicted.", drawn, plural(all, "trial"), oddTimelines)
}

// timelinePath is the page of a trial, relative to the run's folder. A trial's
// id names a folder, so it may have slashes; the page's name has none.
func timelinePath(id string) string {
	var b strings.Builder
	for i, c := range []byte(id) {
		switch {
		case c == '.' && i > 0,
			c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', strings.IndexByte("-_=+,", c) >= 0:
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "~%02x", c)
		}
	}
	name := b.String()
	if len(name) > 160 {
		name = fmt.Sprintf("%s~%x", name[:140], sha256.Sum256([]byte(id)))[:160]
	}
	return "trials/" + name + ".html"
}

// linkTo is the path as a relative URL.
func linkTo(path string) string {
	if path == "" {
		return ""
	}
	return (&url.URL{Path: path}).String()
}

// saveTimelines writes the pages that the run names, and takes away pages of
// an earlier save that it does not.
func saveTimelines(dir string, run Run, ledgers Ledgers) error {
	named := map[string]bool{}
	for i := range run.Experiments {
		e := &run.Experiments[i]
		for j := range e.Cells {
			c := &e.Cells[j]
			for _, t := range c.Trials {
				if t.Timeline == "" {
					continue
				}
				named[filepath.Base(t.Timeline)] = true
				page := loadTrialPage(dir, e.Name, c, t, ledgers)
				page.Anchor = cellAnchor(i, j)
				if err := render(filepath.Join(dir, t.Timeline), page.write); err != nil {
					return err
				}
			}
		}
	}
	old, err := filepath.Glob(filepath.Join(dir, "trials", "*.html"))
	if err != nil {
		return fmt.Errorf("save the run: %w", err)
	}
	for _, path := range old {
		if !named[filepath.Base(path)] {
			if err := os.Remove(path); err != nil {
				return fmt.Errorf("save the run: %w", err)
			}
		}
	}
	return nil
}

func loadTrialPage(dir, experiment string, c *Cell, t Trial, ledgers Ledgers) trialPage {
	manifest, files, err := ledgers(t.ID)
	if err != nil {
		return trialPage{
			Trial:   ledger.Trial{ID: t.ID, Experiment: experiment, System: c.System, Setting: c.Setting, Seed: t.Seed},
			Setting: setting(c.Setting), Cell: c, Broken: err.Error(),
		}
	}
	p := newTrialPage(manifest, files, c)
	if p.Observed = loadObserved(dir, t.ID, firstMono(manifest, files)); p.Observed != nil {
		p.Data = plotsData(p.Observed.Plots)
	}
	return p
}

// LedgersIn reads the ledgers of trials where a run keeps them: one folder a
// trial below runDir/ledger.
func LedgersIn(runDir string) Ledgers {
	return func(trialID string) (ledger.Trial, map[string]ledger.File, error) {
		if !filepath.IsLocal(trialID) {
			return ledger.Trial{}, nil, fmt.Errorf("trial %q: its id names no folder of the run", trialID)
		}
		return ledger.LoadTrial(filepath.Join(runDir, "ledger", trialID))
	}
}
