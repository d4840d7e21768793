package inspect

import "strings"

// asynqQueues is the set of asynq's queues.
const asynqQueues = "asynq:queues"

// asynqParts are the keys that each queue of asynq has once, after its name
// (asynq's internal/base), and what they hold.
var asynqParts = map[string]string{
	"pending":          "pending: ids of tasks that wait for a worker",
	"active":           "active: ids of tasks that a worker has taken",
	"lease":            "lease: until when each active task belongs to its worker",
	"scheduled":        "scheduled: ids of tasks that wait for their time",
	"retry":            "retry: ids of failed tasks, by the time of their next try",
	"archived":         "archived: ids of dead letters, tasks that failed for good",
	"completed":        "completed: ids of finished tasks that are kept for a while",
	"paused":           "the queue is paused: no worker takes from it",
	"processed":        "counter: runs that ended, with or without success",
	"failed":           "counter: runs that failed",
	"groups":           "names of the groups that tasks are collected in",
	"aggregation_sets": "aggregation sets that a worker is handling",
}

// asynqOnce are asynq's keys that belong to no queue.
var asynqOnce = map[string]string{
	asynqQueues:        "names of asynq's queues",
	"asynq:servers":    "worker processes, by the end of their heartbeat",
	"asynq:workers":    "worker processes with running tasks, by the end of their heartbeat",
	"asynq:schedulers": "schedulers, by the end of their heartbeat",
}

// asynqOne are prefixes of keys that there is one of for each process or entry.
var asynqOne = []struct{ prefix, what string }{
	{"asynq:servers:{", "one worker process"},
	{"asynq:workers:{", "running tasks of one worker process"},
	{"asynq:schedulers:{", "entries of one scheduler"},
	{"asynq:scheduler_history:", "when a scheduler enqueued this entry"},
}

func asynqKey(queue, part string) string { return "asynq:{" + queue + "}:" + part }

// asynqSplit takes a queue's key apart.
func asynqSplit(key string) (queue, part string, ok bool) {
	rest, ok := strings.CutPrefix(key, "asynq:{")
	if !ok {
		return "", "", false
	}
	return strings.Cut(rest, "}:")
}

// asynqTask is the queue and the id of the task whose hash the key is.
func asynqTask(key string) (queue, id string, ok bool) {
	queue, part, ok := asynqSplit(key)
	if !ok {
		return "", "", false
	}
	id, ok = strings.CutPrefix(part, "t:")
	return queue, id, ok
}

// asynqMeaning says what a key of asynq is; empty: it is none.
func asynqMeaning(key string) string {
	if what := asynqOnce[key]; what != "" {
		return what
	}
	for _, one := range asynqOne {
		if strings.HasPrefix(key, one.prefix) {
			return one.what
		}
	}
	queue, part, ok := asynqSplit(key)
	if !ok {
		return ""
	}
	if what := asynqParts[part]; what != "" {
		return what + asynqLevel(queue)
	}
	name, rest, _ := strings.Cut(part, ":")
	switch name {
	case "t":
		return "one task: its message and state"
	case "processed", "failed":
		return asynqParts[name] + ", on " + rest
	case "unique":
		return "lock of a unique task: no second one like it is taken"
	case "g":
		return "tasks that are collected in a group"
	}
	return "asynq's"
}

// asynqLevels are what follows the name of a queue with priorities in those of
// the asynq queues that it is made of (package asynqbroker; priority 0 has the
// bare name).
var asynqLevels = map[string]string{".priority3": "1 to 3", ".priority6": "4 to 6", ".priority9": "7 to 9"}

// asynqLevel says of which queue with priorities the asynq queue is a part;
// empty: of none.
func asynqLevel(queue string) string {
	for suffix, priorities := range asynqLevels {
		if whole, ok := strings.CutSuffix(queue, suffix); ok && whole != "" {
			return "; of queue " + Printable(whole) + ", priorities " + priorities
		}
	}
	return ""
}
