package task

import (
	"maps"
	"time"
)

// sentHeader carries when a message was published, in seconds since 1970.
// Celery keeps headers that it does not know.
const sentHeader = "acklab_sent"

// SentAt is the message with the moment of its publish, which every publish
// of it has anew.
func (m *Message) SentAt(at time.Time) *Message {
	sent := *m
	sent.Extra = maps.Clone(m.Extra)
	if sent.Extra == nil {
		sent.Extra = make(map[string]any, 1)
	}
	sent.Extra[sentHeader] = float64(at.UnixMicro()) / 1e6
	return &sent
}

// Sent is when the message was published, by the clock of its publisher; zero:
// it does not say.
func (m *Message) Sent() time.Time {
	seconds, ok := m.Extra[sentHeader].(float64)
	if !ok {
		return time.Time{}
	}
	return time.UnixMicro(int64(seconds * 1e6))
}
