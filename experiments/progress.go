package experiments

import "acklab/internal/report"

// Progress is told what a run is doing. Its methods are called from several
// goroutines.
type Progress interface {
	// Begin comes first.
	Begin(Plan)
	// Trial comes after each trial.
	Trial(experiment string, state CellState)
	// Interim comes when the timed trials are done: the answer so far.
	Interim(report.Run)
	// End comes last, also when the run is interrupted.
	End()
}

// CellState is how far a cell is.
type CellState struct {
	Cell            *Cell
	Control         bool // it was the cell's trial without a fault
	Done, Of        int
	Outcome, Reason string // by the trials that are done
	// Classes are how many tasks of the cell's trials ended in each class; nil
	// until all are done.
	Classes map[string]int
}

type silent struct{}

func (silent) Begin(Plan)              {}
func (silent) Trial(string, CellState) {}
func (silent) Interim(report.Run)      {}
func (silent) End()                    {}
