package producer

import (
	"errors"
	"fmt"
	"time"

	"acklab/task"
)

// checkTimes says what is wrong with the moments of a load that begins now.
func (l Load) checkTimes(now time.Time) error {
	eta := l.Options.ETA
	switch {
	case l.Countdown < 0:
		return fmt.Errorf("countdown %v is negative: use 0 for at once", l.Countdown)
	case l.ExpireAfter < 0:
		return fmt.Errorf("expires %v is negative: use 0 for never", l.ExpireAfter)
	case l.Countdown > 0 && !eta.IsZero():
		return errors.New("a countdown and an eta: use one of them, both say when a task may run")
	case l.Countdown > task.MaxDelay:
		return fmt.Errorf("countdown %v: at most %v (%d days) is possible", l.Countdown, task.MaxDelay, task.MaxDelay/(24*time.Hour))
	case l.ExpireAfter > 0 && l.ExpireAfter < l.Countdown:
		return fmt.Errorf("expires after %v, before its countdown of %v ends: nothing would run", l.ExpireAfter, l.Countdown)
	case l.ExpireAfter > 0 && now.Add(l.ExpireAfter).Before(eta):
		return fmt.Errorf("expires after %v, before its eta %s: nothing would run", l.ExpireAfter, eta.Format(time.RFC3339))
	}
	return task.CheckDelay(&task.Message{Options: l.Options}, now)
}

// begin counts the messages' times from now, the moment before their publish.
// Nobody else has seen them yet.
func (l Load) begin(msgs []*task.Message) []*task.Message {
	now := time.Now()
	for _, m := range msgs {
		if l.Countdown > 0 {
			m.ETA = atLeast(now.Add(l.Countdown))
		}
		if l.ExpireAfter > 0 {
			m.Expires = atLeast(now.Add(l.ExpireAfter))
		}
	}
	return msgs
}

// atLeast is the first moment that a message can name which is not before t.
func atLeast(t time.Time) time.Time {
	return t.Add(time.Microsecond - time.Nanosecond).UTC().Truncate(time.Microsecond)
}
