package experiments

import (
	"errors"
	"fmt"
	"iter"
	"path/filepath"
	"slices"
	"strings"

	"acklab/internal/check"
	"acklab/internal/connect"
)

// Plan is what a run will do: experiments with the cells that were chosen.
type Plan struct {
	Suite       Suite
	Experiments []Planned
}

// Planned is one experiment of a plan.
type Planned struct {
	*Experiment
	cells []*Cell
}

// Cells are the cells of the planned experiment, in the order of the report.
func (p Planned) Cells() []*Cell { return p.cells }

// Choice is what a person asks for.
type Choice struct {
	// What are names of experiments, claims, groups of claims (B) or suites;
	// empty: the suite quick.
	What []string
	// Systems restricts to these systems; empty: all.
	Systems []string
	// Trials overrides the number of trials of every cell; 0: as declared.
	Trials int
}

// NewPlan makes the plan for a choice. Errors are one line that says what is
// unknown and what there is.
func NewPlan(c Choice) (Plan, error) {
	chosen, suite, err := choose(c.What)
	if err != nil {
		return Plan{}, err
	}
	systems, err := chosenSystems(c.Systems)
	if err != nil {
		return Plan{}, err
	}
	if c.Trials < 0 {
		return Plan{}, fmt.Errorf("trials %d: use 1 or more", c.Trials)
	}
	plan := Plan{Suite: suite}
	for _, e := range chosen {
		planned := Planned{Experiment: e}
		for _, sys := range e.systems(systems) {
			for _, cell := range e.Cells(sys, suite) {
				planned.cells = append(planned.cells, readied(cell, suite, c.Trials))
			}
		}
		plan.Experiments = append(plan.Experiments, planned)
	}
	return plan, plan.lint()
}

// systems are those of all that the experiment is carried out on.
func (e *Experiment) systems(all []System) []System {
	return slices.DeleteFunc(slices.Clone(all), func(s System) bool { return s.Celery && !e.Celery })
}

// readied fills in what the choice decides: trials, and a missing tool. The
// suite smoke is content with one trial a cell.
func readied(c Cell, suite Suite, trials int) *Cell {
	if suite == Smoke && trials == 0 {
		trials = 1
	}
	if trials > 0 {
		c.Trials = trials
	}
	c.Server.Exporter = c.Observe && c.System.Kind == RabbitMQ
	if err := c.System.available(); c.NotRun == "" && err != nil {
		c.NotRun, c.Missing = err.Error(), true
	}
	if err := c.Results.available(); c.NotRun == "" && err != nil {
		c.NotRun, c.Missing = err.Error(), true
	}
	if err := c.Server.available(); c.NotRun == "" && err != nil {
		c.NotRun, c.Missing = err.Error(), true
	}
	return &c
}

func chosenSystems(names []string) ([]System, error) {
	if len(names) == 0 {
		return Systems, nil
	}
	var systems []System
	for _, name := range names {
		s, err := systemNamed(name)
		if err != nil {
			return nil, err
		}
		systems = append(systems, s)
	}
	return systems, nil
}

// choose finds the experiments that the words ask for, in the order of the
// catalogue, and the suite whose cells they shall have.
func choose(what []string) ([]*Experiment, Suite, error) {
	if len(what) == 0 {
		what = []string{string(Quick)}
	}
	suite := Full
	picked := map[*Experiment]bool{}
	for _, word := range what {
		found, isSuite, err := find(word)
		if err != nil {
			return nil, "", err
		}
		if isSuite != "" {
			suite = isSuite
		}
		for _, e := range found {
			picked[e] = true
		}
	}
	return slices.DeleteFunc(slices.Clone(Catalogue), func(e *Experiment) bool { return !picked[e] }), suite, nil
}

// find reads one word: a suite, an experiment, a claim, or a group of claims.
func find(word string) ([]*Experiment, Suite, error) {
	if i := slices.Index(Suites, Suite(word)); i >= 0 {
		return inSuite(Suites[i]), Suites[i], nil
	}
	upper := strings.ToUpper(word)
	var found []*Experiment
	for _, e := range Catalogue {
		if e.Name == word || slices.ContainsFunc(e.Claims, func(c string) bool { return c == upper || group(c) == upper }) {
			found = append(found, e)
		}
	}
	if len(found) > 0 {
		return found, "", nil
	}
	if why, known := NotBuilt[upper]; known {
		return nil, "", fmt.Errorf("claim %s is not built yet (%s); acklab list shows what is", upper, why)
	}
	return nil, "", fmt.Errorf("unknown experiment, claim, group or suite %q; acklab list shows what there is", connect.Redacted(word))
}

// group is the letter of a claim: B of B10.
func group(claim string) string { return strings.TrimRight(claim, "0123456789") }

func inSuite(s Suite) []*Experiment {
	var found []*Experiment
	for _, e := range Catalogue {
		if s == Full || slices.Contains(e.Suites, s) {
			found = append(found, e)
		}
	}
	return found
}

// each yields every cell with its experiment.
func (p Plan) each() iter.Seq2[*Experiment, *Cell] {
	return func(yield func(*Experiment, *Cell) bool) {
		for _, e := range p.Experiments {
			for _, c := range e.cells {
				if !yield(e.Experiment, c) {
					return
				}
			}
		}
	}
}

// lint refuses a prediction that could not fail.
func (p Plan) lint() error {
	var errs []error
	for e, c := range p.each() {
		if c.NotRun != "" {
			continue
		}
		if err := check.CheckBounds(c.Predicted, c.Reasons, c.Load, c.Measures...); err != nil {
			errs = append(errs, fmt.Errorf("experiment %s, %s %v: %w", e.Name, c.System.Name, c.Setting, err))
		}
	}
	return errors.Join(errs...)
}

// Seconds estimates how long the plan takes with so many trials side by side.
func (p Plan) Seconds(parallel int) float64 {
	var alone, beside, longest float64
	for _, c := range p.each() {
		if c.NotRun != "" {
			continue
		}
		total := c.Seconds * float64(c.Trials)
		switch c.Pace {
		case Alone:
			alone += total
		case Waiting:
			longest = max(longest, c.Settle.Seconds())
			beside += total
		default:
			beside += total
		}
	}
	return alone + max(beside/float64(max(parallel, 1)), longest)
}

func trialDir(run, id string) string { return filepath.Join(run, "ledger", id) }
