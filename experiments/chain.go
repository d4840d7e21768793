package experiments

import (
	"acklab/internal/check"
	"acklab/internal/ledger"
)

var chains = &Experiment{
	Name:     "chain-runs-in-order",
	Question: "A chain of four links: does each get the result of the one before, and what is left of it after a crash between two links?",
	Claims:   []string{"F1"},
	Varies:   "acknowledgement x the moment of the crash; an immutable link; a link that fails; every link delivered twice; links that run once",
	Threats: []string{
		"order and clocks: a link is early when it began before the one before it had ever finished, on the host's monotonic clock",
		"the fault happened to nobody: the checkpoint is the last line of the victim, which ran the second link",
		"what is never published is seen by nobody: every id is planned in the producer's ledger before the first publish",
		"drained too early: the trial waits for the runs that are owed, then until the broker has nothing left",
	},
	Suites: []Suite{Quick},
	Celery: true,
	Cells:  chainCells,
}

const (
	chainLinks = 4
	chainLoad  = 10 // chains
	// chainCrashed is the link that the victim runs when it dies, counted from 1.
	chainCrashed = 2
)

// adds is a chain whose links make 2, 12, 112 and 1112; immutable, one whose third
// link is given nothing and makes 5, and the fourth 1005; failing, one whose second
// link fails.
var (
	adds      = []string{"--chain", "add [1, 1]", "add [10]", "add [100]", "add [1000]"}
	immutable = []string{"--chain", "add [1, 1]", "add [10]", "add! [2, 3]", "add [1000]"}
	failing   = []string{"--chain", "add [1, 1]", "fail_n_times! [100]", "add [100]", "add [1000]"}
)

func chainCells(sys System, suite Suite) []Cell {
	short := suite == Quick || suite == selfTest
	few := sys.Name != "rabbitmq" // the others show the same without a wait
	switch {
	case sys.Celery && short:
		return nil
	case sys.Kind == NoServer && short:
		return oneTrialEach(chainCell(sys, "late", "adds"))
	case sys.Kind == NoServer:
		return []Cell{chainCell(sys, "early", "adds"), chainCell(sys, "late", "adds"), chainCell(sys, "late", "immutable"), chainCell(sys, "late", "second fails"), chainTwice(sys, false), chainTwice(sys, true), inProcessChain(sys)}
	case short && few:
		return oneTrialEach(chainCell(sys, "late", "adds"))
	case short:
		return oneTrialEach(chainCell(sys, "late", "adds"), chainCell(sys, "late", "second fails"), chainCrash(sys, suite, "early", "result-stored", false), chainCrash(sys, suite, "late", "links-sent", false))
	}
	cells := []Cell{chainCell(sys, "early", "adds"), chainCell(sys, "late", "adds"), chainCell(sys, "late", "immutable"), chainCell(sys, "late", "second fails")}
	points := []string{"mid", "result-stored", "links-sent"}
	if sys.Celery {
		points = []string{"mid", "finished", "result-stored"}
	}
	for _, ack := range []string{"early", "late"} {
		for _, at := range points {
			cells = append(cells, chainCrash(sys, suite, ack, at, false))
		}
	}
	cells = append(cells, chainTwice(sys, false))
	if !sys.Celery {
		cells = append(cells, chainTwice(sys, true), chainCrash(sys, suite, "late", "result-stored", true), chainCrash(sys, suite, "late", "links-sent", true))
	}
	return cells
}

// chainCell: nobody dies; two workers share the links of ten chains.
func chainCell(sys System, ack, kind string) Cell {
	words, want := adds, []string{"2", "12", "112", "1112"}
	c := Cell{
		System: sys, Setting: Setting{"ack": ack, "chain": kind}, Trials: 3, Pace: Beside, Load: chainLoad * chainLinks, Seconds: 1,
		Results: ResultSpec{Store: inRedis}, Measures: chainMeasures, Reasons: map[string]string{},
		Predicted: check.Bounds{"finished": {chainLoad * chainLinks, chainLoad * chainLinks}, "order_violations": {0, 0}, "wrong_values": {0, 0}, "chains_complete": {chainLoad, chainLoad}, "failures_told": {0, 0}},
		Because:   "a link is published by the worker that has finished the one before, with its result",
		Claims:    map[string]check.Bounds{"F1": {"order_violations": {0, 0}, "wrong_values": {0, 0}, "chains_complete": {chainLoad, chainLoad}}},
	}
	runs := chainLoad * chainLinks
	switch kind {
	case "immutable":
		words, want = immutable, []string{"2", "12", "5", "1005"}
		c.Because = "an immutable link waits for the one before and is not given its result"
	case "second fails":
		words, runs = failing, 2*chainLoad
		c.Predicted = check.Bounds{"finished": {chainLoad, chainLoad}, "failed": {chainLoad, chainLoad}, "never_sent": {2 * chainLoad, 2 * chainLoad}, "order_violations": {0, 0}, "wrong_values": {0, 0}, "chains_complete": {0, 0}, "called_off": {2 * chainLoad, 2 * chainLoad}, "failures_told": {2 * chainLoad, 2 * chainLoad}}
		c.Because = "what comes after a link that has failed for good is never published, and has a FAILURE in the result store"
		c.Claims = map[string]check.Bounds{"F1": {"order_violations": {0, 0}, "wrong_values": {0, 0}}}
	}
	job := Job{Count: chainLoad, Workflow: words}
	c.Steps = flowSteps(sys, &c, job, Hands{Ack: ack, Concurrency: 2, Multiplier: 1}, 2, runs)
	c.Final = []Step{MeasureChains(want...)}
	return c
}

// chainTwice: nobody dies; the first link of each chain is published twice, and each of
// its runs publishes the next. Two workers run them at once; where links are to run
// once, one does, for two runs that overlap are not told apart.
func chainTwice(sys System, once bool) Cell {
	const links, first = chainLoad * chainLinks, chainLoad
	c := chainCell(sys, "late", "adds")
	c.Setting["fault"] = "the first link published twice"
	c.Claims = map[string]check.Bounds{"F1": {"order_violations": {0, 0}, "wrong_values": {0, 0}, "chains_complete": {chainLoad, chainLoad}}}
	workers, runs := 2, 2*links
	again := []string{"copied", "repeated", "restarted"}
	c.Because = "both runs of a link publish the next one, under the same ids: every link runs twice, with the same result"
	if once {
		c.Setting["once"] = "yes"
		workers, runs = 1, links
		again = []string{"copied", "collapsed"}
		c.Because = "the second delivery of a link is not run, for its result is stored; it publishes the next one again, to the end of the chain"
	}
	for _, name := range again {
		c.wide(name, links, links, "")
	}
	switch {
	case sys.Name == "asynq" && once: // one slot, and all first links are before the second ones
		for _, name := range again {
			c.wide(name, first, first, "")
		}
		c.Because = "the second delivery of a first link is not run; it publishes the next one again, which asynq refuses, for it still has one of that id"
	case sys.Name == "asynq":
		why := "asynq refuses the second publish of a link for as long as it has the first: which of them comes after its end is a race"
		for _, name := range again {
			c.wide(name, first, links, why)
		}
		c.wide("redelivered", 0, links-first, why)
		c.Because = "each first link runs twice; what follows it does so where the first message of it has ended when the second one comes"
	case sys.Celery && sys.Kind == RedisServer: // each of its publishes on Redis is another message
	default:
		c.wide("redelivered", links-first, links-first, "")
	}
	c.Seconds = 1
	job := Job{Count: chainLoad, Workflow: adds, Copies: 2, Once: once}
	hands := Hands{Ack: "late", Concurrency: 2, Multiplier: 1}
	if once {
		hands.Concurrency = 1
	}
	c.Steps = flowSteps(sys, &c, job, hands, workers, runs)
	return c
}

// flowSteps publish workflows and let so many workers run all of them; the in-process
// queue has one.
func flowSteps(sys System, c *Cell, job Job, hands Hands, workers, runs int) []Step {
	if sys.Kind == NoServer {
		hands.Concurrency *= workers
		c.Expect.QueueDiesWith = cleanWorker
		return []Step{StartTogether(cleanWorker, job, hands), AwaitRuns(runs)}
	}
	steps := []Step{Declare(), Publish(job)}
	for _, name := range workerNames()[:workers] {
		steps = append(steps, StartWorker(name, hands))
	}
	for _, name := range workerNames()[:workers] { // one that is stopped before it listens to signals looks like a crash
		steps = append(steps, AwaitConsuming(name))
	}
	if sys.Celery {
		c.Seconds += 3 // a Celery worker takes seconds to start
	}
	return append(steps, AwaitRuns(runs))
}

// chainCrash: the only worker dies while it runs the second link of one chain, and
// another one is started.
func chainCrash(sys System, suite Suite, ack, at string, once bool) Cell {
	job := Job{Count: 1, Workflow: adds, Once: once}
	hands := Hands{Ack: ack, Concurrency: 1, Multiplier: 1}
	victim := hands
	victim.CrashAt, victim.CrashNth = at, chainCrashed
	c := Cell{
		System: sys, Setting: Setting{"ack": ack, "crash_at": at, "chain": "adds"}, Trials: 3, Pace: Beside, Load: chainLinks, Seconds: 1, Control: ack,
		Results: ResultSpec{Store: inRedis}, Measures: chainMeasures,
		Expect: ledger.Expect{Victim: "victim", Checkpoint: at, Running: 1},
		Clean:  []Step{Declare(), Publish(job), StartWorker(cleanWorker, hands), AwaitRuns(chainLinks)},
		Final:  []Step{MeasureChains("2", "12", "112", "1112")},
	}
	if once {
		c.Setting["once"] = "yes"
	}
	awaitLease(&c, sys, suite)
	var runs int
	c.Predicted, c.Because, c.Reasons, runs = predictChainCrash(sys, ack, at, once)
	c.Steps = []Step{Declare(), Publish(job), StartWorker("victim", victim), AwaitCrash("victim"), StartWorker("restarted", hands), AwaitConsuming("restarted"), AwaitRuns(runs)}
	c.Claims = map[string]check.Bounds{"F1": {"order_violations": {0, 0}, "wrong_values": {0, 0}, "chains_complete": {1, 1}}}
	if sys.Celery {
		c.Seconds += 4
	}
	return c
}

// inProcessChain: the queue, and with it the rest of the chain, dies with the worker.
func inProcessChain(sys System) Cell {
	job := Job{Count: 1, Workflow: adds}
	hands := Hands{Ack: "late", Concurrency: 1, Multiplier: 1}
	victim := hands
	victim.CrashAt, victim.CrashNth = "mid", chainCrashed
	return Cell{
		System: sys, Setting: Setting{"ack": "late", "crash_at": "mid", "chain": "adds"}, Trials: 3, Pace: Beside, Load: chainLinks, Seconds: 1, Control: "late",
		Results: ResultSpec{Store: inRedis}, Measures: chainMeasures,
		Expect: ledger.Expect{Victim: "victim", Checkpoint: "mid", Running: 1, QueueDiesWith: "victim"},
		Clean:  []Step{StartTogether(cleanWorker, job, hands), AwaitRuns(chainLinks)},
		Steps:  []Step{StartTogether("victim", job, victim), AwaitCrash("victim"), StartTogether("restarted", Job{Name: "sleep"}, hands), AwaitConsuming("restarted")},
		Final:  []Step{MeasureChains("2", "12", "112", "1112")},
		Predicted: check.Bounds{
			"lost": {1, 1}, "lost_in_broker": {1, 1}, "never_sent": {chainLinks - chainCrashed, chainLinks - chainCrashed},
			"order_violations": {0, 0}, "wrong_values": {0, 0}, "chains_complete": {0, 0}, "failures_told": {0, 0},
		},
		Because: "the queue was in the process that died, and the rest of the chain was in the message of its link",
		Claims:  map[string]check.Bounds{"F1": {"order_violations": {0, 0}, "wrong_values": {0, 0}, "chains_complete": {1, 1}}},
	}
}
