package experiments

import (
	"fmt"

	"acklab/internal/check"
	"acklab/internal/ledger"
)

var callerHeld = &Experiment{
	Name:     "caller-hands-over-emails",
	Question: "1,000 e-mails inside the request, or handed to a queue: how long is the caller held?",
	Claims:   []string{"A1"},
	Varies:   "where the e-mails go; each publish confirmed before the next, or one stream",
	Threats: []string{
		"the harness disturbs: one trial at a time, and the caller's own 1,000 e-mails are sent in the same trial, before the others",
		"a publish that nobody confirmed holds nobody: the caller is held until the last confirm, by its own ledger",
		"work that is handed over and never done would be a gain, too: all e-mails are finished by the workers",
	},
	Cells: func(sys System, suite Suite) []Cell { // in no quick suite: 20 s inline for each cell
		return []Cell{heldCell(sys, suite, "one by one"), heldCell(sys, suite, "one stream")}
	},
}

const (
	heldLoad  = 1_000
	heldFew   = 50 // for the self-test
	heldSlots = 20
	// heldAtMost is what is left of the caller's time when it is free "at
	// once", in percent.
	heldAtMost = 25
)

func heldCell(sys System, suite Suite, how string) Cell {
	job := Job{Count: heldLoad, Name: "send_email", Args: []any{"ada@example.org", 20}}
	if suite == selfTest {
		job.Count = heldFew
	}
	if how == "one by one" {
		job.Batch = 1
	}
	hands := Hands{Ack: "early", Concurrency: heldSlots, Multiplier: 2}
	most, why := heldBound(sys, how)
	c := Cell{
		System: sys, Setting: Setting{"publish": how}, Trials: 1, Pace: Alone, Load: job.Count, Seconds: 25,
		Measures:  []string{heldInline, heldPercent},
		Predicted: check.Bounds{heldInline: {job.Count, job.Count}, heldPercent: {0, most}},
		Reasons:   map[string]string{heldPercent: why},
		Because:   "the caller waits for a confirm instead of an e-mail of 20 ms, and the workers do all the rest",
		Claims:    map[string]check.Bounds{"A1": {heldPercent: {0, heldAtMost}, "lost": {0, 0}}},
		Steps: []Step{
			Declare(), SendInline(job.Count), StartWorker("worker", hands), AwaitConsuming("worker"), Publish(job), AwaitReceivedOver("worker", job.Count),
		},
	}
	caller := "producer"
	if sys.Kind == NoServer {
		caller = "worker" // is all in one
		c.Steps = []Step{SendInline(job.Count), StartTogether("worker", job, hands), AwaitReceivedOver("worker", job.Count)}
		c.Expect = ledger.Expect{QueueDiesWith: "worker"}
	}
	c.Final = []Step{MeasureHeld(caller)}
	return c
}

// heldBound is the most that a caller is held, in percent of the 20 ms that
// each e-mail takes it.
func heldBound(sys System, how string) (int, string) {
	switch {
	case sys.Kind == NoServer:
		return 5, "an append under a lock and two lines in the ledger: some 50 µs a task, or 0.3 %; ten times that and more for a busy machine"
	case how == "one stream":
		return 10, "a few thousand a second at the least: 1,000 take 200 ms, or 1 %; ten times that for a busy machine"
	}
	return heldAtMost, fmt.Sprintf("a round trip to %s, with its write where it makes one: 0.2 to 3 ms of 20, or 1 to 15 %%; more on a busy machine", sys.Name)
}
