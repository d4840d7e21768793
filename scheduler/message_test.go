package scheduler

import (
	"encoding/json"
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

func TestAPriorityOfZeroThatIsWrittenWinsOverTheRoute(t *testing.T) {
	t.Parallel()
	routes := task.Routes{{Pattern: "pay", Queue: "high", Priority: 9}}
	for text, want := range map[string]int{
		`{"name": "a", "task": "pay", "every": "1m"}`:                9,
		`{"name": "a", "task": "pay", "every": "1m", "priority": 0}`: 0,
		`{"name": "a", "task": "pay", "every": "1m", "priority": 4}`: 4,
	} {
		var s, again Schedule
		if err := json.Unmarshal([]byte(text), &s); err != nil {
			t.Fatal(err)
		}
		raw, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(raw, &again); err != nil {
			t.Fatal(err)
		}
		if one, two := s.address(routes).Priority, again.address(routes).Priority; one != want || two != want {
			t.Errorf("%s: priority %d, and %d when it was stored as %s; want %d", text, one, two, raw, want)
		}
	}
}
