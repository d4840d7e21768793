package experiments

import (
	"slices"
	"time"

	"acklab/internal/check"
	"acklab/internal/ledger"
)

var twoSchedulers = &Experiment{
	Name:     "two-schedulers",
	Question: "Two schedulers have the same schedules: is everything sent twice, and what if the one that leads dies or stands still?",
	Claims:   []string{"G3"},
	Varies:   "whether one leads x what happens to it x the catch-up policy x whether workers can tell doubles",
	Threats: []string{
		"the fault happened to nobody: the scheduler that is hit is the one that has written that it leads, after ten ticks of this term",
		"a tick that nobody planned is silence: due is every point of the interval's grid from the first tick that was sent to the last, whoever planned it",
		"an attempt is not a publish: what is sent is counted by what the broker confirmed, for asynq refuses an id that it holds",
		"order and clocks: the time without a leader is from the beginning of the fault to the first line after it in which the other leads, on the host's monotonic clock",
		"a young leader is not an old one: it has led for ten ticks when it is hit, and renewed its lease on the way",
		"a leader that nobody hit lost its lease all the same: a pacemaker runs beside the trial, and a leader that was deposed before, without or once more than by a fault makes it unsure",
	},
	Suites: []Suite{Quick},
	Celery: true,
	Cells: func(sys System, suite Suite) []Cell {
		alone, leads := doubleCell(sys, false), leaderCell(sys, leaderLives, "all")
		killed := leaderCell(sys, leaderKilled, "all")
		if suite == Quick {
			if sys.Name != "rabbitmq" && sys.Name != "asynq" {
				return nil
			}
			return oneTrialEach(alone, leads, killed)
		}
		return []Cell{
			alone, doubleCell(sys, true), leads, killed, leaderCell(sys, leaderKilled, "none"),
			leaderCell(sys, leaderFrozen, "all"), leaderCell(sys, leaderFrozen, "none"),
		}
	},
}

const (
	twinEvery = 250 * time.Millisecond
	twinTicks = 40 // 10 s
	twinLease = 2 * time.Second
	// twinTask is how long the task of a tick takes: long enough for the double of
	// another scheduler to come while it runs.
	twinTask = 100 * time.Millisecond
)

// What happens to the leader.
const (
	leaderLives  = "none"
	leaderKilled = "leader killed"
	leaderFrozen = "leader frozen past its lease"
)

const (
	eachItsOwn = "each its own"
	oneLeads   = "one leads"
)

// twin is the schedule of both.
func twin(catchUp string) scheduled {
	s := scheduled{Name: "twin", Task: "sleep", Args: []any{twinTask.Seconds()}, Every: twinEvery.String(), MaxRuns: twinTicks, CatchUp: catchUp}
	if catchUp == "all" {
		s.Window = time.Minute.String()
	}
	return s
}

func twinCellOf(sys System, setting Setting) Cell {
	c := Cell{
		System: sys, Setting: setting, Trials: 3, Pace: Alone, Load: twinTicks, Seconds: 14, Measures: slices.Clone(twinMeasures),
		Results: ResultSpec{Store: inRedis, Own: true},
	}
	if sys.Kind == NoServer {
		c.NotRun = "no such point: the in-process queue has no other process, and so no scheduler"
	}
	return c
}

// doubleCell: two schedulers that know nothing of each other. dedupe: the workers
// ask the result store, one task at a time, so that a double never runs beside the
// first.
func doubleCell(sys System, dedupe bool) Cell {
	how := "no"
	if dedupe {
		how = "by the result store"
	}
	c := twinCellOf(sys, Setting{"leader": eachItsOwn, "fault": leaderLives, "catch_up": "all", "dedupe": how})
	if c.NotRun != "" {
		return c
	}
	if dedupe {
		if sys.Celery {
			c.NotRun = "no such point: Celery's workers do not ask whether a task has run"
			return c
		}
	} else {
		c.Results = ResultSpec{}
	}
	clock := Clockwork{Schedules: []scheduled{twin("all")}}
	c.Steps = []Step{
		Declare(), StartWorker(cleanWorker, Hands{Ack: "late", Concurrency: twinHands(dedupe), Multiplier: 4}), AwaitConsuming(cleanWorker),
		StartScheduler("scheduler1", clock), StartScheduler("scheduler2", clock),
		AwaitCount("scheduler1", ledger.Attempted, twinTicks), AwaitCount("scheduler2", ledger.Attempted, twinTicks),
		EndMember("scheduler1"), EndMember("scheduler2"),
	}
	c.Final = []Step{MeasureTwins("scheduler1", "scheduler2")}
	alone := "the two do not begin in the same moment: at both ends some ticks are sent by one alone"
	c.Predicted = check.Bounds{"sends_percent": {150, 204}, "attempts_percent": {150, 204}, "ticks_missed": {0, 0}}
	c.Reasons = map[string]string{"sends_percent": alone, "attempts_percent": alone}
	c.Because = "each of them sends every tick"
	twice, why := [2]int{twinTicks / 2, twinTicks}, alone
	if sys.Name == "asynq" {
		twice, why = [2]int{0, twinTicks / 4}, "on a busy machine the double may come when the first has ended, and asynq no longer holds it"
		c.Predicted["sends_percent"], c.Reasons["sends_percent"] = [2]int{100, 125}, why
		c.Because = "each of them tries to send every tick, and asynq refuses an id that it holds"
	}
	c.wide("ticks_doubled", twice[0], twice[1], why)
	counts := []string{"redelivered", "copied", "repeated", "restarted"}
	switch {
	case sys.Celery: // its ticks have ids of their own: nobody can tell that two are one
		delete(c.Predicted, "ticks_missed")
		c.Because += ", and in Celery each time as another task"
		c.wide("ticks_doubled", twinTicks/2, twinTicks*5/4, alone+"; beat's ticks lie on no grid, and two are of one tick here if they are confirmed in the same interval")
		counts = nil
	case dedupe:
		counts = []string{"redelivered", "copied", "collapsed"}
		c.Because += "; the worker finds the result of the first"
	}
	for _, count := range counts {
		c.Predicted[count], c.Reasons[count] = twice, why
	}
	c.Claims = map[string]check.Bounds{"G3": {"sends_percent": {150, 204}}}
	return c
}

// twinHands: with one slot a double never runs beside the first.
func twinHands(dedupe bool) int {
	if dedupe {
		return 1
	}
	return 4
}

// leaderCell: one of two leads, and something happens to it.
func leaderCell(sys System, fault, catchUp string) Cell {
	c := twinCellOf(sys, Setting{"leader": oneLeads, "fault": fault, "catch_up": catchUp, "dedupe": "by the result store"})
	switch {
	case c.NotRun != "":
		return c
	case sys.Celery:
		c.NotRun = "no such point: Celery's beat has no leader; of two, each sends everything"
		return c
	}
	clock := Clockwork{Schedules: []scheduled{twin(catchUp)}, Store: true, Lease: twinLease}
	c.Steps = []Step{
		Declare(), StartWorker(cleanWorker, Hands{Ack: "late", Concurrency: 1, Multiplier: 4}), AwaitConsuming(cleanWorker),
		StartScheduler("scheduler1", clock), StartScheduler("scheduler2", clock), AwaitTerm(10, "scheduler1", "scheduler2"),
	}
	c.Predicted = check.Bounds{"sends_percent": {100, 100}, "attempts_percent": {100, 100}, "ticks_missed": {0, 0}, "ticks_doubled": {0, 0}, "terms": {1, 1}}
	c.Reasons = map[string]string{}
	c.Because = "only who leads sends"
	c.Stall = twinLease / 4
	if fault != leaderLives {
		c.Control, c.Clean = oneLeads+" "+catchUp, concat(c.Steps, []Step{EndSchedulers("scheduler1", "scheduler2")})
		c.Steps = append(c.Steps, HitTheLeader(fault, "scheduler1", "scheduler2"))
		c.Measures = append(c.Measures, "without_leader_ms")
		// It renews a third into its lease. The next one asks as soon as it has run out.
		c.Predicted["terms"] = [2]int{2, 2}
		c.wide("without_leader_ms", int((twinLease*2/3 - c.Stall).Milliseconds()), int(twinLease.Milliseconds())+3000, "what is left of the lease is two thirds or more, less what a renewal was late on a machine that stood still for as long as a trial may; whoever follows may be late on a busy one")
		again := "a tick that was claimed and not settled at the moment of the fault is sent again under its id"
		c.wide("sends_percent", 100, 104, again)
		c.wide("attempts_percent", 100, 104, again)
		c.wide("ticks_doubled", 0, 1, again)
		for _, count := range []string{"redelivered", "copied", "collapsed"} {
			c.wide(count, 0, 1, again)
		}
		c.Because = "the other leads when the lease has run out, and sends what is owed"
	}
	if catchUp == "none" {
		missed := int((twinLease + 3*time.Second) / twinEvery)
		each := "one for each interval without a leader"
		c.wide("ticks_missed", 1, missed, each)
		c.wide("never_sent", 1, missed, each)
		least := 100 * twinTicks / (twinTicks + missed)
		c.wide("sends_percent", least, 100, "those that were missed were not sent, and at most one was sent twice")
		c.wide("attempts_percent", least, 100, "those that were missed were not sent, and at most one was sent twice")
		c.Because = "the other leads when the lease has run out, and what was due before that is not sent"
	}
	c.Steps = append(c.Steps, AwaitSent(ledger.Confirmed, twinTicks, "scheduler1", "scheduler2"), EndSchedulers("scheduler1", "scheduler2"))
	c.Final = []Step{
		MeasureTwins("scheduler1", "scheduler2"),
		DeposedByFreezeOnly(fault == leaderFrozen, "scheduler1", "scheduler2"),
	}
	switch fault {
	case leaderKilled:
		c.Expect.Faults = []string{faultKill}
	case leaderFrozen:
		c.Expect.Faults = []string{faultFreeze}
	}
	switch {
	case fault == leaderLives:
		c.Claims = map[string]check.Bounds{"G3": {"sends_percent": {100, 100}, "attempts_percent": {100, 100}, "ticks_missed": {0, 0}, "ticks_doubled": {0, 0}, "copied": {0, 0}, "repeated": {0, 0}}}
	case catchUp == "all": // without it ticks are missed because that was asked for
		c.Claims = map[string]check.Bounds{"G3": {"ticks_missed": {0, 0}, "ticks_doubled": {0, 1}, "repeated": {0, 0}}}
	}
	return c
}
