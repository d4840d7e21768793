package experiments

import (
	"context"
	"errors"

	"acklab/internal/ledger"
	"acklab/task"
)

// chainMeasures: order_violations is how many links began before the one before
// them had ever finished; wrong_values how many links have a result that is not
// what they should have made of the one before; chains_complete how many chains
// have the right result at their end; failures_told how many links that nobody ever
// published have a FAILURE in the store, so that a caller does not wait for ever.
var chainMeasures = []string{"order_violations", "wrong_values", "chains_complete", "failures_told"}

// MeasureChains measures chainMeasures of every workflow of the trial, each a chain
// whose links should make the values of want.
func MeasureChains(want ...string) Step {
	return Step{"compare the order and the results of the links", func(ctx context.Context, t *Trial) error {
		f, err := t.flows()
		if err != nil {
			return err
		}
		var early, wrong, complete, off int
		for _, chain := range f.owed {
			for i, l := range chain {
				has, err := t.stored(ctx, l.Task)
				if err != nil {
					return err
				}
				right := has.state == task.Success && has.value == want[i]
				_, sent := f.named[l.Task]
				wrong += number(has.state == task.Success && !right)
				complete += number(right && i == len(want)-1)
				off += number(!sent && has.state == task.Failure)
				early += number(i > 0 && f.early(chain[i-1].Task, l.Task))
			}
		}
		return errors.Join(
			t.Measure("order_violations", float64(early)), t.Measure("wrong_values", float64(wrong)),
			t.Measure("chains_complete", float64(complete)), t.Measure("failures_told", float64(off)),
		)
	}}
}

// early: the second task began before the first had ever finished.
func (f flows) early(first, second string) bool {
	begun, over := f.starts[second], f.finishes[first]
	return len(begun) > 0 && (len(over) == 0 || begun[0] < over[0])
}

// groupMeasures: results_right is how many members have their own result, in the
// order of the members. The makespan is the time from the first start to the last
// end, in percent of the longest member's time and of the sum of all.
var groupMeasures = []string{"results_right", "makespan_percent_of_longest", "makespan_percent_of_sum"}

// MeasureGroup measures groupMeasures of the trial's one group, whose members should
// make the values of want and take so many seconds.
func MeasureGroup(want []string, seconds []float64) Step {
	return Step{"compare the results of the members, and the time of the group", func(ctx context.Context, t *Trial) error {
		f, err := t.flows()
		if err != nil {
			return err
		}
		right, longest, sum := 0, 0.0, 0.0
		var first, last int64
		for i, l := range f.owed[0] {
			has, err := t.stored(ctx, l.Task)
			if err != nil {
				return err
			}
			right += number(has.state == task.Success && has.value == want[i])
			longest, sum = max(longest, seconds[i]), sum+seconds[i]
			for _, at := range f.starts[l.Task] {
				if first == 0 || at < first {
					first = at
				}
			}
			for _, at := range f.finishes[l.Task] {
				last = max(last, at)
			}
		}
		took := milliseconds(first, last) / 10 // a hundredth of it, for percents of seconds
		return errors.Join(
			t.Measure("results_right", float64(right)),
			t.Measure("makespan_percent_of_longest", took/longest), t.Measure("makespan_percent_of_sum", took/sum),
		)
	}}
}

// chordMeasures: callbacks_run is how often the callback ran to its end;
// results_in_order is 1 when its result is the list of what the members returned,
// in their order; callback_failed is 1 when the store says that it has failed;
// errbacks_run is how often the errback ran.
var chordMeasures = []string{"callbacks_run", "results_in_order", "callback_failed", "errbacks_run"}

// MeasureChord measures chordMeasures of the trial's one chord: its callback returns
// what it is given, which should be want, and its errback has a name.
func MeasureChord(want, errback string) Step {
	return Step{"count the runs of the callback, and compare what it was given", func(ctx context.Context, t *Trial) error {
		f, err := t.flows()
		if err != nil {
			return err
		}
		var callback ledger.Line
		for _, l := range f.owed[0] {
			if l.Detail[ledger.DetailPlace] == "callback" {
				callback = l
			}
		}
		has, err := t.stored(ctx, callback.Task)
		if err != nil {
			return err
		}
		return errors.Join(
			t.Measure("callbacks_run", float64(len(f.finishes[callback.Task]))),
			t.Measure("results_in_order", float64(number(has.state == task.Success && has.value == want))),
			t.Measure("callback_failed", float64(number(has.state == task.Failure))),
			t.Measure("errbacks_run", float64(f.unplanned(errback))),
		)
	}}
}
