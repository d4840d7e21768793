package scheduler

import (
	"testing"

	"acklab/task"
)

func TestWhereTheMessagesOfAScheduleGo(t *testing.T) {
	t.Parallel()
	routes := task.Routes{{Pattern: "pay.*", Queue: "high", Priority: 9}, {Pattern: "pay.slow", Queue: "low"}}
	for _, c := range []struct {
		task, queue string
		priority    int
		to          string
		with        int
	}{
		{"noop", "", 0, DefaultQueue, 0},
		{"pay.slow", "", 0, "high", 9},
		{"pay.slow", "", 2, "high", 2},
		{"pay.slow", "mine", 2, "mine", 2},
		{"pay.slow", DefaultQueue, 1, DefaultQueue, 1}, // named, so no route decides
	} {
		s := every(c.task, 0)
		s.Queue, s.Priority = c.queue, c.priority
		if to := s.address(routes); to.Queue != c.to || to.Priority != c.with {
			t.Errorf("%+v goes to %s with %d", c, to.Queue, to.Priority)
		}
	}
}
