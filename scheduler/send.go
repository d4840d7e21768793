package scheduler

import (
	"context"
	"fmt"
	"slices"
	"time"

	"acklab/broker"
	"acklab/internal/ledger"
	"acklab/internal/publishing"
	"acklab/task"
)

const (
	// batch is how many ticks are claimed, published and settled in one go.
	batch = 500
	// settleAtOnce is how many outcomes the keeper is told in one call: a store
	// does nothing else meanwhile, and leases have to be renewed.
	settleAtOnce = 1000
	// publishWithin bounds the publish of a batch.
	publishWithin = 10 * time.Second
)

// sending is a tick on its way.
type sending struct {
	*owed
	entry *entry
	msg   *task.Message
	skip  string // why it is not sent after all; "": it is
}

// round does what is to be done now: everything that nothing holds back, and then
// one tick for each outage whose pause is over. An error is the keeper's, the
// lease's or the ledger's: then what was to be sent is still owed.
func (t *term) round(ctx context.Context, now time.Time) error {
	var held []sending // one of each entry that an outage holds up
	var err error
	for err == nil && t.anyDue(now) {
		var more []sending
		more, err = t.pass(ctx, now)
		held = append(held, more...)
	}
	if err != nil || len(held) == 0 {
		for _, s := range held {
			t.putBack(s.entry)
		}
		return err
	}
	return t.probe(ctx, held, now)
}

// anyDue: an entry has something to do at now.
func (t *term) anyDue(now time.Time) bool {
	return len(t.agenda) > 0 && !t.agenda[0].wake.After(now)
}

// pass takes up to a batch of entries that have something to do, fewer if much of
// what they owe ends unsent, and does it. What an outage holds up it returns,
// without a message, the oldest tick of each entry, which is then not in the agenda.
func (t *term) pass(ctx context.Context, now time.Time) (held []sending, err error) {
	var due []*entry
	var out []sending
	for len(out) < batch && len(t.ended) < batch && t.anyDue(now) {
		e := t.agenda[0]
		t.agenda.drop(e)
		send := t.decide(e, now)
		if len(send) > 0 && t.outageOf(e.to.Queue) != nil {
			held = append(held, sending{owed: send[0], entry: e})
			continue
		}
		due = append(due, e)
		for _, o := range send {
			out = append(out, sending{owed: o, entry: e, msg: e.message(o.Tick, e.to, t.Origin)})
		}
	}
	err = t.send(ctx, out, now)
	for _, e := range due {
		t.putBack(e)
	}
	return held, err
}

// putBack puts an entry that was taken out of the agenda back.
func (t *term) putBack(e *entry) {
	if e.spent() {
		e.next = Tick{}
	}
	if o := t.outageOf(e.to.Queue); o != nil {
		e.again = o.back
	}
	t.agenda.put(e)
}

// decide plans what has come due of a schedule, ends what is not to be sent, and
// returns what is.
func (t *term) decide(e *entry, now time.Time) []*owed {
	dropped, last := e.collect(now)
	if dropped > 0 {
		t.missedMany(e, dropped, last, now)
	}
	for _, o := range e.owed {
		t.plan(e, o, now)
	}
	v := e.decide(now)
	t.endAll(e, v.ended)
	t.endAll(e, e.surplus(now)) // what was given up as unsure counts as a run
	if o := t.outageOf(e.to.Queue); o != nil && now.Before(o.back) {
		return nil // planned, and tried with all others
	}
	return e.withinRuns(v.send)
}

// endAll ends ticks of a schedule that are not sent, with one line in the log.
func (t *term) endAll(e *entry, ended []Outcome) {
	for _, o := range ended {
		t.end(o)
	}
	if n := len(ended); n > 0 {
		last := ended[n-1]
		t.Log.Warn("not sent", "schedule", e.Name, "ticks", n, "last due", last.Tick.Due, "outcome", last.Kind, "reason", last.Reason)
	}
}

// plan writes a tick down as owed, once: when it was due, and when that was found, by
// the scheduler's clock.
func (t *term) plan(e *entry, o *owed, now time.Time) {
	if o.planned {
		return
	}
	o.planned = true
	detail := map[string]string{"schedule": o.Schedule, "due": o.Due.Format(time.RFC3339Nano), "at": now.UTC().Format(time.RFC3339Nano)}
	if o.ByHand {
		detail["by_hand"] = "true"
	}
	t.Ledger.Write(ledger.Line{Event: ledger.Planned, Task: o.ID(), Name: e.Task, Queue: e.to.Queue, Detail: detail})
}

// missedMany ends ticks that are too many to be looked at one by one.
func (t *term) missedMany(e *entry, n int, last Tick, now time.Time) {
	why := fmt.Sprintf("%d ticks before the last %d", n, MaxCaughtUp)
	o := Outcome{Tick: last, Kind: Missed, At: now.UTC().Round(0), N: n, Task: last.ID(), Reason: why}
	t.ended = append(t.ended, o)
	e.state, _ = e.state.Settle(o)
	t.Metrics.Ticked(string(Missed), n)
	t.Ledger.Write(ledger.Line{Event: ledger.Missed, N: n, Reason: why,
		Detail: map[string]string{"schedule": e.Name, "due": last.Due.Format(time.RFC3339Nano)}})
	t.Log.Warn("ticks are not sent", "schedule", e.Name, "ticks", n, "reason", why)
}

// send claims, publishes and settles, a batch at a time. What is for a queue that
// turns out to take nothing is held back with the next batch, and still owed.
func (t *term) send(ctx context.Context, out []sending, now time.Time) error {
	t.overlap(ctx, out, now)
	if err := ctx.Err(); err != nil {
		return err // what was asked while it ended says nothing
	}
	if err := t.flush(ctx); err != nil {
		return err
	}
	for len(out) > 0 {
		if err := ctx.Err(); err != nil {
			return err // what is left is the next leader's
		}
		n := min(len(out), batch)
		if err := t.sendBatch(ctx, out[:n:n]); err != nil {
			return err
		}
		out = slices.DeleteFunc(out[n:], func(s sending) bool { return t.outageOf(s.msg.Queue) != nil })
	}
	return nil
}

func (t *term) sendBatch(ctx context.Context, out []sending) error {
	if err := t.claim(ctx, out); err != nil {
		return err
	}
	// A polite stop lets what has been claimed be published and settled.
	within, cancel := context.WithTimeout(context.WithoutCancel(ctx), publishWithin)
	defer cancel()
	if deadline := t.lead.Deadline(); !deadline.IsZero() {
		if time.Until(deadline) <= margin {
			return errExpired // what is claimed is the next leader's
		}
		var cut context.CancelFunc
		within, cut = context.WithDeadline(within, deadline)
		defer cut()
	}
	out = t.skipped(out) // not before the older ones are claimed
	msgs := make([]*task.Message, len(out))
	for i, s := range out {
		line := publishing.Intent(s.msg)
		if s.unsure {
			line.Reason = "again: it may have been published before"
			t.Metrics.TickRepeated()
		}
		if _, err := t.Ledger.Write(line); err != nil {
			return err
		}
		msgs[i] = s.msg.SentAt(time.Now())
	}
	if len(msgs) > 0 {
		errs := t.Broker.Publish(within, msgs...)
		for i, err := range errs {
			t.published(out[i], err)
		}
		t.heard(out, errs)
	}
	if err := t.Ledger.Err(); err != nil {
		return err
	}
	settling, done := context.WithTimeout(context.WithoutCancel(ctx), publishWithin)
	defer done()
	return t.flush(settling)
}

// claim tells the keeper what is about to be published.
func (t *term) claim(ctx context.Context, out []sending) error {
	var ticks []Tick
	for _, s := range out {
		if !s.claimed && s.skip == "" {
			ticks = append(ticks, s.Tick)
		}
	}
	if len(ticks) == 0 {
		return nil
	}
	if err := t.Keeper.Claim(ctx, t.lead.Term(), ticks); err != nil {
		return fmt.Errorf("claim %d ticks: %w", len(ticks), err)
	}
	for _, s := range out {
		if !s.claimed && s.skip == "" {
			s.claimed = true
			s.entry.state = s.entry.state.Claim(s.Tick)
		}
	}
	return nil
}

// published notes what the broker said of a tick.
func (t *term) published(s sending, err error) {
	now := t.Clock.Now()
	held, hopeless := broker.RefusedAs(err, broker.Duplicate), broker.RefusedAs(err, broker.TooLarge, broker.Invalid)
	event, _ := publishing.Heard(t.Ledger, t.Metrics, s.msg, err) // a broken ledger ends the term, see sendBatch
	s.unsure = s.unsure || event == ledger.Unsure
	s.tries, s.last = s.tries+1, err
	e := s.entry
	switch {
	case err == nil, held:
		why := ""
		if held {
			why = "the broker had it already"
		}
		e.forget(s.owed)
		t.end(s.outcome(Sent, now, why))
		t.Metrics.TickLate(now.Sub(e.firing(s.Tick)))
	case hopeless:
		e.forget(s.owed)
		t.end(s.outcome(Refused, now, err.Error()))
	default:
		pause := pauseAfter(s.tries)
		e.again = now.Add(pause)
		t.setback = max(t.setback, pause)
		t.Log.Debug("a tick is not sure to be with the broker", "schedule", e.Name, "due", s.Due, "try", s.tries, "err", err)
	}
}
