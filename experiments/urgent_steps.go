package experiments

import (
	"context"
	"errors"

	"acklab/internal/ledger"
)

// MeasureUrgent measures how long the tasks of the producer high waited, from
// their confirm to their first start: in milliseconds, and in tasks of the
// producer low that were begun meanwhile, by whatever worker
// (low_before_high_max: of the one for which they were the most). low_among_high
// is how many of low were begun between the first and the last of high.
func MeasureUrgent() Step {
	return Step{"measure what was begun before the urgent tasks", func(_ context.Context, t *Trial) error {
		all, high, err := t.urgents()
		if err != nil {
			return err
		}
		most, waits := 0, []float64{}
		low, first, last := 0, -1, 0 // of low until then, when the first and the last of high began
		for _, b := range all {
			switch {
			case !high[b.task]:
				low++
			case first < 0:
				first, last = low, low
			default:
				last = low
			}
		}
		for _, h := range all {
			if !high[h.task] {
				continue
			}
			before := 0
			for _, l := range all {
				if !high[l.task] && l.begun > h.confirmed && l.begun < h.begun {
					before++
				}
			}
			most = max(most, before)
			waits = append(waits, milliseconds(h.confirmed, h.begun))
		}
		return errors.Join(t.Measure(lowBefore, float64(most)), t.Measure(lowAmong, float64(last-first)), t.Measure(highWait, quantile(waits, 1)), t.Measure("high_wait_median_ms", quantile(waits, 0.5)))
	}}
}

// MeasureShare measures how many tasks of the producer low were begun before
// the last one of the producer high, and how many of the first n, in percent,
// were of high.
func MeasureShare(n int) Step {
	return Step{"measure the shares of the queues", func(_ context.Context, t *Trial) error {
		all, high, err := t.urgents()
		if err != nil {
			return err
		}
		low, meantime, first := 0, 0, 0
		for i, b := range all {
			if !high[b.task] {
				low++
				continue
			}
			meantime = low
			if i < n {
				first++
			}
		}
		return errors.Join(t.Measure(lowMeantime, float64(meantime)), t.Measure(highShare, 100*float64(first)/float64(min(n, len(all)))))
	}}
}

// urgents are the beginnings of the trial, and which tasks are those of the
// producer high.
func (t *Trial) urgents() (all []beginning, high map[string]bool, err error) {
	confirmed, err := t.moments("high", ledger.Confirmed)
	if err != nil {
		return nil, nil, err
	}
	high = map[string]bool{}
	for task := range confirmed {
		high[task] = true
	}
	all, err = t.beginnings()
	if err == nil && (len(high) == 0 || len(all) == 0) {
		err = errors.New("measure urgent tasks: none was confirmed, or none begun")
	}
	return all, high, err
}
