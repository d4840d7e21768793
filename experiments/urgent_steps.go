package experiments

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"acklab/internal/ledger"
)

// MeasureUrgent measures how long the tasks of the producer high waited, from their
// confirm to their first start: in milliseconds, and in tasks of the producer low that
// were begun meanwhile, by whatever worker (low_before_high_max: of the one for which
// they were the most). low_before_waiting_high_max leaves out those that were begun while
// it may still have been on its way. low_among_high is how many of low were begun between
// the first and the last of high, low_waiting_at_first_high how many were not begun yet
// when the first of high was confirmed; fewer than 200 are nothing to overtake, and an
// error.
func MeasureUrgent() Step {
	return Step{"measure what was begun before the urgent tasks", func(_ context.Context, t *Trial) error {
		all, high, err := t.urgents()
		if err != nil {
			return err
		}
		o := overtakenOf(all, high)
		err = errors.Join(
			t.Measure(lowBefore, float64(o.before)), t.Measure(lowWaited, float64(o.waited)), t.Measure(lowAmong, float64(o.among)),
			t.Measure(lowWaiting, float64(o.waiting)), t.Measure(highWait, quantile(o.waits, 1)), t.Measure("high_wait_median_ms", quantile(o.waits, 0.5)),
		)
		if o.waiting < urgentWait {
			err = errors.Join(err, fmt.Errorf("%d of the others waited when the first urgent one came, %d or more are needed", o.waiting, urgentWait))
		}
		return err
	}}
}

// overtaken is what MeasureUrgent measures.
type overtaken struct {
	before, waited, among, waiting int
	waits                          []float64
}

// overtakenOf reads it from all beginnings in their order.
func overtakenOf(all []beginning, high map[string]bool) (o overtaken) {
	low, first, last := 0, -1, 0 // of low until then, when the first and the last of high began
	came := int64(math.MaxInt64) // the first confirm of high
	for _, b := range all {
		switch {
		case !high[b.task]:
			low++
			continue
		case first < 0:
			first = low
		}
		last, came = low, min(came, b.confirmed)
	}
	o.among = last - first
	for _, b := range all {
		if !high[b.task] {
			if b.begun > came {
				o.waiting++
			}
			continue
		}
		before, waited := 0, 0
		for _, l := range all {
			if high[l.task] || l.begun >= b.begun || l.begun <= b.confirmed {
				continue
			}
			before++
			if b.waited(l.begun, onItsWay) {
				waited++
			}
		}
		o.before, o.waited = max(o.before, before), max(o.waited, waited)
		o.waits = append(o.waits, milliseconds(b.confirmed, b.begun))
	}
	return o
}

// MeasureShare measures how many tasks of the producer low were begun before the last
// one of the producer high, how many of the first n, in percent, were of high, and how
// long the one of low that waited longest did, from its confirm to its first start, in
// milliseconds: that has in it what the worker takes to start. A
// task of low counts only when it was begun although one of high waited and had for
// longer than it may be on its way: a stream that pauses lets the others in rightly. A
// stream of which less than half had to wait for longer than that shows nothing, and is
// an error.
func MeasureShare(n int) Step {
	return Step{"measure the shares of the queues", func(_ context.Context, t *Trial) error {
		all, high, err := t.urgents()
		if err != nil {
			return err
		}
		s := shareOf(all, high, n)
		err = errors.Join(t.Measure(lowMeantime, float64(s.meantime)), t.Measure(highShare, s.percent()), t.Measure(lowWait, longestOfLow(all, high)))
		if 2*s.waited < s.high {
			err = errors.Join(err, fmt.Errorf("%d of %d urgent tasks had to wait, half of them are needed", s.waited, s.high))
		}
		return err
	}}
}

// share is what MeasureShare measures.
type share struct {
	meantime              int // of low until the last of high began
	counted, high, waited int // of the first: all, of high, and of those the ones that had to wait
}

func (s share) percent() float64 { return 100 * float64(s.high) / float64(max(s.counted, 1)) }

// shareOf reads it from all beginnings in their order.
func shareOf(all []beginning, high map[string]bool, n int) (s share) {
	low := 0
	for i, b := range all {
		of := high[b.task]
		if !of && !slices.ContainsFunc(all[i+1:], func(h beginning) bool { return high[h.task] && h.waited(b.begun, onItsWay) }) {
			continue
		}
		if of {
			s.meantime = low
		} else {
			low++
		}
		if s.counted == n {
			continue
		}
		s.counted++
		if of {
			s.high++
		}
		if of && b.waited(b.begun, onItsWay) {
			s.waited++
		}
	}
	return s
}

// longestOfLow is the longest wait of the tasks that are not of high, in milliseconds.
func longestOfLow(all []beginning, high map[string]bool) (wait float64) {
	for _, b := range all {
		if !high[b.task] {
			wait = max(wait, milliseconds(b.confirmed, b.begun))
		}
	}
	return wait
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
