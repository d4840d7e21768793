package scheduler

import (
	"context"
	"slices"
	"time"

	"acklab/broker"
)

// While the broker takes nothing at all, or nothing of one queue, not everything
// that is owed is tried again and again: one tick is, and the others follow when it
// was taken. What one queue does not take holds up no other: such a tick is
// published after all that nothing holds back, and not in one call with it.

// outage is a time in which nothing is taken.
type outage struct {
	failures int       // in a row
	back     time.Time // when one tick is tried again
}

// outageOf is what holds back the ticks for a queue; nil: nothing does.
func (t *term) outageOf(queue string) *outage {
	if t.away != nil {
		return t.away
	}
	return t.closed[queue]
}

// answers are what the broker said of the ticks of a batch for one queue. An answer
// that was not the broker's (the message is not one that it could be given, or
// there was no time left to send it) says nothing of it.
type answers struct {
	there  bool // one of them says that the queue can be reached
	lost   bool // one of them says that it cannot, or is missing
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
		queue := out[i].msg.Queue
		a := by[queue]
		if a == nil {
			a = &answers{}
			by[queue] = a
		}
		a.add(err)
		all.add(err)
		broken = broken || down(err)
		t.turns++
		out[i].entry.turn = t.turns
		if !unasked(err) {
			t.turnOf[queue] = t.turns
		}
	}
	switch {
	case broken && !all.there:
		if t.away == nil {
			t.away = &outage{}
			t.Log.Error("the broker takes nothing; what is due is sent when it does, as the catch-up policies say", "ticks", all.failed, "err", all.first)
		}
		t.fail(t.away)
		return
	case t.away != nil && !all.there && !all.lost: // nobody knows
		t.hold(t.away)
		return
	case t.away != nil:
		t.away = nil
		t.Log.Info("the broker can be reached again")
	}
	for queue, a := range by {
		t.heardOf(queue, a)
	}
}

// heardOf looks at the answers for one queue of a broker that is there.
func (t *term) heardOf(queue string, a *answers) {
	o := t.closed[queue]
	switch {
	case a.lost && !a.there:
		if o == nil {
			o = &outage{}
			t.closed[queue] = o
			t.Log.Error("a queue takes nothing; what is due for it is sent when it does, as the catch-up policies say", "queue", queue, "ticks", a.failed, "err", a.first)
		}
		t.fail(o)
		return
	case o != nil && a.there:
		delete(t.closed, queue)
		t.Log.Info("the queue answers again", "queue", queue)
	case o != nil:
		t.hold(o)
		return
	}
	if a.failed > 0 {
		t.Log.Error("ticks are not sure to be with the broker and are tried again", "queue", queue, "ticks", a.failed, "err", a.first)
	}
}

func (t *term) fail(o *outage) {
	o.failures++
	t.hold(o)
}

// hold lets the next try wait.
func (t *term) hold(o *outage) {
	pause := pauseAfter(o.failures)
	o.back = t.Clock.Now().Add(pause)
	t.setback = max(t.setback, pause)
}

func (a *answers) add(err error) {
	there := answered(err)
	a.there = a.there || there
	a.lost = a.lost || !there && !unasked(err)
	if err != nil && !final(err) {
		a.failed++
		if a.first == nil {
			a.first = err
		}
	}
}

// down: no queue would have taken anything.
func down(err error) bool {
	return broker.RefusedAs(err, broker.Unreachable, broker.Full, broker.ReadOnly, broker.Closed)
}

// answered: the answer is about this message, so its queue, or who minds the queues,
// is there.
func answered(err error) bool {
	return err == nil || broker.RefusedAs(err, broker.Unroutable, broker.LengthLimit, broker.Denied, broker.Duplicate)
}

// unasked: the broker may never have seen the message. A driver knows by itself
// what it cannot send; and what waited behind others until the deadline was not sent.
func unasked(err error) bool {
	return broker.RefusedAs(err, broker.TooLarge, broker.Invalid, broker.Cancelled)
}

// final: the message is not tried again after this refusal.
func final(err error) bool {
	return broker.RefusedAs(err, broker.TooLarge, broker.Invalid, broker.Duplicate)
}

// probe publishes one tick for each outage whose pause is over, and puts the
// entries that are held up by them back into the agenda. Queues take turns while
// the broker is away, and the schedules of a queue do: one that fails for a reason
// of its own stands for no other. What waits behind a queue that never answers
// comes before it the next time.
func (t *term) probe(ctx context.Context, held []sending, now time.Time) error {
	var out []sending
	byQueue := map[string]sending{}
	for _, s := range held {
		first, any := byQueue[s.entry.to.Queue]
		if !any || s.entry.turn < first.entry.turn {
			byQueue[s.entry.to.Queue] = s
		}
	}
	for _, s := range byQueue {
		out = append(out, s)
	}
	slices.SortFunc(out, func(a, b sending) int { return t.turnOf[a.entry.to.Queue] - t.turnOf[b.entry.to.Queue] })
	if t.away != nil && len(out) > 1 {
		out = out[:1]
	}
	out = slices.DeleteFunc(out, func(s sending) bool {
		o := t.outageOf(s.entry.to.Queue)
		return o != nil && now.Before(o.back) // the broker has gone away since
	})
	for i, s := range out {
		out[i].msg = s.entry.message(s.Tick, s.entry.to, t.Origin)
	}
	err := t.send(ctx, out, now)
	for _, s := range held {
		t.putBack(s.entry)
	}
	return err
}

// pauseAfter doubles with each failure.
func pauseAfter(failures int) time.Duration {
	return min(firstPause<<min(max(failures-1, 0), 8), longPause)
}
