package experiments

import (
	"fmt"

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
		plant.NeighbourAcked: {"rabbitmq", Setting{"killed": "server"}}, // asynq fetches one at a time: often there is no neighbour
	},
	"task-leaves-the-queue": {
		"":                {"rabbitmq", Setting{"ack": "late"}},
		plant.LateInEarly: {"rabbitmq", Setting{"ack": "early"}},
	},
	"one-worker-per-task": {
		"": {"rabbitmq", Setting{"ack": "late", "fault": "connections closed"}},
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

const (
	noRedelivery = "nothing is delivered a second time here"
	noRequeue    = "nobody gives anything back here"
	noStale      = "no session ends under a living worker here"
	emptyCensus  = "the broker holds nothing at the census, so nothing can be left out"
	oneTask      = "there is only one task, so there is no other delivery"
)

var blindTo = map[string]map[string]string{
	"worker-crash": {
		plant.RequeueForgotten: noRequeue,
		plant.StaleHonoured:    noStale,
	},
	"worker-killed-at-random": {
		plant.RequeueForgotten: noRequeue,
		plant.StaleHonoured:    noStale,
		plant.LateInEarly:      "an acknowledgement that is a little late is within what a random moment allows",
		plant.EarlyInLate:      "which tasks were between acknowledgement and end is up to the moment: seen in most trials, not in each",
	},
	"worker-stopped-politely": {
		plant.StaleHonoured: noStale,
		plant.CensusOmits:   emptyCensus,
		plant.MarkLies:      "only what was given back comes again here, and brokers differ in whether that is a redelivery",
	},
	"queue-holder-killed": {
		plant.EarlyInLate:      "the worker comes after the fault, and nothing happens to it",
		plant.LateInEarly:      "the worker comes after the fault, and nothing happens to it",
		plant.RequeueForgotten: noRequeue,
		plant.StaleHonoured:    noStale,
		plant.MarkLies:         noRedelivery,
		plant.CensusOmits:      emptyCensus,
	},
	"task-leaves-the-queue": {
		plant.PublishDropped:   oneTask,
		plant.NeighbourAcked:   oneTask,
		plant.RequeueForgotten: noRequeue,
		plant.StaleHonoured:    noStale,
		plant.MarkLies:         noRedelivery,
		plant.CensusOmits:      emptyCensus,
		plantNoFault:           "it has no fault",
	},
	"one-worker-per-task": {
		plant.EarlyInLate:      "the workers live on and finish what they acknowledged too early",
		plant.LateInEarly:      "an acknowledgement that is a little late is within what closed connections allow",
		plant.RequeueForgotten: noRequeue,
		plant.CensusOmits:      emptyCensus,
	},
}
