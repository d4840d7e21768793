package metrics

import "time"

// Leads says whether this scheduler is the one that sends.
func (m *Metrics) Leads(leads bool) {
	if m != nil {
		m.leader.WithLabelValues().Set(number(leads))
	}
}

// Ticked counts n ticks that ended. The outcomes are package scheduler's, and few.
func (m *Metrics) Ticked(outcome string, n int) {
	if m != nil && n > 0 {
		m.ticks.WithLabelValues(outcome).Add(float64(n))
	}
}

// TickRepeated counts a tick that is published though it may have been before.
func (m *Metrics) TickRepeated() {
	if m != nil {
		m.repeated.WithLabelValues().Inc()
	}
}

// TickLate observes how late a tick was confirmed. Less than nothing, of a clock
// that was set back, counts as 0.
func (m *Metrics) TickLate(d time.Duration) {
	if m != nil {
		m.lateness.WithLabelValues().Observe(seconds(d))
	}
}
