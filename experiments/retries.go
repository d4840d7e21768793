package experiments

import (
	"fmt"
	"time"

	"acklab/internal/check"
	"acklab/internal/ledger"
)

var retries = &Experiment{
	Name:     "failing-task-is-tried-again",
	Question: "max_retries=3, countdown=5: how often is a failing task tried, how far apart, and what does a crash in between change?",
	Claims:   []string{"D1", "D2", "D3"},
	Varies:   "policy (none, fixed countdown, for chosen errors) x acknowledgement x a crash of the worker between failure and retry",
	Threats: []string{
		"counters of the thing under test: tries are counted from the ledgers' started lines, by task and number of the try",
		"order and clocks: a gap runs from the failed line of one try to the started line of the next, on the host's monotonic clock",
		"the fault happened to nobody: the checkpoint is the victim's last line, and it had failed the task by then",
		"the harness disturbs: gaps are bounded below by the countdown and above by what the traits allow plus two seconds for a slow machine",
	},
	Suites: []Suite{Quick},
	Celery: true,
	Cells:  retryCells,
}

const (
	retryLoad = 5
	retryMax  = 3
	// retryShort is the countdown of the scaled cells: a step of every
	// broker's clock, asynq's whole seconds included.
	retryShort = time.Second
	// retrySlack is for a slow machine: a worker that is late, not a broker.
	retrySlack = 2 * time.Second
)

func retryCells(sys System, suite Suite) []Cell {
	switch {
	case sys.Celery && suite == Quick:
		return nil
	case sys.Celery:
		return []Cell{retryCell(sys, "late", retryShort), retryCell(sys, "early", retryShort), retryCell(sys, "late", 5*time.Second)}
	case suite == Quick:
		return oneTrialEach(retryCell(sys, "late", retryShort), unretriedCell(sys), chosenCell(sys))
	}
	cells := []Cell{
		retryCell(sys, "late", retryShort), retryCell(sys, "early", retryShort), retryCell(sys, "late", 5*time.Second), unretriedCell(sys), chosenCell(sys),
	}
	if sys.Kind == NoServer {
		return cells
	}
	for _, ack := range []string{"late", "early"} {
		for _, at := range []string{"failed", "retry-sent"} {
			cells = append(cells, retryCrashCell(sys, suite, ack, at))
		}
	}
	return cells
}

// oneTrialEach is for a suite that has no time for three.
func oneTrialEach(cells ...Cell) []Cell {
	for i := range cells {
		cells[i].Trials = 1
	}
	return cells
}

func retryHands(ack string, countdown time.Duration) Hands {
	return Hands{Ack: ack, Concurrency: 2, Multiplier: 1, Retry: Retry{Max: retryMax, Delay: countdown}}
}

// alwaysFails fails more often than anybody retries.
func alwaysFails(n int) Job { return Job{Count: n, Name: "fail_n_times", Args: []any{100}} }

// workThrough lets one worker do jobs until nothing is left; the in-process
// queue has its only job in the worker's own process.
func workThrough(sys System, hands Hands, jobs ...Job) []Step {
	if sys.Kind == NoServer {
		return []Step{StartTogether(cleanWorker, jobs[0], hands), AwaitEnded(cleanWorker, jobs[0].Count)}
	}
	steps := []Step{Declare()}
	total := 0
	for i, j := range jobs {
		name := "producer"
		if i > 0 {
			name = fmt.Sprintf("producer%d", i+1)
		}
		steps = append(steps, PublishAs(name, j))
		total += j.Count
	}
	return append(steps, StartWorker(cleanWorker, hands), AwaitEnded(cleanWorker, total))
}

// retryCell: every task fails for good after its last try.
func retryCell(sys System, ack string, countdown time.Duration) Cell {
	traits := sys.Traits()
	seconds := int(countdown / time.Second)
	latest := time.Duration(float64(countdown)*(1+traits.DelayRounding)) + traits.DelayLate + retrySlack
	if sys.Celery {
		latest += celeryLoop
	}
	c := Cell{
		System: sys, Setting: Setting{"ack": ack, "policy": fmt.Sprintf("%d retries after %s", retryMax, countdown)},
		Trials: 3, Pace: Beside, Load: retryLoad, Seconds: retryMax * float64(seconds+1),
		Steps: workThrough(sys, retryHands(ack, countdown), alwaysFails(retryLoad)),
		Predicted: check.Bounds{
			"failed": {retryLoad, retryLoad}, "attempts_min": {retryMax + 1, retryMax + 1}, "attempts_max": {retryMax + 1, retryMax + 1},
			"retry_gap_min_seconds": {seconds, ceilSeconds(latest)}, "retry_gap_max_seconds": {seconds, ceilSeconds(latest)},
		},
		Because: "each failure but the last publishes the next try, due after the countdown; the last one is FAILURE",
		Claims: map[string]check.Bounds{"D1": {
			"failed": {retryLoad, retryLoad}, "attempts_min": {retryMax + 1, retryMax + 1}, "attempts_max": {retryMax + 1, retryMax + 1},
			"retry_gap_min_seconds": {seconds, ceilSeconds(latest)},
		}},
	}
	why := fmt.Sprintf("never early; late by at most the grid's rounding, the broker's %s and %s for a slow machine", traits.DelayLate, retrySlack)
	c.Reasons = map[string]string{"retry_gap_min_seconds": why, "retry_gap_max_seconds": why}
	if sys.Kind == NoServer {
		c.Expect = ledger.Expect{QueueDiesWith: cleanWorker}
	}
	return c
}

func ceilSeconds(d time.Duration) int { return int((d + time.Second - 1) / time.Second) }

// unretriedCell: without a policy a failure is the end, and somebody is told.
func unretriedCell(sys System) Cell {
	c := Cell{
		System: sys, Setting: Setting{"ack": "late", "policy": "none"}, Trials: 3, Pace: Beside, Load: retryLoad, Seconds: 1,
		Steps:    append(workThrough(sys, Hands{Ack: "late", Concurrency: 2, Multiplier: 1}, alwaysFails(retryLoad)), MeasureMetric(cleanWorker, failureCounter, `acklab_tasks_total`, "state", "FAILURE")),
		Final:    []Step{MeasureLog(cleanWorker, failureLines, "task failed")},
		Measures: []string{failureCounter, failureLines},
		Predicted: check.Bounds{
			"failed": {retryLoad, retryLoad}, failureCounter: {retryLoad, retryLoad}, failureLines: {retryLoad, retryLoad},
		},
		Because: "nobody asked for retries: the first failure is FAILURE, a log line and a count",
		Claims:  map[string]check.Bounds{"D2": {"failed": {retryLoad, retryLoad}, "restarted": {0, 0}, failureLines: {retryLoad, retryLoad}}},
	}
	if sys.Kind == NoServer {
		c.Expect = ledger.Expect{QueueDiesWith: cleanWorker}
	}
	return c
}

const (
	failureCounter = "failure_counter"
	failureLines   = "failure_log_lines"
)

// chosenCell: one kind of error is retried and goes away, another is not.
func chosenCell(sys System) Cell {
	hands := retryHands("late", retryShort)
	hands.Retry.For = []string{"transient"}
	helped := Job{Count: retryLoad, Name: "fail_n_times", Args: []any{2}}
	helpless := Job{Count: retryLoad, Name: "panic", Args: []any{"no retry helps"}}
	c := Cell{
		System: sys, Setting: Setting{"ack": "late", "policy": "for chosen errors"}, Trials: 3, Pace: Beside, Load: 2 * retryLoad, Seconds: 4,
		Predicted: check.Bounds{"failed": {retryLoad, retryLoad}, "finished": {retryLoad, retryLoad}, "attempts_min": {1, 1}, "attempts_max": {3, 3}},
		Because:   "the transient failures are tried again and succeed the third time; the others are not of the chosen kind",
		Claims:    map[string]check.Bounds{"D3": {"failed": {retryLoad, retryLoad}, "finished": {retryLoad, retryLoad}, "attempts_min": {1, 1}, "attempts_max": {3, 3}}},
	}
	if sys.Kind == NoServer {
		c.NotRun = "no such point: its producer is in the worker's process and has one kind of task"
		return c
	}
	c.Steps = workThrough(sys, hands, helped, helpless)
	return c
}

// failsEachTryButTheLast succeeds when it is tried as often as the policy allows.
func failsEachTryButTheLast(n int) Job {
	return Job{Count: n, Name: "fail_n_times", Args: []any{retryMax}}
}

// retryCrashCell: the worker dies after the first task has failed, before its
// retry is published or after that.
func retryCrashCell(sys System, suite Suite, ack, at string) Cell {
	victim, rest := retryHands(ack, retryShort), retryHands(ack, retryShort)
	victim.Concurrency, victim.CrashAt = 1, at
	load := []Step{Declare(), Publish(failsEachTryButTheLast(retryLoad))}
	c := Cell{
		System: sys, Setting: Setting{"ack": ack, "crash_at": at}, Trials: 3, Pace: Alone, Load: retryLoad, Seconds: 6, Control: ack,
		Steps: concat(load, []Step{
			StartWorker("victim", victim), AwaitCrash("victim"), StartWorker("restarted", rest), AwaitConsuming("restarted"),
		}),
		Clean:  concat(load, []Step{StartWorker(cleanWorker, rest), AwaitEnded(cleanWorker, retryLoad)}),
		Expect: ledger.Expect{Victim: "victim", Checkpoint: at, Running: 1, Waiting: 1},
	}
	leased(&c, sys, suite)
	if c.Pace == Alone {
		c.Pace = Beside // nothing is timed but what has two seconds of slack
	}
	c.Predicted, c.Because, c.Reasons = predictRetryCrash(ack, at, c.Stranding)
	if !c.Stranding {
		c.Claims = map[string]check.Bounds{"D1": {"lost": {0, 0}, "repeated": {0, 0}, "restarted": {0, 0}}}
	}
	return c
}

// predictRetryCrash: early, the broker has forgotten the task when it fails,
// and only its published retry is left of it. Late, the failed delivery comes
// back whether or not its retry was published.
func predictRetryCrash(ack, at string, stranding bool) (check.Bounds, string, map[string]string) {
	published := at == "retry-sent"
	one := [2]int{1, 1}
	if ack == "early" {
		because := "the retry was confirmed, and it is all that is left of the task: nobody notices the crash"
		b := check.Bounds{"attempts_max": {retryMax + 1, retryMax + 1}}
		if !published {
			because = "the broker had forgotten the task, and nobody had told it of a retry"
			b["lost"], b["lost_after_ack"] = one, one
		}
		behind := "redelivered"
		if stranding {
			behind = "stranded"
		}
		b[behind] = [2]int{0, 1}
		return b, because, map[string]string{behind: "an acknowledgement opens the prefetch window by one: whether the next task had arrived before the crash is a race"}
	}
	switch {
	case stranding && published:
		return check.Bounds{"leftover": one}, "the retry goes its way; the old delivery is still with the dead worker when all is over", nil
	case stranding:
		return check.Bounds{"stranded": one}, "the task is still with the dead worker; its lease is not waited for here", nil
	case published:
		return check.Bounds{"redelivered": one, "restarted": one, "copied": one, "repeated": one},
			"the old delivery comes back beside its retry, fails again and publishes another one: from here on every try runs twice", nil
	}
	return check.Bounds{"redelivered": one, "restarted": one}, "the delivery comes back, and its first try runs again", nil
}
