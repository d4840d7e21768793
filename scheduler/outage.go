package scheduler

import (
	"time"

	"acklab/broker"
)

// While the broker takes nothing at all, or nothing of one queue, not everything
// that is owed is tried again and again: one tick is, and the others follow when it
// was taken. What one queue does not take holds up no other.

// outage is a time in which nothing is taken.
type outage struct {
	failures int       // batches in a row
	back     time.Time // when one tick is tried again
}

// outageOf is what holds back the ticks for a queue; nil: nothing does.
func (t *term) outageOf(queue string) *outage {
	if t.away != nil {
		return t.away
	}
	return t.closed[queue]
}

// answers are what the broker said of the ticks of a batch for one queue.
type answers struct {
	there  bool // one of them says that the queue can be reached
	failed int  // those that are tried again
	first  error
}

// heard looks at the answers to a batch: whether the broker is there, and which of
// its queues are.
func (t *term) heard(out []sending, errs []error) {
	by := map[string]*answers{}
	var all answers
	broken := false // an answer speaks of the whole broker
	for i, err := range errs {
		a := by[out[i].msg.Queue]
		if a == nil {
			a = &answers{}
			by[out[i].msg.Queue] = a
		}
		a.add(err)
		all.add(err)
		broken = broken || down(err)
	}
	switch {
	case all.there && t.away != nil:
		t.away = nil
		t.Log.Info("the broker answers again")
	case !all.there && (broken || t.away != nil):
		if t.away == nil {
			t.away = &outage{}
			t.Log.Error("the broker takes nothing; what is due is sent when it does, as the catch-up policies say", "ticks", all.failed, "err", all.first)
		}
		t.fail(t.away)
		return
	}
	for queue, a := range by {
		t.heardOf(queue, a)
	}
}

// heardOf looks at the answers for one queue of a broker that is there.
func (t *term) heardOf(queue string, a *answers) {
	o := t.closed[queue]
	switch {
	case !a.there:
		if o == nil {
			o = &outage{}
			t.closed[queue] = o
			t.Log.Error("a queue takes nothing; what is due for it is sent when it does, as the catch-up policies say", "queue", queue, "ticks", a.failed, "err", a.first)
		}
		t.fail(o)
		return
	case o != nil:
		delete(t.closed, queue)
		t.Log.Info("the queue answers again", "queue", queue)
	}
	if a.failed > 0 {
		t.Log.Error("ticks are not sure to be with the broker and are tried again", "queue", queue, "ticks", a.failed, "err", a.first)
	}
}

func (t *term) fail(o *outage) {
	o.failures++
	pause := pauseAfter(o.failures)
	o.back = t.Clock.Now().Add(pause)
	t.setback = max(t.setback, pause)
}

func (a *answers) add(err error) {
	a.there = a.there || answered(err)
	if err != nil && !final(err) {
		a.failed++
		if a.first == nil {
			a.first = err
		}
	}
}

// down: no queue would have taken anything.
func down(err error) bool {
	return broker.RefusedAs(err, broker.Unreachable, broker.Full, broker.ReadOnly, broker.Closed, broker.Cancelled)
}

// answered: the answer is about this message, so its queue, or who minds the queues,
// is there.
func answered(err error) bool {
	return err == nil || broker.RefusedAs(err, broker.Unroutable, broker.LengthLimit, broker.Denied, broker.TooLarge, broker.Invalid, broker.Duplicate)
}

// final: the message is not tried again after this refusal.
func final(err error) bool {
	return broker.RefusedAs(err, broker.TooLarge, broker.Invalid, broker.Duplicate)
}

// turn takes what is tried next, at most a batch: everything that nothing holds
// back, and one tick for each outage whose pause is over. That is what was tried
// least, so that no tick that fails for a reason of its own stands for a queue, and
// the oldest of its schedule. rest has its turn after that; what is in neither is
// held back and still owed.
func (t *term) turn(out []sending) (next, rest []sending) {
	now := t.Clock.Now()
	probes := map[*outage]int{}
	for i, s := range out {
		o := t.outageOf(s.msg.Queue)
		if o == nil || i > 0 && out[i-1].entry == s.entry {
			continue
		}
		if least, any := probes[o]; !any || s.tries < out[least].tries {
			probes[o] = i
		}
	}
	for i, s := range out {
		o := t.outageOf(s.msg.Queue)
		switch {
		case o != nil && now.Before(o.back):
		case len(next) < batch && (o == nil || probes[o] == i):
			next = append(next, s)
		default:
			rest = append(rest, s)
		}
	}
	return next, rest
}

// pauseAfter doubles with each failure.
func pauseAfter(failures int) time.Duration {
	return min(firstPause<<min(failures-1, 8), longPause)
}
