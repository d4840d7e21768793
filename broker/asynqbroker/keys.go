package asynqbroker

import "strings"

// The keys that asynq uses in Redis (asynq/internal/base). They are read, and
// recognized in the commands that asynq sends; only Declare writes one.
const allQueuesKey = "asynq:queues"

func queueKey(queue, part string) string { return "asynq:{" + queue + "}:" + part }

func pendingKey(queue string) string   { return queueKey(queue, "pending") }
func activeKey(queue string) string    { return queueKey(queue, "active") }
func scheduledKey(queue string) string { return queueKey(queue, "scheduled") }
func retryKey(queue string) string     { return queueKey(queue, "retry") }
func archivedKey(queue string) string  { return queueKey(queue, "archived") }
func taskKey(queue, id string) string  { return queueKey(queue, "t:") + id }

// queueOf is the queue whose key of that part it is.
func queueOf(key, part string) (string, bool) {
	rest, ok := strings.CutPrefix(key, "asynq:{")
	if !ok {
		return "", false
	}
	return strings.CutSuffix(rest, "}:"+part)
}
