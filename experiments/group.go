package experiments

import (
	"fmt"
	"strconv"
	"time"

	"acklab/internal/check"
	"acklab/internal/ledger"
)

var groups = &Experiment{
	Name:     "group-runs-side-by-side",
	Question: "A group of eight tasks: how long does it take, and is each result where it belongs, also when a worker dies or a member fails?",
	Claims:   []string{"F2"},
	Varies:   "the slots of the worker; a crash of the worker under each acknowledgement; a member that fails; members that are delivered twice, also 100 of them to four workers",
	Threats: []string{
		"the harness disturbs: one trial at a time; the makespan is a ratio to what the members themselves take, half a second each",
		"order of arrival is not order: each member returns another value, and its result is looked up under its own id",
		"the fault happened to nobody: the checkpoint is the victim's last line, in the middle of a member",
	},
	Suites: []Suite{Quick},
	Celery: true,
	Cells: func(sys System, suite Suite) []Cell {
		short := suite == Quick || suite == selfTest
		switch {
		case sys.Celery && short:
			return nil
		case short && sys.Name == "rabbitmq":
			return oneTrialEach(groupCell(sys, groupSize), groupCrash(sys, suite, "late"))
		case short:
			return oneTrialEach(groupCell(sys, groupSize))
		}
		return []Cell{
			groupCell(sys, groupSize), groupCell(sys, 1), groupCrash(sys, suite, "early"), groupCrash(sys, suite, "late"),
			groupFails(sys), groupTwice(sys, groupSize, 1, Hands{Ack: "late", Concurrency: groupSize, Multiplier: 1}),
			groupTwice(sys, chordSize, chordWorkers, chordHands("late")),
		}
	},
}

const groupSize = 8

// napping is a group of n members that sleep for about so long, each a little longer than
// the one before; what each returns, and how long it takes.
func napping(n int, about float64) (words, values []string, seconds []float64) {
	words = []string{"--group"}
	for i := range n {
		s := about * (1 + float64(i)/100)
		value := strconv.FormatFloat(s, 'g', 6, 64)
		s, _ = strconv.ParseFloat(value, 64)
		words, values, seconds = append(words, "sleep ["+value+"]"), append(values, value), append(seconds, s)
	}
	return words, values, seconds
}

// groupCell: one worker with so many slots has the whole group.
func groupCell(sys System, slots int) Cell {
	about := 0.5
	if slots == 1 {
		about = 0.1
	}
	words, values, seconds := napping(groupSize, about)
	c := groupOf(sys, Setting{"slots": strconv.Itoa(slots)}, groupSize)
	c.Pace, c.Stall = Alone, time.Second // half of the sum is a second and a half more than the longest
	c.Predicted["makespan_percent_of_longest"], c.Predicted["makespan_percent_of_sum"] = [2]int{99, 250}, [2]int{0, 50}
	c.Because = "each slot takes a member at once, so the group takes as long as its longest member"
	if slots == 1 {
		c.Predicted["makespan_percent_of_longest"], c.Predicted["makespan_percent_of_sum"] = [2]int{600, 2000}, [2]int{99, 250}
		c.Because = "one slot takes one member after the other, so the group takes as long as all of them"
	}
	why := "from what the members themselves take, and room for a busy machine"
	c.Reasons["makespan_percent_of_longest"], c.Reasons["makespan_percent_of_sum"] = why, why
	c.Claims = map[string]check.Bounds{"F2": {"makespan_percent_of_sum": {0, 50}, "results_right": {groupSize, groupSize}}}
	hands := Hands{Ack: "late", Concurrency: slots, Multiplier: groupSize / slots} // all of it is prefetched: no time for fetching
	c.Steps = flowSteps(sys, &c, Job{Count: 1, Workflow: words}, hands, 1, groupSize)
	c.Final = []Step{MeasureGroup(values, seconds)}
	return c
}

// groupOf is a cell about a group of so many without its steps.
func groupOf(sys System, setting Setting, size int) Cell {
	return Cell{
		System: sys, Setting: setting, Trials: 3, Pace: Beside, Load: size, Seconds: 1.5,
		Results: ResultSpec{Store: inRedis}, Measures: groupMeasures, Reasons: map[string]string{},
		Predicted: check.Bounds{"finished": {size, size}, "results_right": {size, size}},
	}
}

// groupCrash: the worker dies in the middle of the first member, and another one is
// started.
func groupCrash(sys System, suite Suite, ack string) Cell {
	words, values, seconds := napping(groupSize, 0.02)
	c := groupOf(sys, Setting{"ack": ack, "crash_at": "mid"}, groupSize)
	if sys.Kind == NoServer {
		c.NotRun = diesWithItsWorker
		return c
	}
	c.Expect, c.Control = ledger.Expect{Victim: "victim", Checkpoint: "mid", Running: 1, Waiting: 1}, ack
	awaitLease(&c, sys, suite)
	hands := Hands{Ack: ack, Concurrency: 1, Multiplier: 1}
	victim := hands
	victim.CrashAt = "mid"
	load := []Step{Declare(), Publish(Job{Count: 1, Workflow: words})}
	runs := groupSize
	c.Predicted["redelivered"], c.Predicted["restarted"] = [2]int{1, 1}, [2]int{1, 1}
	c.Because = "the member comes back and runs again; the others never knew"
	if ack == "early" {
		runs--
		c.Predicted = check.Bounds{"lost": {1, 1}, "lost_after_ack": {1, 1}, "redelivered": {0, 1}, "results_right": {groupSize - 1, groupSize - 1}}
		c.Reasons["redelivered"] = "an acknowledgement opens the prefetch window by one: whether the next member had arrived before the crash is a race"
		c.Because = "the member was acknowledged before it ran, and is gone with the worker; the others have their results, the group never is complete"
	}
	c.Steps = concat(load, []Step{StartWorker("victim", victim), AwaitCrash("victim"), StartWorker("restarted", hands), AwaitConsuming("restarted"), AwaitRuns(runs)})
	c.Clean = concat(load, []Step{StartWorker(cleanWorker, hands), AwaitRuns(groupSize)})
	c.Final = []Step{MeasureGroup(values, seconds)}
	c.Claims = map[string]check.Bounds{"F2": {"results_right": {groupSize, groupSize}}}
	if sys.Celery {
		c.Seconds += 4
	}
	return c
}

// groupFails: the third member fails for good.
func groupFails(sys System) Cell {
	words, values, seconds := napping(groupSize, 0.02)
	words[3] = "fail_n_times [100]"
	c := groupOf(sys, Setting{"slots": strconv.Itoa(groupSize), "member": "one fails"}, groupSize)
	c.Predicted = check.Bounds{"finished": {groupSize - 1, groupSize - 1}, "failed": {1, 1}, "results_right": {groupSize - 1, groupSize - 1}}
	c.Because = "members know nothing of each other: one fails, the others run"
	c.Steps = flowSteps(sys, &c, Job{Count: 1, Workflow: words}, Hands{Ack: "late", Concurrency: groupSize, Multiplier: 1}, 1, groupSize)
	c.Final = []Step{MeasureGroup(values, seconds)}
	c.Claims = map[string]check.Bounds{"F2": {"results_right": {groupSize - 1, groupSize - 1}}}
	return c
}

// groupTwice: every member of a group of so many is published twice, and so runs
// twice, on so many workers together.
func groupTwice(sys System, size, workers int, hands Hands) Cell {
	words, values, seconds := napping(size, 0.02)
	c := groupOf(sys, Setting{"slots": strconv.Itoa(workers * hands.Concurrency), "member": "each published twice"}, size)
	if size != groupSize {
		c.Setting["members"] = strconv.Itoa(size)
		c.Seconds += 2
	}
	all := [2]int{size, size}
	c.Predicted = check.Bounds{"finished": all, "repeated": all, "restarted": all, "copied": all, "results_right": all}
	c.Because = "a client that repeats a publish makes a second message, which runs, too; its result is the same"
	c.Steps = flowSteps(sys, &c, Job{Count: 1, Workflow: words, Copies: 2}, hands, workers, 2*size)
	c.Final = []Step{MeasureGroup(values, seconds)}
	c.Claims = map[string]check.Bounds{"F2": {"results_right": all}}
	return c
}

// numbered are the words of a group or a chord's header: member i makes from+i.
func numbered(n, from int) []string {
	words := make([]string, n)
	for i := range words {
		words[i] = fmt.Sprintf("add [%d, %d]", i, from)
	}
	return words
}
