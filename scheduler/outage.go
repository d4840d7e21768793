package scheduler

import (
	"time"

	"acklab/broker"
)

// While the broker takes nothing at all, not everything that is owed is tried
// again and again: one tick is, and the others follow when it was taken.

// heard looks at the answers to a batch: whether the broker is there.
func (t *term) heard(errs []error) {
	failed := 0
	there := false
	var first error
	for _, err := range errs {
		there = there || answered(err)
		if err != nil && !final(err) {
			failed++
			if first == nil {
				first = err
			}
		}
	}
	switch {
	case !there:
		t.outage++
		pause := pauseAfter(t.outage)
		t.back = t.Clock.Now().Add(pause)
		t.setback = max(t.setback, pause)
		if t.outage == 1 {
			t.Log.Error("the broker takes nothing; what is due is sent when it does, as the catch-up policies say", "ticks", failed, "err", first)
		}
	case t.outage > 0:
		t.outage = 0
		t.Log.Info("the broker answers again")
		fallthrough
	default:
		if failed > 0 {
			t.Log.Error("ticks are not sure to be with the broker and are tried again", "ticks", failed, "err", first)
		}
	}
}

// answered: the answer is about this message, so the broker is there.
func answered(err error) bool {
	return err == nil || broker.RefusedAs(err, broker.Unroutable, broker.LengthLimit, broker.Denied, broker.TooLarge, broker.Invalid, broker.Duplicate)
}

// final: the message is not tried again after this refusal.
func final(err error) bool {
	return broker.RefusedAs(err, broker.TooLarge, broker.Invalid, broker.Duplicate)
}

// probe brings to the front what was tried least, so that no tick that fails for
// a reason of its own stands for the broker. It is the oldest of its schedule.
func probe(out []sending) {
	least := 0
	for i := range out {
		if i > 0 && out[i].entry != out[i-1].entry && out[i].tries < out[least].tries {
			least = i
		}
	}
	if least > 0 {
		s := out[least]
		copy(out[1:], out[:least])
		out[0] = s
	}
}

// pauseAfter doubles with each failure.
func pauseAfter(failures int) time.Duration {
	return min(firstPause<<min(failures-1, 8), longPause)
}
