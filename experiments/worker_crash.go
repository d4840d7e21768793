package experiments

var workerCrash = &Experiment{
	Name:     "worker-crash",
	Question: "Is the task lost when the worker crashes?",
	Claims:   []string{"B1", "B2", "B3", "B4", "B5", "U4"},
	Varies:   "moment of the crash x acknowledgement x a survivor or a restart of the dead one",
	Threats: []string{
		"an acknowledgement is not a fact when the call returns: acked and late-acked come after a flush, ack-sent and late-ack-sent are races of 50 trials",
		"the fault happened to nobody: the checkpoint is the victim's last line, and it held 1 running, 9 prefetched and 5 waiting tasks",
		"drained too early: settled by the server's own count of ready and unacknowledged messages; census after the last consumer has gone",
		"the harness disturbs: trials whose redelivery takes milliseconds run alone",
		"SIGKILL is not a power cut: only the worker dies here, the broker does not",
	},
	Suites: []Suite{Smoke, Quick, Flagship},
	Celery: true,
	Cells: func(sys System, suite Suite) []Cell {
		if sys.Celery {
			return celeryCrashCells(sys, suite)
		}
		return crashCells(sys, suite)
	},
}

// In each trial the first task runs, nine more are prefetched behind it, and
// five wait in the queue, when the worker kills itself.
const (
	crashLoad       = 15
	crashPrefetched = 9
	crashHeld       = crashPrefetched + 1
)

// crashCells is the cross product of acknowledgement, moment and what follows.
func crashCells(sys System, suite Suite) []Cell {
	var cells []Cell
	for _, ack := range []string{"early", "late"} {
		for _, at := range crashPoints(ack) {
			for _, then := range []string{"survivor", "restart"} {
				switch {
				case sys.Kind == NoServer: // nobody survives the process that is the queue
					if then == "survivor" || suite == Smoke && at != "started" {
						continue
					}
				case suite == Smoke && (at != "started" || then != "survivor"):
					continue
				case isRace(at) && !hasRaces(sys, suite):
					continue
				case suite == Quick && then == "restart":
					continue // the flagship has them: who comes after the crash has not mattered yet
				}
				cells = append(cells, crashCell(sys, suite, ack, at, then))
			}
		}
	}
	return cells
}

// crashPoints are the worker's checkpoints for a task that does not fail.
func crashPoints(ack string) []string {
	if ack == "late" {
		return []string{"before-fetch", "fetched", "started", "mid", "finished", "result-stored", "late-ack-sent", "late-acked"}
	}
	return []string{"before-fetch", "fetched", "ack-sent", "acked", "started", "mid", "finished", "result-stored"}
}

func crashCell(sys System, suite Suite, ack, at, then string) Cell {
	c := Cell{
		System: sys, Setting: Setting{"ack": ack, "crash_at": at, "then": then}, Trials: 3, Pace: Alone, Load: crashLoad,
		Control: ack, Seconds: 0.5,
	}
	if at == "result-stored" {
		c.Results = ResultSpec{Store: inRedis}
		if sys.Kind == NoServer {
			c.Results.Store = inMemory
		}
	}
	if sys.Kind == NoServer {
		return inProcessCrash(c, ack, at)
	}
	if isRace(at) {
		c.Trials, c.Pace = 50, Beside
	}
	leased(&c, sys, suite)
	c.Steps, c.Clean = crashSteps(ack, at, then), crashClean(ack)
	c.Expect = crashEvidence(sys, at)
	c.Predicted, c.Because, c.Reasons = predictCrash(ack, at, c.Stranding)
	c.Claims = crashClaims(ack, at)
	return c
}

// crashHands are those of a worker with one slot that prefetches ten.
func crashHands(ack string) Hands { return Hands{Ack: ack, Concurrency: 1, Multiplier: crashHeld} }

var crashJob = Job{Count: crashLoad, Name: "sleep", Args: []any{0.005}}

// crashSteps fill the queue, let the victim take its share and hold still,
// bring the survivor, and let the victim run into its checkpoint.
func crashSteps(ack, at, then string) []Step {
	victim := crashHands(ack)
	victim.CrashAt, victim.PauseAt = at, "fetched"
	held := crashHeld
	if at == "before-fetch" {
		victim.PauseAt, held = at, 0
	}
	steps := []Step{
		Declare(), Publish(crashJob),
		StartWorker("victim", victim), AwaitHolding("victim", victim.PauseAt, held),
	}
	next := "survivor"
	if then == "survivor" {
		// The survivor takes what waits and holds still until the crash, so
		// that tasks are waiting when it comes; its window stays open for
		// those that come back.
		survivor := crashHands(ack)
		survivor.PauseAt = "fetched"
		steps = append(steps, StartWorker(next, survivor), AwaitHolding(next, "fetched", 1), Release("victim"), AwaitCrash("victim"), Release(next))
	} else {
		next = "restarted"
		steps = append(steps, Release("victim"), AwaitCrash("victim"), StartWorker(next, crashHands(ack)), AwaitConsuming(next))
	}
	return steps
}

func crashClean(ack string) []Step {
	return []Step{Declare(), Publish(crashJob), StartWorker("worker", crashHands(ack)), AwaitReceivedOver("worker", crashLoad)}
}

// isRace tells whether the point lies between an acknowledgement's being
// handed over and the broker's having processed it. In the in-process queue
// there is nothing between them.
func isRace(at string) bool { return at == "ack-sent" || at == "late-ack-sent" }

// inProcessCrash is the cell of the in-process queue: producer, queue and
// worker die together, and a new process begins with nothing.
func inProcessCrash(c Cell, ack, at string) Cell {
	hands := crashHands(ack)
	c.Clean = []Step{StartTogether("worker", crashJob, hands), AwaitReceivedOver("worker", crashLoad)}
	hands.CrashAt, hands.PauseAt = at, "fetched"
	held := crashHeld
	if at == "before-fetch" {
		hands.PauseAt, held = at, 0
	}
	c.Steps = []Step{
		StartTogether("victim", crashJob, hands), AwaitHolding("victim", hands.PauseAt, held), Release("victim"), AwaitCrash("victim"),
		StartTogether("restarted", Job{Name: "sleep"}, crashHands(ack)), AwaitConsuming("restarted"),
	}
	c.Expect = crashEvidence(c.System, at)
	c.Predicted, c.Because = predictInProcessCrash(ack, at)
	return c
}
