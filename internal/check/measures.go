package check

import (
	"math"

	"acklab/internal/ledger"
)

// MeasureNames are the measures that Judge makes, in the order of a report.
//
// Those of a trial with a victim: the first twelve are numbers of tasks, by
// what they were for the victim when it died; three more are seconds since its
// death, and absent when nothing came back.
//
//   - back_after_seconds: until another process received the running task: the
//     one of the checkpoint, else the slowest of those that ran;
//   - back_after_max_seconds: until the last of what the victim held came back;
//   - redelivery_seconds: until the first of what the victim held came back.
//
// Those of a trial in which a handler failed, or a retry was published. A try
// is a task with a retry number, however often it began.
//
//   - attempts_min, attempts_max: how many different tries began, for the task
//     with the fewest and the most, of those that began at all;
//   - retry_gap_min_seconds, retry_gap_mean_seconds, retry_gap_max_seconds:
//     from the failed line of a try to the first start of the message that
//     was published to retry it; absent when no retry began;
//   - early_starts: starts of a retry before the ETA that it was published
//     with; absent when none had one.
//
// Those of a trial in which a message with an ETA was received:
//
//   - delay_error_min_seconds, delay_error_mean_seconds,
//     delay_error_max_seconds: its first receipt minus its ETA, negative when
//     it was early; where the worker holds delays, its first start;
//   - delay_early: how many of them came before their ETA.
//
// Gaps and errors are differences of the host's monotonic clock; an ETA stands
// on it in the attempted line, converted by the publisher.
var MeasureNames = []string{
	"running", "running_lost", "running_repeated", "running_restarted",
	"prefetched", "prefetched_lost", "prefetched_repeated", "prefetched_restarted",
	"waiting", "waiting_lost", "waiting_repeated", "waiting_restarted",
	"back_after_seconds", "back_after_max_seconds", "redelivery_seconds",
	"attempts_min", "attempts_max", "retry_gap_min_seconds", "retry_gap_mean_seconds", "retry_gap_max_seconds", "early_starts",
	"delay_error_min_seconds", "delay_error_mean_seconds", "delay_error_max_seconds", "delay_early",
}

// conditions in the order of MeasureNames.
var conditions = []Condition{Running, Prefetched, Waiting}

// measure makes the measures of the victim and takes over the runner's own.
func (h *history) measure(fates []Fate) map[string]float64 {
	m := map[string]float64{}
	h.runnersMeasures(m)
	h.retryMeasures(m)
	h.delayMeasures(m)
	if h.victim == nil {
		return m
	}
	for _, c := range conditions {
		for _, suffix := range []string{"", "_lost", "_repeated", "_restarted"} {
			m[string(c)+suffix] = 0
		}
	}
	for _, f := range fates {
		if f.Condition == Untouched {
			continue
		}
		name := string(f.Condition)
		m[name]++
		for suffix, yes := range map[string]bool{"_lost": f.Class == Lost, "_repeated": f.Finishes > 1, "_restarted": f.Restarted} {
			if yes {
				m[name+suffix]++
			}
		}
	}
	h.times(m, fates)
	return m
}

// times adds the seconds.
func (h *history) times(m map[string]float64, fates []Fate) {
	back, longest, first := -1.0, -1.0, math.Inf(1)
	for _, f := range fates {
		if f.Condition == Running && (h.victim.at == "" || h.victim.at == f.Task) {
			back = max(back, f.BackAfter)
		}
		longest = max(longest, f.BackAfter)
		if f.BackAfter >= 0 {
			first = min(first, f.BackAfter)
		}
	}
	if back >= 0 {
		m["back_after_seconds"] = back
	}
	if longest >= 0 {
		m["back_after_max_seconds"] = longest
		m["redelivery_seconds"] = first
	}
}

// runnersMeasures takes over every measured line of the runner; of two with
// one name the later counts. Names that are the checker's own are refused.
func (h *history) runnersMeasures(m map[string]float64) {
	for _, e := range h.events {
		if e.Event != ledger.Measured || !e.book.runner() {
			continue
		}
		if isCount(e.Point) || isMeasure(e.Point) || e.Point == "" {
			h.unsure.like("the runner measured what only the checker can", e.Point+", "+e.where())
			continue
		}
		m[e.Point] = e.Value
	}
}

func isMeasure(name string) bool {
	for _, n := range MeasureNames {
		if n == name {
			return true
		}
	}
	return false
}

// heldEnough checks that the victim held what the cell is about.
func (h *history) heldEnough(m map[string]float64) {
	if h.victim == nil {
		return
	}
	expect := h.trial.Expect
	for i, want := range []int{expect.Running, expect.Prefetched, expect.Waiting} {
		if have := int(m[string(conditions[i])]); have < want {
			h.unsure.add("when it died, %d tasks were %s for the victim %s, not the %d that the cell is about",
				have, conditions[i], expect.Victim, want)
		}
	}
}
