package redisbroker

import "acklab/task"

// Priorities have two directions here. The user's, task.Options.Priority, is the
// same with every broker: the larger is served first, and 0 is the default. On
// the wire kombu serves 0 first, and 0 is what Celery writes for a message that
// has none.
//
//	            ours  0  1  2  3  4  5  6  7  8  9
//	priority=on wire  9  8  7  6  5  4  3  2  1  0
//	        off wire  0  9  8  7  6  5  4  3  2  1
//
// Off, what has no priority is where Celery puts it, so nothing changes beside
// Celery; the others keep their direction among themselves. Each way is its own
// inverse, so what was read and is published again keeps its place.

// onWire is the priority on the wire of one of ours, and the other way round.
func (a address) onWire(priority int) int {
	priority = max(0, min(priority, task.MaxPriority))
	if a.priority {
		return task.MaxPriority - priority
	}
	return (task.MaxPriority + 1 - priority) % (task.MaxPriority + 1)
}

// forWire is the message with the priority that it has on the wire.
func (a address) forWire(m *task.Message) *task.Message {
	wire := a.onWire(m.Priority)
	if wire == m.Priority || m.Priority < 0 || m.Priority > task.MaxPriority {
		return m // as it is, or refused for what it is
	}
	turned := *m
	turned.Priority = wire
	return &turned
}
