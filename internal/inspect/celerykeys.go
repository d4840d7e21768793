package inspect

import "strings"

// The keys of kombu's transport over Redis (kombu/transport/redis.py) and of
// Celery's results, in their default names.
const (
	unacked       = "unacked"
	unackedIndex  = "unacked_index"
	unackedMutex  = "unacked_mutex"
	bindingPrefix = "_kombu.binding."
	resultPrefix  = "celery-task-meta-"
	groupPrefix   = "celery-taskset-meta-"
	kombuSep      = "\x06\x16"
	// Ours alone, see package redisbroker.
	deadSuffix    = ".dead"
	delayedSuffix = ".delayed"
)

// prioritySteps are the lists of one queue. Priority 0, the highest of kombu
// over Redis, has the bare name.
func prioritySteps(queue string) []string {
	return []string{queue, queue + kombuSep + "3", queue + kombuSep + "6", queue + kombuSep + "9"}
}

// boundQueue is the queue in a member of a binding set, which is routing key,
// pattern and queue; empty: it is no such member.
func boundQueue(member string) string {
	parts := strings.Split(member, kombuSep)
	if len(parts) < 3 {
		return ""
	}
	return strings.Join(parts[2:], kombuSep)
}

var celeryOnce = map[string]string{
	unacked:      "unacked: messages that a worker has taken and not acknowledged",
	unackedIndex: "when each unacked message was taken; past the visibility timeout it is given to another worker",
	unackedMutex: "lock of the worker that is giving overdue messages back",
}

// celeryMeaning says what a key of Celery is; empty: it is none. bound tells
// whether a binding names a list as its queue.
func celeryMeaning(key, kind string, bound func(string) bool) string {
	if what := celeryOnce[key]; what != "" {
		return what
	}
	if exchange, ok := strings.CutPrefix(key, bindingPrefix); ok {
		return "bindings of exchange " + Printable(exchange) + ": routing key, pattern, queue"
	}
	switch {
	case strings.HasPrefix(key, resultPrefix):
		return "result of one task"
	case strings.HasPrefix(key, groupPrefix):
		return "results of one group or chord"
	}
	queue, step, stepped := cutLast(key, kombuSep)
	if waits, ok := strings.CutSuffix(queue, delayedSuffix); ok && kind == "zset" && bound(waits) {
		return "messages of queue " + Printable(waits) + " that wait for their time (acklab's, Celery has none)"
	}
	if dead, ok := strings.CutSuffix(key, deadSuffix); ok && kind == "list" && bound(dead) {
		return "dead letters of queue " + Printable(dead) + " (acklab's, Celery has none)"
	}
	if kind != "list" {
		return ""
	}
	switch {
	case stepped && (step == "3" || step == "6" || step == "9"):
		return "queue " + Printable(queue) + ", priority step " + step + " (lower is served first)"
	case strings.HasSuffix(key, ".reply.celery.pidbox"):
		return "replies to a remote control command"
	case bound(key):
		return "queue " + Printable(key) + ", priority step 0 (served first): messages that wait"
	}
	return "list that no binding names: a Celery queue if Celery's, else another program's"
}

func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}
