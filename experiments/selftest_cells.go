package experiments

import (
	"fmt"
	"strings"

	"acklab/internal/plant"
)

// aim says on which cell of an experiment a plant is tried: the system and the
// settings that it can harm.
type aim struct {
	system  string
	setting Setting
}

// aims are where a plant is tried when the usual cell of the experiment is not
// one that it can harm.
var aims = map[string]map[string]aim{
	"worker-crash": {
		"":                   {"rabbitmq", Setting{"ack": "late", "crash_at": "started", "then": "survivor"}},
		plant.LateInEarly:    {"rabbitmq", Setting{"ack": "early", "crash_at": "acked", "then": "survivor"}},
		plant.NeighbourAcked: {"rabbitmq", Setting{"ack": "late", "crash_at": "late-acked", "then": "survivor"}},
		plant.CensusOmits:    {"asynq", Setting{"ack": "late", "crash_at": "started", "then": "survivor"}},
	},
	"worker-killed-at-random": {
		"":                {"rabbitmq", Setting{"ack": "late"}},
		plant.CensusOmits: {"asynq", Setting{"ack": "late"}},
	},
	"worker-stopped-politely": {
		"":                     {"rabbitmq", Setting{"ack": "late", "task": "short"}},
		plant.RequeueForgotten: {"rabbitmq", Setting{"ack": "late", "task": "longer than the grace period"}},
		plant.LateInEarly:      {"rabbitmq", Setting{"ack": "early", "task": "longer than the grace period"}},
		plant.EarlyInLate:      {"rabbitmq", Setting{"ack": "late", "task": "longer than the grace period"}},
	},
	"queue-holder-killed": {
		"":                   {"asynq", Setting{"killed": "server", "persistence": "aof-always"}},
		plant.NeighbourAcked: {"rabbitmq", Setting{"killed": "server"}},                     // asynq fetches one at a time: often there is no neighbour
		plantStandIn:         {"asynq", Setting{"killed": "server", "persistence": "none"}}, // as empty as the one that answers for it
	},
	"task-leaves-the-queue": {
		"":                {"rabbitmq", Setting{"ack": "late"}},
		plant.LateInEarly: {"rabbitmq", Setting{"ack": "early"}},
	},
	"one-worker-per-task": {
		"": {"rabbitmq", Setting{"ack": "late", "fault": "connections closed"}},
	},
	"caller-hands-over-emails": {
		"": {"rabbitmq", Setting{"publish": "one by one"}},
	},
	"workers-share-a-queue": {
		"": {"rabbitmq", Setting{"prefetch": "20"}},
	},
	"queue-named-delayed": {
		"": {"asynq", Setting{"queue": "delayed"}},
	},
	"flaky-service-is-retried": {
		"": {"rabbitmq", Setting{"fail_rate": "0.5", "max_retries": "3"}},
	},
	"delayed-task-comes-in-time": {
		"":               {"rabbitmq", Setting{"delay": "500ms"}},
		plantNoFault:     {"asynq", Setting{"fault": "server killed"}},
		plantEmptyFolder: {"asynq", Setting{"fault": "server killed"}},
		plantStandIn:     {"asynq", Setting{"fault": "server killed"}},
	},
	"short-delay-behind-a-long-one": {
		"": {"rabbitmq", Setting{"delay_queue": queuePerDelay}},
	},
	"failing-task-is-tried-again": {
		"":                 {"rabbitmq", Setting{"ack": "late", "crash_at": "retry-sent"}},
		plant.LateInEarly:  {"rabbitmq", Setting{"ack": "early", "crash_at": "failed"}},
		plant.CensusOmits:  {"asynq", Setting{"ack": "late", "crash_at": "failed"}},
		plant.DelayIgnored: {"rabbitmq", Setting{"ack": "late", "policy": "3 retries after 1s"}},
	},
	"load-is-watched": {
		"": {"rabbitmq", Setting{"fault": "worker killed"}},
	},
	"redis-ends": {
		"":           {"asynq", Setting{"persistence": "aof-always", "end": endKill, "load": loadIdle}},
		plantStandIn: {"asynq", Setting{"persistence": "none", "end": endKill, "load": loadIdle}}, // as empty as the one that answers for it
	},
	"rabbitmq-ends": {
		"": {"rabbitmq", Setting{"durable": "yes", "persistent": "yes", "confirms": "yes", "end": endKill, "load": loadIdle}},
	},
}

// target finds the cell that the plant is tried on.
func target(e *Experiment, name string) (*Cell, error) {
	want, ok := aims[e.Name][name]
	if !ok {
		want = aims[e.Name][""]
	}
	sys, err := systemNamed(want.system)
	if err != nil {
		return nil, err
	}
	for _, c := range e.Cells(sys, selfTest) {
		if matches(c.Setting, want.setting) {
			return readied(c, selfTest, 1), nil
		}
	}
	return nil, fmt.Errorf("experiment %s has no cell %s of %s to plant a fault in", e.Name, want.setting, want.system)
}

func matches(s, want Setting) bool {
	for k, v := range want {
		if s[k] != v {
			return false
		}
	}
	return true
}

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
		if strings.Contains(s.Name, stepKillServer) || strings.Contains(s.Name, stepStopServer) {
			return ""
		}
	}
	return "no server is restarted here"
}

const (
	noRedelivery  = "nothing is delivered a second time here"
	noRequeue     = "nobody gives anything back here"
	noStale       = "no session ends under a living worker here"
	emptyCensus   = "the broker holds nothing at the census, so nothing can be left out"
	oneTask       = "there is only one task, so there is no other delivery"
	noRetry       = "nothing is retried here"
	noDelay       = "nothing is delayed here"
	noFault       = "it has no fault"
	afterTheFault = "the worker comes after the fault, and nothing happens to it"
	nobodyDies    = "the workers live on, so it does not matter when they acknowledged"
)

var blindTo = map[string]map[string]string{
	"worker-crash": {
		plant.RetrySettled:     noRetry,
		plant.DelayIgnored:     noDelay,
		plant.RequeueForgotten: noRequeue,
		plant.StaleHonoured:    noStale,
	},
	"worker-killed-at-random": {
		plant.RetrySettled:     noRetry,
		plant.DelayIgnored:     noDelay,
		plant.RequeueForgotten: noRequeue,
		plant.StaleHonoured:    noStale,
		plant.LateInEarly:      "an acknowledgement that is a little late is within what a random moment allows",
		plant.EarlyInLate:      "which tasks were between acknowledgement and end is up to the moment: seen in most trials, not in each",
	},
	"worker-stopped-politely": {
		plant.RetrySettled:  noRetry,
		plant.DelayIgnored:  noDelay,
		plant.StaleHonoured: noStale,
		plant.CensusOmits:   emptyCensus,
		plant.MarkLies:      "only what was given back comes again here, and brokers differ in whether that is a redelivery",
	},
	"queue-holder-killed": {
		plant.RetrySettled:     noRetry,
		plant.DelayIgnored:     noDelay,
		plant.EarlyInLate:      afterTheFault,
		plant.LateInEarly:      afterTheFault,
		plant.RequeueForgotten: noRequeue,
		plant.StaleHonoured:    noStale,
		plant.MarkLies:         noRedelivery,
		plant.CensusOmits:      emptyCensus,
	},
	"task-leaves-the-queue": {
		plant.RetrySettled:     noRetry,
		plant.DelayIgnored:     noDelay,
		plant.PublishDropped:   oneTask,
		plant.NeighbourAcked:   oneTask,
		plant.RequeueForgotten: noRequeue,
		plant.StaleHonoured:    noStale,
		plant.MarkLies:         noRedelivery,
		plant.CensusOmits:      emptyCensus,
		plantNoFault:           "it has no fault",
	},
	"one-worker-per-task": {
		plant.RetrySettled:     noRetry,
		plant.DelayIgnored:     noDelay,
		plant.EarlyInLate:      "the workers live on and finish what they acknowledged too early",
		plant.LateInEarly:      "an acknowledgement that is a little late is within what closed connections allow",
		plant.RequeueForgotten: noRequeue,
		plant.CensusOmits:      emptyCensus,
	},
	"caller-hands-over-emails": {
		plant.RetrySettled:     noRetry,
		plant.DelayIgnored:     noDelay,
		plant.RequeueForgotten: noRequeue,
		plant.StaleHonoured:    noStale,
		plant.MarkLies:         noRedelivery,
		plant.CensusOmits:      emptyCensus,
		plant.EarlyInLate:      nobodyDies,
		plantNoFault:           noFault,
	},
	"workers-share-a-queue": {
		plant.RetrySettled:     noRetry,
		plant.DelayIgnored:     noDelay,
		plant.RequeueForgotten: noRequeue,
		plant.StaleHonoured:    noStale,
		plant.MarkLies:         noRedelivery,
		plant.CensusOmits:      emptyCensus,
		plant.EarlyInLate:      nobodyDies,
		plantNoFault:           noFault,
	},
	"queue-named-delayed": {
		plant.RetrySettled:     noRetry,
		plant.DelayIgnored:     noDelay,
		plant.RequeueForgotten: noRequeue,
		plant.StaleHonoured:    noStale,
		plant.MarkLies:         noRedelivery,
		plant.CensusOmits:      emptyCensus,
		plant.EarlyInLate:      nobodyDies,
		plantNoFault:           noFault,
		plant.NeighbourAcked:   "the worker has one delivery at a time, so there is no other",
	},
	"flaky-service-is-retried": {
		plant.RetrySettled:     "no worker dies between the settlement and the publish",
		plant.RequeueForgotten: noRequeue,
		plant.StaleHonoured:    noStale,
		plant.MarkLies:         noRedelivery,
		plant.CensusOmits:      emptyCensus,
		plant.EarlyInLate:      nobodyDies,
		plantNoFault:           noFault,
	},
	"delayed-task-comes-in-time": {
		plant.RetrySettled:     noRetry,
		plant.RequeueForgotten: noRequeue,
		plant.StaleHonoured:    noStale,
		plant.MarkLies:         noRedelivery,
		plant.CensusOmits:      emptyCensus,
		plant.EarlyInLate:      nobodyDies,
	},
	"short-delay-behind-a-long-one": {
		plant.RetrySettled:     noRetry,
		plant.RequeueForgotten: noRequeue,
		plant.StaleHonoured:    noStale,
		plant.MarkLies:         noRedelivery,
		plant.CensusOmits:      emptyCensus,
		plant.EarlyInLate:      nobodyDies,
		plantNoFault:           noFault,
	},
	"failing-task-is-tried-again": {
		plant.RequeueForgotten: noRequeue,
		plant.StaleHonoured:    noStale,
	},
	"redis-ends": {
		plant.RetrySettled:     noRetry,
		plant.DelayIgnored:     noDelay,
		plant.EarlyInLate:      afterTheFault,
		plant.LateInEarly:      afterTheFault,
		plant.RequeueForgotten: noRequeue,
		plant.StaleHonoured:    noStale,
		plant.MarkLies:         noRedelivery,
		plant.CensusOmits:      emptyCensus,
		plant.NeighbourAcked:   "asynq fetches one at a time: often there is no neighbour",
	},
	"rabbitmq-ends": {
		plant.RetrySettled:     noRetry,
		plant.DelayIgnored:     noDelay,
		plant.EarlyInLate:      afterTheFault,
		plant.LateInEarly:      afterTheFault,
		plant.RequeueForgotten: noRequeue,
		plant.StaleHonoured:    noStale,
		plant.MarkLies:         noRedelivery,
		plant.CensusOmits:      emptyCensus,
		plantStandIn:           "nobody can stand in for RabbitMQ; redis-ends sees it",
	},
	"load-is-watched": {
		plant.RequeueForgotten: noRequeue,
		plant.StaleHonoured:    noStale,
		plant.LateInEarly:      "an acknowledgement that is a little late is within what a random moment allows",
		plant.EarlyInLate:      "which tasks were between acknowledgement and end is up to the moment: seen in most trials, not in each",
		plant.MarkLies:         "whether anything comes back is up to the moment: seen in most trials, not in each",
		plant.CensusOmits:      "whether the dead worker held anything is up to the moment",
		plant.DelayIgnored:     "nothing here is about when a try comes",
		plant.RetrySettled:     "no worker dies while tries fail",
	},
}
