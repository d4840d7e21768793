package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// maxQueues bounds the values of the label queue: a process that sees more
// queues than this counts the rest under "other".
const maxQueues = 200

type publishSeries struct {
	confirmed, unsure, refused prometheus.Counter
}

type receiveSeries struct {
	received, redelivered prometheus.Counter
}

func (m *Metrics) resolvePublish(queue string) *publishSeries {
	return &publishSeries{
		confirmed: m.published.WithLabelValues(queue, string(Confirmed)),
		unsure:    m.published.WithLabelValues(queue, string(Unsure)),
		refused:   m.published.WithLabelValues(queue, string(Refused)),
	}
}

func (m *Metrics) resolveReceive(queue string) *receiveSeries {
	return &receiveSeries{
		received:    m.received.WithLabelValues(queue),
		redelivered: m.redelivered.WithLabelValues(queue),
	}
}

// Published counts n messages to the queue whose publish ended this way. An
// outcome that is none of the three is counted as unsure, which is what a
// publish is until something better is known.
func (m *Metrics) Published(queue string, outcome Outcome, n int) {
	if m == nil || n <= 0 {
		return
	}
	s := m.publishing.get(queue, maxQueues, "other")
	switch outcome {
	case Confirmed:
		s.confirmed.Add(float64(n))
	case Refused:
		s.refused.Add(float64(n))
	default:
		s.unsure.Add(float64(n))
	}
}

// Received counts a delivery from the queue; again: the broker marked it as
// delivered before.
func (m *Metrics) Received(queue string, again bool) {
	if m == nil {
		return
	}
	s := m.receiving.get(queue, maxQueues, "other")
	s.received.Inc()
	if again {
		s.redelivered.Inc()
	}
}

// Depth is what a broker says it holds of one queue. A nil field: it cannot
// tell, and the series is taken away instead of going stale.
type Depth struct {
	Ready, Unacked, Delayed, Dead *int
	Oldest                        *time.Duration // age of the oldest message that is ready
}

// QueueDepth shows the depth of a queue. It is for the few processes that ask
// the broker now and then, not for the hot path.
func (m *Metrics) QueueDepth(queue string, d Depth) {
	if m == nil {
		return
	}
	for state, n := range map[string]*int{"ready": d.Ready, "unacked": d.Unacked, "delayed": d.Delayed, "dead": d.Dead} {
		if n == nil {
			m.depth.DeleteLabelValues(queue, state)
			continue
		}
		m.depth.WithLabelValues(queue, state).Set(float64(*n))
	}
	if d.Oldest == nil {
		m.oldest.DeleteLabelValues(queue)
		return
	}
	m.oldest.WithLabelValues(queue).Set(seconds(*d.Oldest))
}
