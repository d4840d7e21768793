package experiments

import (
	"maps"
	"slices"
	"strings"

	"acklab/internal/plant"
)

// This file says which experiment cannot see which plant, and why: everything
// else must be seen.

// blind says why an experiment cannot see a plant; empty: it must.
func blind(experiment, name string) string {
	if why, ok := blindTo[experiment][name]; ok {
		return why
	}
	return ""
}

// noRestart says that a plant which works on a restart of the server finds none in
// the cell that it would be tried on; empty: it does, or is another plant.
func noRestart(e *Experiment, name string) string {
	if name != plantEmptyFolder && name != plantStandIn {
		return ""
	}
	cell, err := target(e, name)
	if err != nil {
		return ""
	}
	for _, s := range cell.Steps {
		if strings.Contains(s.Name, stepKillServer) || strings.Contains(s.Name, stepStopServer) || strings.Contains(s.Name, stepKillResults) {
			return ""
		}
	}
	return "no server is restarted here"
}

// noResults says that a plant which works on results finds none in the cell that
// it would be tried on; empty: it does, or is another plant.
func noResults(e *Experiment, name string) string {
	cell, err := target(e, name)
	if name != plant.ResultDropped || err != nil || cell.Results.Store != "" {
		return ""
	}
	return "nothing is stored here"
}

// noScheduler says that a plant which works on schedulers finds none in the cell that
// it would be tried on; empty: it does, or is another plant.
func noScheduler(e *Experiment, name string) string {
	cell, err := target(e, name)
	if name != plantZone && name != plantLock && name != plantCatchUp || err != nil {
		return ""
	}
	for _, s := range cell.Steps {
		if strings.HasPrefix(s.Name, stepScheduler) {
			return ""
		}
	}
	return "nothing is scheduled here"
}

// noWorkflow says that a plant which works on what follows a task finds nothing in
// an experiment; empty: it does, or is another plant.
func noWorkflow(e *Experiment, name string) string {
	switch {
	case name == plant.SuccessorDropped && e != chains && e != chords:
		return "nothing follows a task here"
	case name == plant.JoinedTwice && e != chords:
		return "no chord is here"
	}
	return ""
}

// noRoute says that a plant which works on where a publish goes finds one queue only in
// the cell that it would be tried on; empty: there are others, or it is another plant.
func noRoute(e *Experiment, name string) string {
	cell, err := target(e, name)
	if name != plant.Misrouted || err != nil || len(cell.Queues) > 1 {
		return ""
	}
	return "there is no other queue to go to here"
}

// noOrder says that a plant which works on the order of service finds none in the
// cell that it would be tried on; empty: it does, or is another plant.
func noOrder(e *Experiment, name string) string {
	cell, err := target(e, name)
	if name != plant.OrderIgnored || err != nil || slices.Contains(cell.Options, "priority=on") || len(cell.Queues) > 0 && e != routedByName {
		return ""
	}
	return "whose turn it is does not matter here"
}

// excuses say, by plant, why it cannot be seen.
type excuses map[string]string

// and is both; where both have a word, more has the last.
func (r excuses) and(more excuses) excuses {
	both := maps.Clone(r)
	maps.Copy(both, more)
	return both
}

const (
	upToTheMoment = " is up to the moment: seen in most trials, not in each"
	alittleLate   = "an acknowledgement that is a little late is within what "
)

// What several experiments have in common.
var (
	nothingRetried = excuses{plant.RetrySettled: "nothing is retried here"}
	nothingDelayed = excuses{plant.DelayIgnored: "nothing is delayed here"}
	atOnce         = nothingRetried.and(nothingDelayed)
	// calm: no session ends under a living worker, and nobody stops politely.
	calm = excuses{
		plant.RequeueForgotten: "nobody gives anything back here",
		plant.StaleHonoured:    "no session ends under a living worker here",
	}
	// onceEach: and each delivery is settled by the first who has it.
	onceEach = calm.and(excuses{
		plant.MarkLies:    "nothing is delivered a second time here",
		plant.CensusOmits: "the broker holds nothing at the census, so nothing can be left out",
	})
	// nobodyDies: and so it does not matter when they acknowledged.
	nobodyDies = onceEach.and(excuses{
		plant.EarlyInLate: "the workers live on, so it does not matter when they acknowledged",
		plantNoFault:      "it has no fault",
	})
	// afterTheFault: the worker comes when the server is back.
	afterTheFault = onceEach.and(atOnce).and(excuses{
		plant.EarlyInLate: "the worker comes after the fault, and nothing happens to it",
		plant.LateInEarly: "the worker comes after the fault, and nothing happens to it",
	})
)

// oneTask is the whole load.
var oneTask = atOnce.and(nobodyDies).and(excuses{
	plant.PublishDropped: "there is only one task, so there is no other delivery",
	plant.NeighbourAcked: "there is only one task, so there is no other delivery",
	plant.LateInEarly:    "there is only one task, so no later acknowledgement comes",
})

// nobodyWorks: the runner is the only process.
var nobodyWorks = func() excuses {
	all := excuses{}
	for _, name := range Plants() {
		switch name {
		case plantNoFault, plantEmptyFolder, plantStandIn, plantAnyOutcome, plantZone, plantLock, plantCatchUp:
		default:
			all[name] = "no task is published here, and no process but the runner takes part"
		}
	}
	return all
}()

// onTime: the scheduler lives on, and is the only one.
var onTime = excuses{
	plantLock:    "there is only one scheduler",
	plantCatchUp: "no tick is late",
	plantZone:    "an interval has no zone",
}

var blindTo = map[string]excuses{
	"midnight-comes-every-day": atOnce.and(nobodyDies).and(onTime).and(excuses{plantZone: ""}),
	"interval-keeps-time": atOnce.and(nobodyDies).and(onTime).and(excuses{
		plant.NeighbourAcked: "the worker has one delivery at a time, so there is no other",
	}),
	"two-schedulers": atOnce.and(onceEach).and(excuses{
		plant.EarlyInLate:    nobodyDies[plant.EarlyInLate],
		plant.NeighbourAcked: "the worker has one delivery at a time, so there is no other",
		plantZone:            onTime[plantZone],
	}),
	"schedules-change-while-it-runs": atOnce.and(onceEach).and(excuses{
		plant.EarlyInLate:    nobodyDies[plant.EarlyInLate],
		plant.NeighbourAcked: "the worker has one delivery at a time, so there is no other",
		plantZone:            onTime[plantZone],
		plantLock:            "one scheduler comes after the other",
		plant.ResultDropped:  "a result matters only where a tick is doubled; two-schedulers sees it",
	}),
	"worker-crash": atOnce.and(calm),
	"worker-killed-at-random": atOnce.and(calm).and(excuses{
		plant.LateInEarly: alittleLate + "a random moment allows",
		plant.EarlyInLate: "which tasks were between acknowledgement and end" + upToTheMoment,
	}),
	"worker-stopped-politely": atOnce.and(excuses{
		plant.StaleHonoured: calm[plant.StaleHonoured],
		plant.CensusOmits:   onceEach[plant.CensusOmits],
		plant.MarkLies:      "only what was given back comes again here, and brokers differ in whether that is a redelivery",
	}),
	"queue-holder-killed": afterTheFault,
	"task-leaves-the-queue": atOnce.and(onceEach).and(excuses{
		plant.PublishDropped: "there is only one task, so there is no other delivery",
		plant.NeighbourAcked: "there is only one task, so there is no other delivery",
		plantNoFault:         "it has no fault",
	}),
	"one-worker-per-task": atOnce.and(excuses{
		plant.EarlyInLate:      "the workers live on and finish what they acknowledged too early",
		plant.LateInEarly:      alittleLate + "closed connections allow",
		plant.RequeueForgotten: calm[plant.RequeueForgotten],
		plant.CensusOmits:      onceEach[plant.CensusOmits],
	}),
	"caller-hands-over-emails": atOnce.and(nobodyDies),
	"workers-share-a-queue":    atOnce.and(nobodyDies),
	"queue-named-delayed": atOnce.and(nobodyDies).and(excuses{
		plant.NeighbourAcked: "the worker has one delivery at a time, so there is no other",
	}),
	"flaky-service-is-retried": nobodyDies.and(excuses{
		plant.RetrySettled: "no worker dies between the settlement and the publish",
	}),
	"delayed-task-comes-in-time": nothingRetried.and(onceEach).and(excuses{
		plant.EarlyInLate: nobodyDies[plant.EarlyInLate],
	}),
	"tasks-are-routed-by-name":       atOnce.and(nobodyDies),
	"urgent-tasks-behind-a-thousand": atOnce.and(nobodyDies),
	"tasks-are-served-by-priority":   atOnce.and(nobodyDies),
	"short-delay-behind-a-long-one":  nothingRetried.and(nobodyDies),
	"failing-task-is-tried-again":    calm,
	"redis-ends": afterTheFault.and(excuses{
		plant.NeighbourAcked: "asynq fetches one at a time: often there is no neighbour",
	}),
	"rabbitmq-ends": afterTheFault.and(excuses{
		plantStandIn: "nobody can stand in for RabbitMQ; redis-ends sees it",
	}),
	"caller-sees-the-states": oneTask,
	"late-retry-state": nothingDelayed.and(nobodyDies).and(excuses{
		plant.RetrySettled: "no worker dies between the settlement and the publish",
	}),
	"result-is-fetched-later":    oneTask,
	"result-store-killed":        atOnce.and(nobodyDies).and(excuses{plantNoFault: ""}),
	"result-stores-side-by-side": nobodyWorks,
	"chain-runs-in-order": atOnce.and(calm).and(excuses{
		plant.CensusOmits: onceEach[plant.CensusOmits],
	}),
	"group-runs-side-by-side": atOnce.and(calm).and(excuses{
		plant.CensusOmits: onceEach[plant.CensusOmits],
	}),
	"chord-calls-back-once": atOnce.and(calm).and(excuses{
		plant.CensusOmits: onceEach[plant.CensusOmits],
	}),
	"lease-is-outlived": atOnce.and(oneTask).and(excuses{
		plantNoFault: "", plant.StaleHonoured: "", plant.EarlyInLate: "",
		plant.MarkLies: "whether Redis marks every redelivery depends on what it writes to disk, which only a server tells: the marks are not relied upon",
	}),
	"task-comes-back": atOnce.and(calm).and(excuses{
		plant.PublishDropped: oneTask[plant.PublishDropped],
		plant.NeighbourAcked: oneTask[plant.NeighbourAcked],
		plant.LateInEarly:    "the victim acknowledges nothing here",
		plant.CensusOmits:    onceEach[plant.CensusOmits],
	}),
	"load-is-watched": calm.and(excuses{
		plant.LateInEarly:  alittleLate + "a random moment allows",
		plant.EarlyInLate:  "which tasks were between acknowledgement and end" + upToTheMoment,
		plant.MarkLies:     "whether anything comes back" + upToTheMoment,
		plant.CensusOmits:  "whether the dead worker held anything" + upToTheMoment,
		plant.DelayIgnored: "nothing here is about when a try comes",
		plant.RetrySettled: "no worker dies while tries fail",
	}),
}
