package experiments

import (
	"context"
	"time"

	"acklab/internal/check"
	"acklab/internal/ledger"
)

// Suite is a named selection of experiments and of their cells.
type Suite string

// The suites. Quick leaves out what waits for a long lease: such tasks are
// reported as stranded.
const (
	Smoke    Suite = "smoke"
	Quick    Suite = "quick"
	Flagship Suite = "flagship"
	Full     Suite = "full"
)

// Suites are all suites, the smallest first.
var Suites = []Suite{Smoke, Quick, Flagship, Full}

// Experiment is one entry of the catalogue: a declaration. The runner owns the
// procedure.
type Experiment struct {
	// Name is a sentence with dashes.
	Name string
	// Question is what a person would ask.
	Question string
	// Claims are the ids that it puts to the test.
	Claims []string
	// Varies says in a few words what differs between its cells.
	Varies string
	// Threats says which threats to a wrong verdict it meets, and how.
	Threats []string
	// Suites it belongs to; every experiment belongs to Full.
	Suites []Suite
	// Celery: it is carried out with Celery's own workers, too.
	Celery bool
	// Cells makes the cells for one system in one suite.
	Cells func(System, Suite) []Cell
}

// Setting is what tells a cell from the others of its experiment and system.
type Setting map[string]string

// Cell is one combination of system and setting, and what is predicted of it.
type Cell struct {
	System  System
	Setting Setting
	// Predicted bounds the counts of each trial, because of Because; a range
	// wider than a point needs its own reason in Reasons, by count.
	Predicted check.Bounds
	Because   string
	// Measures are the names of the experiment's own measures in Predicted.
	Measures []string
	Reasons  map[string]string
	// Claims are the bounds that each claim itself predicts.
	Claims map[string]check.Bounds
	// NotRun is why the cell is not run; empty: it is. Missing marks that a
	// tool is missing, which changes the exit status.
	NotRun  string
	Missing bool
	// Trials is how often; Pace says beside what else.
	Trials int
	Pace   Pace
	// Server says what the cell asks of its server.
	Server ServerSpec
	// Results says where its workers store results.
	Results ResultSpec
	// Options are added to the broker URL of everybody in the trial, as in
	// "persistent=false", in the place of the system's own of that name.
	Options []string
	// Queues are words for queues beside the trial's own, see named.
	Queues []string
	// Load is the number of tasks, for the lint of predictions.
	Load int
	// Steps are the load and the fault. Clean are the steps of the control,
	// the same without the fault; cells with the same Control share one.
	Steps   []Step
	Control string
	Clean   []Step
	// Final are steps that measure, once every member has ended and before the
	// census. They read the ledgers.
	Final []Step
	// Observe: a real Prometheus watches the trial; for loads of 20 s or more.
	Observe bool
	// Expect is the evidence without which a trial does not count.
	Expect ledger.Expect
	// Settle is how long the broker may need to bring everything back.
	Settle time.Duration
	// Stranding: do not wait for tasks whose lease has to run out; the census
	// finds them stranded.
	Stranding bool
	// Stall is how long the machine may stand still while the steps are carried out:
	// more makes the trial unsure (see paced). 0: it does not matter.
	Stall time.Duration
	// Seconds is the estimated time of one trial.
	Seconds float64
}

// Pace says what a cell's trials may run beside.
type Pace string

// The paces, in the order in which a run takes them.
const (
	// Alone: one trial at a time, for times below ten seconds.
	Alone Pace = "alone"
	// Beside: as many trials as there are cores; nothing is timed.
	Beside Pace = "beside"
	// Waiting: the trial waits for a lease for a minute or two, side by side
	// with the others that wait.
	Waiting Pace = "waiting"
)

// ServerSpec is what a cell asks of its server.
type ServerSpec struct {
	// Own: a server for this trial alone, because the trial breaks it.
	Own bool
	// Persistence of Redis; empty: none. RabbitMQ has its own.
	Persistence string
	// Trace: the server runs under strace, for CutPower. It is slower then.
	Trace bool
	// Exporter: RabbitMQ shows its own metrics. Set for the cells that are
	// observed.
	Exporter bool
}

// Step is one thing that a trial does. Its name is what --dry-run prints.
type Step struct {
	Name string
	Do   func(context.Context, *Trial) error
}
