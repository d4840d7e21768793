package experiments

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"acklab/broker"
	"acklab/internal/ledger"
)

// byLevel are the priorities of n tasks, which have those of the cycle in turn,
// in the order in which a queue serves them that tells the levels of the traits
// apart.
func byLevel(traits broker.Traits, n int, cycle []int) []int {
	served := make([]int, n)
	for i := range served {
		served[i] = cycle[i%len(cycle)]
	}
	slices.SortStableFunc(served, func(a, b int) int { return traits.PriorityLevel(b) - traits.PriorityLevel(a) })
	return served
}

// inverted counts, in an order of service, the pairs of which the less urgent
// one is first.
func inverted(served []int) (pairs int) {
	for i, late := range served {
		for _, early := range served[:i] {
			if early < late {
				pairs++
			}
		}
	}
	return pairs
}

// MeasureOrder compares the order in which tasks were begun with the perfect
// one. An inversion is a pair of tasks of which the less urgent one was begun
// first although the other waited already: it had been confirmed for as long as
// it may be on its way. level_inversions are those whose priorities are of different levels where only
// four are told apart (0, 1 to 3, 4 to 6, 7 to 9), and less_urgent_ahead_max is
// the most level inversions that one task has.
func MeasureOrder(onItsWay time.Duration) Step {
	return Step{"measure the order of service", func(_ context.Context, t *Trial) error {
		priorities, err := t.priorities()
		if err != nil {
			return err
		}
		all, err := t.beginnings()
		if err != nil {
			return err
		}
		if len(all) < 2 {
			return errors.New("measure the order: fewer than two tasks were begun")
		}
		for _, b := range all {
			if _, known := priorities[b.task]; !known || b.confirmed == 0 {
				return fmt.Errorf("measure the order: task %s was begun, and nobody knows its priority, or when it was confirmed", b.task)
			}
		}
		steps := broker.Traits{PriorityLevels: 4}
		pairs, levels, most := 0, 0, 0
		for i, late := range all {
			ahead := 0
			for _, early := range all[:i] {
				if priorities[early.task] >= priorities[late.task] || !late.waited(early.begun, onItsWay) {
					continue
				}
				pairs++
				if steps.PriorityLevel(priorities[early.task]) < steps.PriorityLevel(priorities[late.task]) {
					ahead++
				}
			}
			levels += ahead
			most = max(most, ahead)
		}
		return errors.Join(t.Measure(inversions, float64(pairs)), t.Measure(levelInversions, float64(levels)), t.Measure(lessUrgentAhead, float64(most)))
	}}
}

// TheyMeet makes a trial unsure in which fewer than n tasks of the producer before were
// begun when the first one of the producer later had been confirmed for long enough to
// be served (onItsWay): then these had nothing to overtake. It measures how many there
// were (begun_after_later_came).
func TheyMeet(before, later string, n int) Step {
	return Step{fmt.Sprintf("see that %d tasks of %s still waited when those of %s came", n, before, later), func(_ context.Context, t *Trial) error {
		sent, err := t.moments(before, ledger.Confirmed)
		if err != nil {
			return err
		}
		came, err := t.moments(later, ledger.Confirmed)
		if err != nil {
			return err
		}
		all, err := t.beginnings()
		if err != nil {
			return err
		}
		if len(came) == 0 {
			return fmt.Errorf("none of %s was confirmed", later)
		}
		first, met := slices.Min(slices.Collect(maps.Values(came))), 0
		for _, b := range all {
			if _, of := sent[b.task]; of && b.begun > first+int64(onItsWay) {
				met++
			}
		}
		if err := t.Measure("begun_after_later_came", float64(met)); err != nil || met >= n {
			return err
		}
		return fmt.Errorf("%d tasks of %s waited when those of %s came, %d or more are needed", met, before, later, n)
	}}
}

// priorities are those of all tasks of the trial: each producer gave them to its
// tasks in turn.
func (t *Trial) priorities() (map[string]int, error) {
	all := map[string]int{}
	for _, name := range t.order {
		lines, err := t.read(name)
		if err != nil {
			return nil, err
		}
		n := 0
		for _, l := range lines {
			if l.Event == ledger.Planned {
				all[l.Task] = priorityCycle[n%len(priorityCycle)]
				n++
			}
		}
	}
	return all, nil
}
