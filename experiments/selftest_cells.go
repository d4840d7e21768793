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
		"":                   {"rabbitmq", Setting{"publish": "one by one"}},
		plant.NeighbourAcked: {"rabbitmq", Setting{"publish": "one stream"}}, // several deliveries at a time
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
	"tasks-are-routed-by-name": {
		"": {"rabbitmq", Setting{"routes": routedGlob}},
	},
	"urgent-tasks-behind-a-thousand": {
		"":                 {"rabbitmq", Setting{"order": strictly, "load": ""}},
		plant.OrderIgnored: {"rabbitmq", Setting{"order": strictly, "load": starveStream}},
	},
	"tasks-are-served-by-priority": {
		"": {"rabbitmq", Setting{"published": waitingBefore, "prefetch": "40"}},
	},
	"failing-task-is-tried-again": {
		"":                 {"rabbitmq", Setting{"ack": "late", "crash_at": "retry-sent"}},
		plant.LateInEarly:  {"rabbitmq", Setting{"ack": "early", "crash_at": "failed"}},
		plant.CensusOmits:  {"asynq", Setting{"ack": "late", "crash_at": "failed"}},
		plant.DelayIgnored: {"rabbitmq", Setting{"ack": "late", "policy": "3 retries after 1s"}},
	},
	"caller-sees-the-states": {
		"": {"rabbitmq", Setting{"task": endsWell, "track_started": "on"}},
	},
	"late-retry-state": {
		"": {"rabbitmq", Setting{"task": endsWell, "overtaken": "by chance"}},
	},
	"result-is-fetched-later": {
		"": {"redis", Setting{"results": inRedis}},
	},
	"result-store-killed": {
		"":           {"redis", Setting{"results": inRedis, "persistence": "aof-always", "down": "0s"}},
		plantNoFault: {"redis", Setting{"results": inRedis, "persistence": "none", "down": "0s"}}, // nothing is gone without it
	},
	"result-stores-side-by-side": {
		"":           {"redis", Setting{"results": inRedis, "persistence": "aof-always"}},
		plantNoFault: {"redis", Setting{"results": inRedis, "persistence": "none"}},
	},
	"lease-is-outlived": {
		"":                  {"redis", Setting{"task": "longer than the lease", "settle": "celery"}},
		plant.StaleHonoured: {"redis", Setting{"task": "acknowledged by a worker that stood still", "settle": "claim"}},
		plantNoFault:        {"redis", Setting{"task": "of a worker that stands still", "settle": "celery"}},
	},
	"chain-runs-in-order": {
		"":                     {"rabbitmq", Setting{"ack": "late", "crash_at": "links-sent"}},
		plant.NeighbourAcked:   {"rabbitmq", Setting{"ack": "late", "chain": "adds"}}, // several deliveries at a time
		plant.SuccessorDropped: {"rabbitmq", Setting{"ack": "late", "chain": "adds"}},
	},
	"group-runs-side-by-side": {
		"":                   {"rabbitmq", Setting{"ack": "late", "crash_at": "mid"}},
		plant.NeighbourAcked: {"rabbitmq", Setting{"slots": "8"}},
	},
	"chord-calls-back-once": {
		"":                     {"rabbitmq", Setting{"ack": "late", "fault": "a worker killed midway"}},
		plant.SuccessorDropped: {"rabbitmq", Setting{"ack": "late", "fault": "none"}},
		plant.JoinedTwice:      {"rabbitmq", Setting{"ack": "late", "fault": "none"}},
	},
	"task-comes-back": {
		"": {"rabbitmq", Setting{"lease": "as it comes"}},
	},
	"midnight-comes-every-day": {
		"": {"rabbitmq", Setting{"time": "00:00", "zone": "Europe/Berlin"}},
	},
	"interval-keeps-time": {
		"": {"rabbitmq", Setting{}},
	},
	"two-schedulers": {
		"":                  {"rabbitmq", Setting{"leader": oneLeads, "fault": leaderKilled, "catch_up": "all"}},
		plantLock:           {"rabbitmq", Setting{"leader": oneLeads, "fault": leaderLives}},
		plant.ResultDropped: {"rabbitmq", Setting{"leader": eachItsOwn, "dedupe": "by the result store"}},
	},
	"schedules-change-while-it-runs": {
		"": {"rabbitmq", Setting{"change": changeKill}},
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
			cell := readied(c, selfTest, 1)
			cell.Stall = 0 // a busy machine is not to be taken for a fault that is seen
			return cell, nil
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
