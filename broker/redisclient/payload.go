package redisclient

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	"acklab/broker"
	"acklab/task"
)

// Payload is the envelope of a message that is published now, written over buf, or a
// *broker.Refusal: Invalid where the envelope cannot express it, checkQueue
// refuses its queue, or its ETA is further away than task.MaxDelay; TooLarge
// above task.MaxSize bytes.
func Payload(buf []byte, m *task.Message, now time.Time, checkQueue func(string) error) ([]byte, error) {
	invalid := func(err error) error { return &broker.Refusal{Reason: broker.Invalid, Err: err} }
	if m == nil {
		return nil, invalid(errors.New("no message"))
	}
	if err := checkQueue(m.Queue); err != nil {
		return nil, invalid(err)
	}
	if strings.TrimSpace(m.ID) == "" || strings.TrimSpace(m.Name) == "" {
		return nil, invalid(errors.New("a message needs an id and a task name"))
	}
	// The arguments alone may settle it; to encode them takes seconds.
	if n := base64.StdEncoding.EncodedLen(argumentSize(m)); n > task.MaxSize {
		return nil, tooLarge(n)
	}
	if err := task.CheckDelay(m, now); err != nil {
		return nil, invalid(err)
	}
	payload, err := m.AppendEnvelope(buf[:0])
	if err != nil {
		return nil, invalid(err)
	}
	if len(payload) > task.MaxSize {
		return nil, tooLarge(len(payload))
	}
	return payload, nil
}

func tooLarge(size int) error {
	return &broker.Refusal{Reason: broker.TooLarge, Err: fmt.Errorf("an envelope of %d bytes or more, the limit is %d", size, task.MaxSize)}
}

func argumentSize(m *task.Message) (n int) {
	for _, a := range m.Args {
		n += len(a)
	}
	for name, a := range m.Kwargs {
		n += len(name) + len(a)
	}
	return n
}
