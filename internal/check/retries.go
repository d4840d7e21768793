package check

import (
	"math"

	"acklab/internal/ledger"
)

// spread gathers numbers for their least, mean and greatest.
type spread struct {
	n             int
	sum, low, top float64
}

func (s *spread) add(v float64) {
	if s.n == 0 {
		s.low, s.top = math.Inf(1), math.Inf(-1)
	}
	s.n++
	s.sum += v
	s.low, s.top = min(s.low, v), max(s.top, v)
}

// put enters them under the name, if there were any.
func (s *spread) put(m map[string]float64, name string) {
	if s.n > 0 {
		m[name+"_min_seconds"], m[name+"_mean_seconds"], m[name+"_max_seconds"] = s.low, s.sum/float64(s.n), s.top
	}
}

// retryMeasures adds how often tasks were tried and how far apart, where
// anything failed or was retried.
func (h *history) retryMeasures(m map[string]float64) {
	if !h.anyFailure() {
		return
	}
	var tries, gaps spread
	early, due := 0, false
	for _, r := range h.order {
		if len(r.began) > 0 {
			tries.add(float64(len(r.began)))
		}
		for _, l := range r.letters {
			if gap, ok := l.gap(); ok {
				gaps.add(gap)
			}
			if l.retries == 0 || l.eta == 0 {
				continue
			}
			due = true
			for _, e := range l.starts() {
				if e.Mono < l.eta {
					early++
				}
			}
		}
	}
	if tries.n > 0 {
		m["attempts_min"], m["attempts_max"] = tries.low, tries.top
	}
	gaps.put(m, "retry_gap")
	if due {
		m["early_starts"] = float64(early)
	}
}

func (h *history) anyFailure() bool {
	for _, e := range h.events {
		if e.Event == ledger.Failed || e.Event == ledger.Attempted && e.Retries > 0 {
			return true
		}
	}
	return false
}

// gap is the time from the failure that this message is the retry of, to its
// first start, in seconds. ok is false when one of the two is not known.
func (l *letter) gap() (seconds float64, ok bool) {
	began := l.starts()
	if l.retries == 0 || len(l.attempts) == 0 || len(began) == 0 {
		return 0, false
	}
	publish := l.attempts[0]
	for _, failed := range l.rec.failures[l.retries-1] {
		if failed.book == publish.book && failed.Seq < publish.Seq {
			seconds, ok = float64(began[0].Mono-failed.Mono)/1e9, true
		}
	}
	return seconds, ok
}

// starts are those of this message.
func (l *letter) starts() (all []event) {
	for _, e := range l.rec.began[l.retries] {
		if e.Message == l.id {
			all = append(all, e)
		}
	}
	return all
}

// delayMeasures adds how exactly messages came at their ETA. Only the first
// receipt counts: what comes again was not held back by then. Where the worker
// holds them it is the first start.
func (h *history) delayMeasures(m map[string]float64) {
	var errors spread
	early := 0
	for _, r := range h.order {
		for _, l := range r.letters {
			came := l.received
			if h.trial.Expect.DelayByWorker {
				came = l.starts()
			}
			if l.eta == 0 || len(came) == 0 {
				continue
			}
			late := came[0].Mono - l.eta
			errors.add(float64(late) / 1e9)
			if late < 0 {
				early++
			}
		}
	}
	errors.put(m, "delay_error")
	if errors.n > 0 {
		m["delay_early"] = float64(early)
	}
}
