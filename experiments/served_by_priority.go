package experiments

import (
	"strconv"
	"time"

	"acklab/broker"
	"acklab/internal/check"
	"acklab/internal/ledger"
)

var servedByPriority = &Experiment{
	Name:     "tasks-are-served-by-priority",
	Question: "Tasks with priorities 0 to 9 wait in one queue: in which order are they run, compared with the perfect one?",
	Claims:   []string{"H3"},
	Varies:   "the system, the prefetch, and whether all wait before the worker comes",
	Threats: []string{
		"order and clocks: pairs of starts in one worker's ledger; one that is published meanwhile counts as waiting when it had been confirmed for 100 ms",
		"what comes later finds nothing to overtake: 20 of the tasks of before are begun after the first of the later ones is confirmed, else the trial is unsure",
		"the worker's own design decides: one slot, and prefetches of 1 and 40 (Celery on Redis: 4, its default, and 40; with 1 it takes two tasks every five seconds)",
		"FIFO looks like an order: neighbours in the load are far apart in priority, without any order half of all pairs would be wrong",
	},
	Suites: []Suite{Quick},
	Celery: true,
	Cells: func(sys System, suite Suite) []Cell {
		if suite == Quick {
			if sys.Name != "rabbitmq" && sys.Name != "redis" {
				return nil
			}
			return oneTrialEach(priorityCell(sys, waitingBefore, 40))
		}
		var cells []Cell
		for _, when := range []string{waitingBefore, whileItRuns} {
			for _, prefetch := range []int{least(sys), 40} {
				cells = append(cells, priorityCell(sys, when, prefetch))
			}
		}
		return cells
	},
}

// least is the smallest prefetch that a worker of the system works with. With 1
// Celery's on Redis has two tasks each five seconds: its loop is not woken by
// its own acknowledgement (2 tasks at every tick of 5 s, Celery 5.2.6). On RabbitMQ
// the server's next delivery wakes it.
func least(sys System) int {
	if sys.Celery && sys.Kind == RedisServer {
		return celeryLeast
	}
	return 1
}

const (
	celeryLeast = 4 // Celery's own default

	waitingBefore = "before the worker"
	whileItRuns   = "while it runs"

	priorityLoad    = 200
	prioritySeconds = 0.003
	// priorityBegun tasks are done when the others are published while it runs, and
	// priorityMeet of those before are at the least not begun when the first of them
	// is confirmed.
	priorityBegun = 5
	priorityMeet  = 20
	// onItsWay is for a busy machine, and for asynq, which asks every 50 ms.
	onItsWay = 100 * time.Millisecond

	inversions      = "inversions"
	levelInversions = "level_inversions"
	lessUrgentAhead = "less_urgent_ahead_max"
)

// priorityCycle are the priorities of the tasks in turn.
var priorityCycle = []int{3, 7, 0, 9, 1, 5, 8, 2, 6, 4}

func priorityCell(sys System, when string, prefetch int) Cell {
	c := Cell{
		System: sys, Setting: Setting{"published": when, "prefetch": strconv.Itoa(prefetch)}, Trials: 3, Pace: Alone, Load: priorityLoad, Seconds: 2,
		Options: []string{"priority=on"}, Measures: []string{inversions, levelInversions, lessUrgentAhead}, Predicted: check.Bounds{}, Reasons: map[string]string{},
	}
	switch {
	case !hasPriorities(sys):
		c.NotRun = noPriorities
		return c
	case sys.Kind == NoServer && when == whileItRuns:
		c.NotRun = oneLoad
		return c
	case sys.Celery:
		c.Setting["pool"], c.Seconds = "prefork", 8
	}
	job := Job{Count: priorityLoad, Name: "sleep", Args: []any{prioritySeconds}, Priorities: priorityCycle}
	hands := Hands{Ack: "late", Concurrency: 1, Multiplier: prefetch}
	c.Final = []Step{MeasureOrder(0)}
	c.predictOrder(sys, when, prefetch)
	if when == whileItRuns {
		c.Final = []Step{MeasureOrder(onItsWay), TheyMeet("before", "later", priorityMeet)}
		half := job
		half.Count /= 2
		c.Steps = []Step{
			Declare(), PublishAs("before", half), StartWorker("worker", hands), AwaitCount("worker", ledger.Finished, priorityBegun),
			PublishAs("later", half), AwaitRuns(priorityLoad),
		}
		return c
	}
	c.Steps = []Step{Declare(), Publish(job), StartWorker("worker", hands), AwaitRuns(priorityLoad)}
	if sys.Kind == NoServer {
		c.Steps = []Step{StartTogether("worker", job, hands), AwaitRuns(priorityLoad)}
		c.Expect = ledger.Expect{QueueDiesWith: "worker"}
	}
	if sys.Kind == RabbitMQ && !sys.Celery {
		c.Claims = map[string]check.Bounds{"H3": {inversions: {0, 0}, "lost": {0, 0}}}
	}
	return c
}

// levelsOf are the traits by which the system tells priorities apart where it
// is asked to.
func levelsOf(sys System) broker.Traits {
	t := sys.Traits()
	t.PriorityLevels = 10
	if sys.Kind == RedisServer {
		t.PriorityLevels = 4 // kombu's steps, and as many queues of asynq
	}
	return t
}

// levelsFrom says who tells priorities apart: the queue of the server, or somebody who
// makes several of it.
func levelsFrom(sys System) string {
	switch {
	case sys.Kind == RabbitMQ:
		return "RabbitMQ's queue itself has priorities (x-max-priority)"
	case sys.Kind == NoServer:
		return "the in-process queue is ours and keeps all ten"
	case sys.Celery:
		return "Redis has none, Celery emulates four by as many lists"
	case sys.Name == "asynq":
		return "asynq has none, our driver emulates four by as many queues of it"
	default:
		return "Redis has none, our driver emulates four by as many lists, as Celery does"
	}
}

// predictOrder derives the order from the levels that the system tells apart.
func (c *Cell) predictOrder(sys System, when string, prefetch int) {
	traits := levelsOf(sys)
	served := byLevel(traits, priorityLoad, priorityCycle)
	pairs := inverted(served)
	c.Because = "the queue hands out the most urgent level first, and of one level the oldest: " + levelsFrom(sys)
	inHand := "what the worker has taken is not put back for what comes later: up to its prefetch, one that runs and one on its way are begun before it"
	if when == whileItRuns {
		most := 1
		if prefetch > 1 {
			most = prefetch + 2
		}
		c.wide(lessUrgentAhead, 0, most, inHand)
		c.wide(levelInversions, 0, most*priorityLoad/2, inHand)
		c.wide(inversions, 0, most*priorityLoad/2+pairs, inHand+"; and within a level the order is that of the publishes")
		return
	}
	c.wide(levelInversions, 0, 0, "")
	if prefetch == 1 || pairs == 0 || sys.Celery {
		c.wide(inversions, pairs, pairs, "")
		c.wide(lessUrgentAhead, 0, 0, "")
		return
	}
	c.Because += "; what is in the worker's hands is put into order there, all ten priorities of it"
	c.wide(inversions, 0, pairs, "the worker's inbox puts right what lies within its prefetch")
	c.wide(lessUrgentAhead, 0, 0, "")
	if sys.Name == "asynq" {
		c.wide(inversions, 0, pairs+prefetch*2, "the worker's inbox puts right what lies within its prefetch; asynq hands over each task in a goroutine of its own, so the first may come out of turn")
		c.wide(levelInversions, 0, prefetch, "asynq hands over each task in a goroutine of its own, so the first may come out of turn")
		c.wide(lessUrgentAhead, 0, prefetch, "asynq hands over each task in a goroutine of its own, so the first may come out of turn")
	}
}
