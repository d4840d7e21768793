package ledger

// Trial is the runner's manifest of one trial: which ledger files belong to
// it, how each process ended, and what must be shown for the trial to count.
// With the files it names it is all that a checker needs.
type Trial struct {
	ID         string            `json:"id"` // also the folder, below the run's ledger folder
	Experiment string            `json:"experiment"`
	System     string            `json:"system"`
	Setting    map[string]string `json:"setting"`
	Seed       int64             `json:"seed"`
	Control    bool              `json:"control,omitempty"` // the cell without its fault
	Queues     []string          `json:"queues"`            // each must have a census
	Processes  []Process         `json:"processes"`         // the runner is the first
	Expect     Expect            `json:"expect"`
}

// Process is one incarnation of one process of a trial.
type Process struct {
	Name   string `json:"name"`           // "victim", "survivor", "producer", "runner"; a restarted one has a new name
	File   string `json:"file"`           // its ledger, relative to the trial's folder
	Pid    int    `json:"pid"`            //
	Start  int64  `json:"start"`          // CLOCK_MONOTONIC, nanoseconds
	End    int64  `json:"end,omitempty"`  // the same; when it was reaped. 0: it never ended
	Code   int    `json:"code,omitempty"` // exit status, when it was not a signal
	Signal int    `json:"signal,omitempty"`
	// Killed: this experiment means the process to die without a word, so
	// its ledger may end without closed.
	Killed bool `json:"killed,omitempty"`
}

// Expect is the evidence without which a trial is unsure.
type Expect struct {
	// Victim is the process that must have been ended by signal 9 while the
	// experiment watched; empty: none.
	Victim string `json:"victim,omitempty"`
	// Checkpoint must be the victim's last line; empty: any last line.
	Checkpoint string `json:"checkpoint,omitempty"`
	// Running, Prefetched, Waiting are how many tasks the victim must at
	// least have had in each condition when it died (see check.Fate).
	Running    int `json:"running,omitempty"`
	Prefetched int `json:"prefetched,omitempty"`
	Waiting    int `json:"waiting,omitempty"`
	// AckRaces: whether the broker had processed the acknowledgement of the task at
	// the checkpoint when the victim died is what the trial is about.
	AckRaces bool `json:"ack_races,omitempty"`
	// InHand is how many deliveries the workers together must at least have
	// had in hand, received and not yet settled, when the first fault began.
	InHand int `json:"in_hand,omitempty"`
	// Faults must each have a fault-injected line of the runner.
	Faults []string `json:"faults,omitempty"`
	// BrokerFault: one of the faults is done to the broker, so that a loss
	// may have happened inside it.
	BrokerFault bool `json:"broker_fault,omitempty"`
	// QueueDiesWith names the process that holds the queue itself (memory):
	// its death is the census, and what it held is lost in the broker. While
	// it ends by itself it writes the census into its own ledger.
	QueueDiesWith string `json:"queue_dies_with,omitempty"`
	// MarksAlways: the broker marks every redelivery and nothing else, as
	// long as it is not broken itself.
	MarksAlways bool `json:"marks_always,omitempty"`
	// DelayByWorker: the broker delivers what is for later at once, and the worker
	// holds it.
	DelayByWorker bool `json:"delay_by_worker,omitempty"`
	// TakenInTwoSteps: a worker takes a message off the queue and then writes down at
	// the broker that it has it. One that ends between the two takes a message along
	// that nobody has any more: at most one, since it asks for the next one later.
	TakenInTwoSteps bool `json:"taken_in_two_steps,omitempty"`
	// LeaseBound: a delivery ends with its lease and not with its session, so
	// that it may be settled after its session was lost.
	LeaseBound bool `json:"lease_bound,omitempty"`
}
