package check

import (
	"cmp"
	"fmt"
	"slices"

	"acklab/internal/ledger"
)

// lies notes what no prediction may excuse. Each of them is certain, whatever
// the order in which processes got to write their lines: where a line may be
// late, the rule asks for more than one.
func (h *history) lies() {
	for _, b := range h.books {
		if !h.trial.Expect.LeaseBound {
			h.deadSessions(b)
		}
		h.outOfNothing(b)
	}
	h.calledOffForNothing()
	marks := h.trial.Expect.MarksAlways && !h.trial.Expect.BrokerFault
	alone := marks && h.oneSession()
	for _, r := range h.order {
		h.collapsedEarly(r)
		for _, l := range r.letters {
			h.altered(l)
			if marks && len(l.attempts) <= 1 {
				h.unmarked(l)
			}
			if alone && len(l.attempts) <= 1 {
				h.mismarked(l)
			}
		}
	}
}

// deadSessions: a settlement that was begun after its session was lost must
// have been refused as stale. The line before it (ack-sending, requeuing,
// rejecting) decides when it was begun: the one after it may be late. An acked
// line is no witness: it names one session and a line up to which it vouches,
// and what it vouches for may be of several sessions.
func (h *history) deadSessions(b *book) {
	type delivery struct {
		message string
		session int
	}
	lost := map[int]bool{}
	late := map[delivery]bool{}
	for i := range b.lines {
		e := event{b, &b.lines[i]}
		d := delivery{e.Message, e.Session}
		switch e.Event {
		case ledger.Lost:
			lost[e.Session] = e.Session != 0
		case ledger.AckSending, ledger.Requeuing, ledger.Rejecting:
			late[d] = lost[e.Session]
		case ledger.StaleAck, ledger.AckUnsure:
			delete(late, d)
		case ledger.AckSent, ledger.Requeued, ledger.Rejected:
			if late[d] {
				h.broken.like("a settlement was honoured for a session that was lost before it began", fmt.Sprintf("%s of message %s, %s", e.Event, e.Message, e.where()))
			}
		}
	}
}

// outOfNothing: a handler that began without a delivery, or ended without
// having begun, or a delivery that slots took more often than it had come. Each
// stands in one file, in the order of the program: a delivery is written down
// before a slot can take it.
func (h *history) outOfNothing(b *book) {
	came, taken, starts, ends := map[string]int{}, map[string]int{}, map[string]int{}, map[string]int{}
	for i := range b.lines {
		e := event{b, &b.lines[i]}
		id := cmp.Or(e.Message, e.Task)
		switch e.Event {
		case ledger.Received:
			came[id]++
		case ledger.Accepted:
			if taken[id]++; came[id] > 0 && taken[id] > came[id] {
				h.broken.like("a delivery was handed out more than once", e.where())
			}
		case ledger.Started:
			if starts[id]++; came[id]+taken[id] == 0 {
				h.broken.like("a handler began without a delivery", e.where())
			}
		case ledger.Finished:
			if ends[id]++; ends[id] > starts[id] {
				h.broken.like("a handler finished without having begun", e.where())
			}
		}
	}
}

// collapsedEarly: a task was not run because it had succeeded, and nobody had
// finished it by then. The line finished is written before the result is stored.
func (h *history) collapsedEarly(r *record) {
	for _, e := range r.collapsed {
		if h.whole && (r.finishes == 0 || r.finishedAt > e.Mono) {
			h.broken.like("a task was taken for one that has succeeded, and nobody had finished it", r.id+", "+e.where())
		}
	}
}

// altered: what was received is not what was sent.
func (h *history) altered(l *letter) {
	sent := map[string]bool{}
	for _, e := range l.attempts {
		if e.Hash == "" {
			return
		}
		sent[e.Hash] = true
	}
	for _, e := range l.received {
		if len(sent) > 0 && e.Hash != "" && !sent[e.Hash] {
			h.broken.like("a message was received with another content than it was sent with", fmt.Sprintf("%s, %s", l.id, e.where()))
		}
	}
}

// unmarked: of all deliveries of a message at most one is the first, whatever
// the order in which they were written down. Deliveries that were given back
// are left out. A broker that was broken on purpose may have forgotten its
// marks: those trials are not asked.
func (h *history) unmarked(l *letter) {
	var firsts []event
	for _, e := range l.received {
		if e.Seen == "first" {
			firsts = append(firsts, e)
		}
	}
	if len(firsts) < 2 {
		return
	}
	firsts = slices.DeleteFunc(firsts, func(e event) bool { return e.book.returned(e) })
	if len(firsts) > 1 {
		h.broken.like("a redelivery was not marked as one", fmt.Sprintf("%s, %s", l.id, firsts[1].where()))
	}
}

// returned tells whether the delivery that was received by e was given back
// before the message was received again in the same process.
func (b *book) returned(e event) bool {
	past := false
	for i := range b.lines {
		l := &b.lines[i]
		if !past || l.Message != e.Message {
			past = past || l == e.Line
			continue
		}
		switch l.Event {
		case ledger.Received:
			return false
		case ledger.GivenBack, ledger.Requeuing, ledger.Requeued:
			return true
		}
	}
	return false
}

// mismarked: a delivery is marked as a redelivery though nobody can have had
// the message before. That is certain only where one session of one consumer
// is all that ever consumed (see oneSession): any other may have been sent the
// message and gone without a line about it.
func (h *history) mismarked(l *letter) {
	if len(l.received) != 1 || l.received[0].Seen != "again" {
		return
	}
	h.broken.like("a first delivery was marked as a redelivery", fmt.Sprintf("%s, %s", l.id, l.received[0].where()))
}

// oneSession tells whether the whole trial consumed in one session, and nothing
// was done to anybody.
func (h *history) oneSession() bool {
	consuming, sessions := 0, 0
	for _, e := range h.events {
		switch e.Event {
		case ledger.Consuming:
			consuming++
		case ledger.Connected:
			sessions++
		case ledger.Lost, ledger.Dropped, ledger.GivenBack, ledger.FaultInjected:
			return false
		}
	}
	for _, b := range h.books {
		if b.proc.Killed || b.proc.Signal != 0 {
			return false
		}
	}
	return consuming == 1 && sessions <= 1
}
