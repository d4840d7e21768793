package experiments

import (
	"acklab/internal/check"
)

var chords = &Experiment{
	Name:     "chord-calls-back-once",
	Question: "A chord of 100 members and four workers: is the callback called once, and with every result in its place?",
	Claims:   []string{"F3"},
	Varies:   "nothing happens; deliveries that come twice; a worker killed midway; a member that fails; the callback's own worker killed, or slow while its task comes again",
	Threats: []string{
		"counters of the thing under test: the callback's runs are counted from the workers' ledgers, its input from its result, for it returns what it is given",
		"the fault happened to nobody: the victim's last line is the checkpoint, the server's connections were closed with deliveries in hand, every copy has a publish of its own",
		"what is never published is seen by nobody: the callback is planned in the producer's ledger before the first publish",
		"drained too early: a member is acknowledged late, after the callback it completes was published",
		"small n: where two runs of the callback may meet, the bounds allow both and the report says how often",
	},
	Suites: []Suite{Quick},
	Celery: true,
	Cells: func(sys System, suite Suite) []Cell {
		short := suite == Quick || suite == selfTest
		switch {
		case sys.Celery && short:
			return nil
		case sys.Kind == NoServer && short:
			return oneTrialEach(chordCell(sys, "late"))
		case short && sys.Name != "rabbitmq":
			return oneTrialEach(chordCell(sys, "late"), chordTwice(sys))
		case short:
			return oneTrialEach(chordCell(sys, "late"), chordTwice(sys), chordFails(sys), chordCrash(sys, suite, "late"), callbackCrash(sys, suite, "late", "result-stored"))
		}
		cells := []Cell{
			chordCell(sys, "late"), chordCell(sys, "early"), chordTwice(sys), chordRedelivered(sys), chordFails(sys),
			chordCrash(sys, suite, "early"), chordCrash(sys, suite, "late"),
			callbackCrash(sys, suite, "late", "finished"), callbackCrash(sys, suite, "late", "result-stored"), callbackCrash(sys, suite, "early", "finished"),
		}
		return append(cells, callbackTwice(sys))
	},
}

const (
	chordSize    = 100
	chordWorkers = 4
	chordErrback = "noop"
)

// chordWords are the producer's words for a chord of n members that make 1000 and
// more, and what the callback is given.
func chordWords(n int) (words []string, want string) {
	return append([]string{"--chord", "echo"}, numbered(n, 1000)...), list(n, 1000)
}

// chordOf is a cell about a chord without its steps: all goes well.
func chordOf(sys System, setting Setting, want string) Cell {
	c := Cell{
		System: sys, Setting: setting, Trials: 3, Pace: Beside, Load: chordSize + 1, Seconds: 1,
		Results: ResultSpec{Store: inRedis}, Measures: chordMeasures, Reasons: map[string]string{},
		Predicted: check.Bounds{"callbacks_run": {1, 1}, "results_in_order": {1, 1}, "callback_failed": {0, 0}, "errbacks_run": {0, 0}},
		Because:   "the result store counts the members in one atomic step each, and the last one publishes the callback",
		Claims:    map[string]check.Bounds{"F3": {"callbacks_run": {1, 1}, "results_in_order": {1, 1}}},
		Final:     []Step{MeasureChord(want, chordErrback)},
	}
	if sys.Celery {
		c.Seconds += 5
	}
	return c
}

func chordHands(ack string) Hands { return Hands{Ack: ack, Concurrency: 1, Multiplier: 4} }

// chordCell: nothing happens.
func chordCell(sys System, ack string) Cell {
	words, want := chordWords(chordSize)
	c := chordOf(sys, Setting{"ack": ack, "fault": "none"}, want)
	c.Predicted["finished"] = [2]int{chordSize + 1, chordSize + 1}
	c.Steps = chordSteps(sys, &c, Job{Count: 1, Workflow: words}, chordHands(ack), chordSize+1)
	return c
}

// chordSteps let four workers run a chord.
func chordSteps(sys System, c *Cell, job Job, hands Hands, runs int) []Step {
	steps := flowSteps(sys, c, job, hands, chordWorkers, runs)
	if sys.Celery { // between the queue and the publish
		steps = append([]Step{steps[0], steps[1], TellCeleryChord()}, steps[2:]...)
	}
	return steps
}

// chordTwice: the producer publishes every member twice.
func chordTwice(sys System) Cell {
	words, want := chordWords(chordSize)
	c := chordOf(sys, Setting{"ack": "late", "fault": "each member published twice"}, want)
	meet := "the last member's copy publishes the callback again, too; whether that one comes when the first has not ended yet is a race"
	c.wide("copied", chordSize, chordSize+1, meet)
	c.wide("collapsed", 0, 1, meet)
	c.wide("repeated", chordSize, chordSize+1, meet)
	c.wide("restarted", chordSize, chordSize+1, meet)
	c.wide("redelivered", 0, 1, meet)
	c.wide("callbacks_run", 1, 2, meet)
	c.Because = "every member runs twice and is counted once, by its place in the chord"
	c.Trials = 50 // a race
	if sys.Celery {
		c.Trials = 10
		c.wide("callbacks_run", 1, chordWorkers, "every worker that joins a member between the last one and the end of the chord's keys finds it complete")
	}
	c.Steps = chordSteps(sys, &c, Job{Count: 1, Workflow: words, Copies: 2}, chordHands("late"), 2*chordSize+1)
	return c
}

// chordFails: a member in the middle fails for good; the callback has an errback.
func chordFails(sys System) Cell {
	words, want := chordWords(chordSize)
	words[chordSize/2] = "fail_n_times [100]"
	c := chordOf(sys, Setting{"ack": "late", "fault": "a member fails"}, want)
	c.Predicted = check.Bounds{"failed": {1, 1}, "never_sent": {1, 1}, "called_off": {1, 1}, "callbacks_run": {0, 0}, "results_in_order": {0, 0}, "callback_failed": {1, 1}, "errbacks_run": {1, 1}}
	c.Because = "the callback is never published and has a ChordError in the result store; its errback is called, once"
	c.Claims = map[string]check.Bounds{"F3": {"callbacks_run": {0, 0}}}
	runs := chordSize + 1
	if sys.Celery { // its errback would be called in the member's own process, as a function
		c.Predicted["errbacks_run"] = [2]int{0, 0}
		c.Because = "the callback is never published and has a ChordError in the result store"
		runs--
	} else {
		words = append(words, "--link-error", chordErrback+"!")
	}
	c.Steps = chordSteps(sys, &c, Job{Count: 1, Workflow: words}, chordHands("late"), runs)
	return c
}

// list is the JSON of n numbers, from, from+1 and so on.
func list(n, from int) string {
	numbers := make([]int, n)
	for i := range numbers {
		numbers[i] = from + i
	}
	return inJSON(numbers)
}
