package experiments

import (
	"time"

	"acklab/internal/check"
)

var states = &Experiment{
	Name:     "caller-sees-the-states",
	Question: "Which states does a caller see while a task is run, tried again, or fails?",
	Claims:   []string{"E1", "E2"},
	Varies:   "how the task ends x whether the start is tracked",
	Threats: []string{
		"a poller misses what is short: the state while it runs is looked at in a handler of two seconds, the one before a retry in a countdown of three",
		"the harness disturbs: nothing is timed; each look follows a line of the worker's ledger",
		"two accounts of one thing: what the store was given, by the worker's ledger, stands beside what the poller saw",
	},
	Suites: []Suite{Quick},
	Celery: true,
	Cells: func(sys System, suite Suite) []Cell {
		if sys.Celery && suite == Quick {
			return nil
		}
		if suite == Quick {
			return oneTrialEach(stateCell(sys, endsWell, true), stateCell(sys, endsWell, false))
		}
		var cells []Cell
		for _, ends := range []string{endsWell, endsLater, endsBadly} {
			cells = append(cells, stateCell(sys, ends, true), stateCell(sys, ends, false))
		}
		return cells
	},
}

// How the task ends.
const (
	endsWell  = "success"
	endsLater = "retry, then success"
	endsBadly = "failure"
)

// stateWait is the countdown in which RETRY is looked at.
const stateWait = 3 * time.Second

func stateCell(sys System, ends string, track bool) Cell {
	c := Cell{
		System: sys, Setting: Setting{"task": ends, "track_started": onOff(track)}, Trials: 3, Pace: Beside, Load: 1, Seconds: 4,
		Results: ResultSpec{Store: inRedis}, Measures: stateMeasures(),
	}
	if sys.Kind == NoServer {
		c.NotRun = "no such point: the in-process queue has its results in the same process, and nobody outside can ask for them"
		return c
	}
	hands := Hands{Ack: "late", Concurrency: 1, Multiplier: 1, TrackStarted: track}
	job := Job{Count: 1, Name: "sleep", Args: []any{2}}
	seen := map[string]int{"PENDING": 1}
	given := map[string]int{}
	switch ends {
	case endsWell:
		seen["SUCCESS"], given["SUCCESS"] = 1, 1
	case endsLater:
		job = Job{Count: 1, Name: "fail_n_times", Args: []any{1}}
		hands.Retry = Retry{Max: 1, Delay: stateWait}
		seen["RETRY"], seen["SUCCESS"] = 1, 1
		given["RETRY"], given["SUCCESS"] = 1, 1
	case endsBadly:
		job = Job{Count: 1, Name: "fail_n_times", Args: []any{100}}
		seen["FAILURE"], given["FAILURE"] = 1, 1
	}
	tries := 1
	if ends == endsLater {
		tries = 2
	}
	if track {
		given["STARTED"] = tries
	}
	c.Steps = []Step{
		Declare(), Publish(job), SeeUnknown(),
		PollStates(StartWorker(cleanWorker, hands), AwaitEnded(cleanWorker, 1), AwaitResult()), CountStates(cleanWorker),
	}
	b := check.Bounds{"unknown_pending": {1, 1}, "finished_undone": {0, 0}}
	for _, s := range stateWords {
		b["polled_"+s] = [2]int{seen[word(s)], seen[word(s)]}
	}
	for _, s := range storedWords {
		b["stored_"+s] = [2]int{given[word(s)], given[word(s)]}
	}
	switch {
	case ends == endsWell && track:
		b["polled_started"] = [2]int{1, 1}
	case track:
		delete(b, "polled_started") // its handler is over at once: a poller may see it or not
	}
	if ends == endsBadly {
		b["failed"] = [2]int{1, 1}
	}
	c.Predicted = b
	c.Because = "what is unknown is PENDING; STARTED is stored only when it is tracked; RETRY until the next try has ended; a finished state is the last"
	c.Claims = stateClaims(ends, track, b)
	return c
}

// stateClaims: E1 is about the states in their order, E2 about STARTED.
func stateClaims(ends string, track bool, b check.Bounds) map[string]check.Bounds {
	e1 := check.Bounds{"finished_undone": {0, 0}}
	for _, s := range []string{"pending", "retry", "success", "failure"} {
		e1["polled_"+s] = b["polled_"+s]
	}
	if ends == endsWell {
		e1["polled_started"] = [2]int{1, 1}
	}
	claims := map[string]check.Bounds{"E1": e1}
	if ends == endsWell {
		claims["E2"] = check.Bounds{"polled_started": {number(track), number(track)}, "unknown_pending": {1, 1}}
	}
	return claims
}

func onOff(b bool) string {
	if b {
		return "on"
	}
	return "off"
}

func number(b bool) int {
	if b {
		return 1
	}
	return 0
}
