package asynqbroker

import "strconv"

// asynq has no priorities within a queue. With priority=on a queue of ours is
// four of asynq's: <queue> for priority 0, <queue>.priority3 for 1 to 3,
// <queue>.priority6 for 4 to 6 and <queue>.priority9 for 7 to 9, and one asynq
// server reads them in strict order, the most urgent first. So a plain asynq
// producer's task has priority 0, and the id of a message is unique within a
// level only.

// levels is how many asynq queues make a queue with priorities.
const levels = 4

// lanes are the asynq queues of one of ours, the most urgent first.
func (a address) lanes(queue string) []string {
	if !a.priority {
		return []string{queue}
	}
	all := make([]string, 0, levels)
	for level := levels - 1; level >= 0; level-- {
		all = append(all, lane(queue, level))
	}
	return all
}

// laneOf is the asynq queue for a priority.
func (a address) laneOf(queue string, priority int) string {
	if !a.priority {
		return queue
	}
	return lane(queue, (priority+2)/3)
}

func lane(queue string, level int) string {
	if level == 0 {
		return queue
	}
	return queue + ".priority" + strconv.Itoa(3*level)
}
