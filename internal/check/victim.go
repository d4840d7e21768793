package check

import "acklab/internal/ledger"

// victim is the process that the trial expects to die by signal 9, and what it
// held at that moment, by its own ledger.
type victim struct {
	book *book
	// death is when it died. One that killed itself at a checkpoint wrote
	// the moment as its last line. Of one that was killed from outside only
	// the reaping is known, which the parent does at once; the time of the
	// fault-injected line is later still, since the runner first makes sure.
	death int64
	// at is the task of its checkpoint: running, wherever it was.
	at    string
	hands map[string]*hand // by message id
	tasks map[string]bool  // it ever received or accepted
}

// hand is the latest delivery of one message in the hands of the victim.
type hand struct {
	accepted bool // a slot took it
	gone     bool // back with the broker before a slot took it, or settled by giving it back
	settled  bool // an acknowledgement was handed over, or came too late
	stale    bool // it came too late
	started  bool
	ended    bool // the handler is over, and its retry, if it asked for one, is published
	owes     bool // the handler asked for a retry that is not yet published
}

// over tells whether the slot was done with the delivery: settled and, if it
// was to run, run.
func (d *hand) over() bool {
	return d.gone || d.settled && (d.ended || d.stale && !d.started)
}

// fateOfVictim checks that the victim died as expected, and where, and with
// what in its hands.
func (h *history) fateOfVictim() {
	expect := h.trial.Expect
	if expect.Victim == "" {
		if expect.Checkpoint != "" || expect.Running+expect.Prefetched+expect.Waiting > 0 {
			h.unsure.add("the manifest expects a victim's state but names no victim")
		}
		return
	}
	b := h.book(expect.Victim)
	if b == nil {
		h.unsure.add("the victim %s is not in the manifest", expect.Victim)
		return
	}
	switch {
	case b.runner():
		h.unsure.add("the victim %s is the runner", expect.Victim)
	case b.proc.Signal != 9:
		h.unsure.add("the victim %s was not ended by signal 9 (signal %d, exit status %d)", expect.Victim, b.proc.Signal, b.proc.Code)
	case !b.proc.Killed:
		h.unsure.add("the victim %s died, and nobody meant it to", expect.Victim)
	}
	h.lastWords(b)
	h.victim = newVictim(h, b)
}

// lastWords checks the last line of the victim: its checkpoint, or, when none
// is expected, at least not a polite end.
func (h *history) lastWords(b *book) {
	want := h.trial.Expect.Checkpoint
	var last ledger.Line
	if len(b.lines) > 0 {
		last = b.lines[len(b.lines)-1]
	}
	switch {
	case last.Event == ledger.Closed:
		h.unsure.add("the victim %s had ended its work before it was killed", b.proc.Name)
	case want == "":
	case last.Event != ledger.Checkpoint:
		h.unsure.add("the last line of the victim %s is not the checkpoint %s but %q", b.proc.Name, want, last.Event)
	case last.Point != want:
		h.unsure.add("the last line of the victim %s is not the checkpoint %s but %s", b.proc.Name, want, last.Point)
	case b.torn:
		h.unsure.add("the checkpoint %s is not the last word of the victim %s: a torn line follows", want, b.proc.Name)
	case !h.trial.Expect.AckRaces && !b.vouched(last, h.trial.Expect.LeaseBound):
		h.unsure.add("the victim %s died at the checkpoint %s, but nothing shows that its acknowledgement had been processed by then", b.proc.Name, want)
	}
}

// racing are the checkpoints between handing an acknowledgement over and its
// having been processed.
var racing = map[string]bool{"ack-sent": true, "late-ack-sent": true}

// vouched tells whether the acknowledgement of the checkpoint's own message, if
// it had been handed over, is covered by an acked line. At the checkpoints that
// are no races it must be: otherwise they are one. Of what was given up as unsure
// no later acked line says anything. Where deliveries end with their session
// another delivery's acknowledgement is no matter: the message came again. Where
// they outlive it that one may still be on its way. (A checkpoint without a session
// does not tell which delivery it was.)
func (b *book) vouched(at ledger.Line, outlive bool) bool {
	if racing[at.Point] || at.Message == "" {
		return true
	}
	var sent int64 // 0: none waits for a word
	var unsure bool
	for _, l := range b.lines {
		own := l.Message == at.Message && (outlive || at.Session == 0 || l.Session == at.Session)
		switch {
		case own && l.Event == ledger.AckSent:
			sent, unsure = l.Seq, false
		case own && l.Event == ledger.AckUnsure:
			sent, unsure = 0, true
		case sent == 0 || l.Upto < sent:
		case l.Event == ledger.Acked:
			sent = 0
		case l.Event == ledger.AckUnsure:
			sent, unsure = 0, true
		}
	}
	return sent == 0 && !unsure
}

func newVictim(h *history, b *book) *victim {
	v := &victim{book: b, death: b.proc.End, hands: map[string]*hand{}, tasks: map[string]bool{}}
	if n := len(b.lines); n > 0 {
		last := b.lines[n-1]
		if last.Event == ledger.Checkpoint {
			v.death, v.at = last.Mono, last.Task
		} else if v.death == 0 {
			v.death = last.Mono
		}
	}
	for i := range b.lines {
		e := event{b, &b.lines[i]}
		if roles[e.Event] == witnessing {
			v.handle(h, e)
		}
		if e.Event == ledger.Confirmed || e.Event == ledger.Unsure || e.Event == ledger.Refused {
			v.published(h, e)
		}
	}
	return v
}

// handle follows one delivery through the victim.
func (v *victim) handle(h *history, e event) {
	r, l := h.find(e)
	if l == nil {
		return
	}
	d := v.hands[l.id]
	if d == nil || e.Event == ledger.Received {
		d = &hand{}
		v.hands[l.id] = d
		v.tasks[r.id] = true
	}
	switch e.Event {
	case ledger.Accepted:
		d.accepted = true
	case ledger.Dropped, ledger.GivenBack, ledger.Requeued, ledger.Rejected:
		d.gone = true
	case ledger.AckSent, ledger.AckUnsure:
		d.settled = true
	case ledger.StaleAck:
		d.settled, d.stale = true, true
	case ledger.Started:
		d.accepted, d.started = true, true
	case ledger.Failed:
		d.ended, d.owes = e.Final, !e.Final
	case ledger.Finished, ledger.Interrupted, ledger.Postponed, ledger.Expired, ledger.Revoked, ledger.Collapsed:
		d.ended = true
	}
}

// published ends what waited for the outcome of its retry.
func (v *victim) published(h *history, e event) {
	r, _ := h.find(e)
	if r == nil {
		return
	}
	for _, l := range r.letters {
		if d := v.hands[l.id]; d != nil && d.owes {
			d.owes, d.ended = false, true
		}
	}
}

// condition is what the task was for the victim when it died.
//
// Running: the victim died at a checkpoint of it, or a slot had taken it and
// was not done (see hand.over). Prefetched: received, and neither taken by a
// slot nor back with the broker. Waiting: confirmed before the death, never
// received by the victim, and not over; a survivor may be at work on it by
// then, since in a crash at a checkpoint nobody stops the others. Everything
// else is none of them: what the victim had done with, or had given back.
func (v *victim) condition(r *record) Condition {
	if v.at != "" && v.at == r.id {
		return Running
	}
	best := Untouched
	for _, l := range r.letters {
		d := v.hands[l.id]
		switch {
		case d == nil || d.over():
		case d.accepted:
			return Running
		default:
			best = Prefetched
		}
	}
	if best == Prefetched || v.tasks[r.id] {
		return best
	}
	if r.confirmedAt != 0 && r.confirmedAt < v.death && (r.over == 0 || r.over >= v.death) {
		return Waiting
	}
	return Untouched
}

// backAfter is how long after the death another process received what the
// victim had held, in seconds; -1: it did not, or the victim did not hold it. A
// redelivery that comes before a death from outside was reaped counts as 0.
func (v *victim) backAfter(r *record, c Condition) float64 {
	if c != Running && c != Prefetched {
		return -1
	}
	later := r.received
	since := v.death
	for i, e := range r.received {
		if e.book == v.book { // what others received before that is no consequence of the death
			later, since = r.received[i+1:], e.Mono
		}
	}
	for _, e := range later {
		if e.Mono >= since && v.hands[e.Message] != nil { // a retry that others received does not bring back what failed
			return max(0, float64(e.Mono-v.death)/1e9)
		}
	}
	return -1
}
