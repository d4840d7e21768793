package experiments

import (
	"strconv"

	"acklab/internal/check"
)

var sharedQueue = &Experiment{
	Name:     "workers-share-a-queue",
	Question: "Five workers share 1,000 equal tasks: does each get its share?",
	Claims:   []string{"A2"},
	Varies:   "the prefetch of each worker",
	Threats: []string{
		"the harness disturbs: one trial at a time; the makespan is a ratio to the ideal of the same tasks, with room for late timers",
		"the worker's own design decides: one slot each, so that a share is a worker's and not a pool's",
		"who subscribes first has a start: all are connected and wait before the first may fetch",
	},
	Suites: []Suite{Quick},
	Cells: func(sys System, suite Suite) []Cell {
		if suite == Quick {
			return oneTrialEach(shareCell(sys, suite, 20))
		}
		return []Cell{shareCell(sys, suite, 1), shareCell(sys, suite, 20)}
	},
}

const (
	shareLoad    = 1_000
	shareFew     = 200 // for the self-test
	shareSeconds = 0.01
)

func shareCell(sys System, suite Suite, prefetch int) Cell {
	load := shareLoad
	if suite == selfTest {
		load = shareFew
	}
	c := Cell{System: sys, Setting: Setting{"ack": "late", "prefetch": strconv.Itoa(prefetch)}, Trials: 3, Pace: Alone, Load: load, Seconds: 4}
	if sys.Kind == NoServer {
		c.NotRun = "no such point: the in-process queue has one process, there is nobody to share with"
		return c
	}
	fair := load / sharedWorkers
	c.Steps = []Step{Declare(), Publish(Job{Count: load, Name: "sleep", Args: []any{shareSeconds}})}
	c.Steps = append(c.Steps, workersTogether(Hands{Ack: "late", Concurrency: 1, Multiplier: prefetch})...)
	c.Final = []Step{MeasureShares(workerNames(), shareSeconds)}
	c.Measures = []string{"jain_x1000", "tasks_min", "tasks_max", "makespan_percent_of_ideal"}
	c.Predicted = check.Bounds{
		"jain_x1000": {950, 1000}, "tasks_min": {fair * 6 / 10, fair}, "tasks_max": {fair, fair * 14 / 10}, "makespan_percent_of_ideal": {100, 400},
	}
	c.Because = "the next task goes to whoever has room, and with equal tasks each has room equally often"
	share := "the first to subscribe has a start of some tasks, at the end one may hold up to its prefetch when another has none, " +
		"and a process that a busy machine lets wait for half a second has missed 50 tasks"
	c.Reasons = map[string]string{
		"jain_x1000": share, "tasks_min": share, "tasks_max": share,
		"makespan_percent_of_ideal": "a round trip from each settlement to the next delivery, and timers that are late, add 1 to 4 ms to each 10, " +
			"and a busy machine more; a load that is not spread takes 500 or above",
	}
	c.Claims = map[string]check.Bounds{"A2": {"jain_x1000": {950, 1000}, "lost": {0, 0}, "repeated": {0, 0}}}
	return c
}
