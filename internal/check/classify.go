package check

// classify gives the task the first class that applies.
func (h *history) classify(r *record) (Class, Cause) {
	switch r.status() {
	case confirmed:
		return h.classifyConfirmed(r)
	case unsure:
		if r.seen {
			return Recovered, ""
		}
		return Absent, ""
	case refused:
		if r.seen {
			return Phantom, ""
		}
		return Refused, ""
	}
	if r.planned {
		return NeverSent, ""
	}
	return Unexpected, ""
}

// classifyConfirmed: every class has evidence of its own, and lost is never
// what remains. A rejected line is no evidence that the task is dead: the
// census finds it in the dead letters, or it is not there.
func (h *history) classifyConfirmed(r *record) (Class, Cause) {
	switch {
	case r.finishes > 0:
		return Finished, ""
	case r.failed:
		return Failed, ""
	case r.heldDead > 0:
		return Dead, ""
	case r.expired:
		return Expired, ""
	case r.revoked:
		return Revoked, ""
	case r.heldAlive > 0:
		return Stranded, ""
	case h.counted && h.whole:
		return Lost, h.cause(r)
	default:
		return Unaccounted, ""
	}
}

// cause says where a lost task was lost.
//
// Every message of it that the broker had must have gone somewhere. If each
// one may have been acknowledged (the line before the acknowledgement is
// enough, unless it was refused as stale), the worker told the broker to forget
// the task. If one was not, the broker lost it: excused where the broker itself
// was broken on purpose, or was part of a process that died, laid to a worker
// that takes in two steps where everything fits (see whileTaken), and unexplained
// otherwise. The acknowledgement of a message whose retry then vanishes
// therefore explains nothing; nor does a rejection, which is a move and not a
// permission to forget.
func (h *history) cause(r *record) Cause {
	switch {
	case len(r.missing()) == 0:
		return AfterAck
	case h.brokerFault(), h.queueDied():
		return InBroker
	case h.whileTaken(r):
		return WhileTaken
	default:
		return Unexplained
	}
}

// missing are the messages that the broker had and was not told to forget, as
// often as it had confirmed them: each confirm is of a copy of its own.
func (r *record) missing() (missing []*letter) {
	for _, l := range r.letters {
		if stored := l.status() == confirmed || len(l.received) > 0; stored && l.acks < max(1, l.confirms()) {
			missing = append(missing, l)
		}
	}
	return missing
}

func (h *history) brokerFault() bool { return h.trial.Expect.BrokerFault && h.injected() }

// queueDied tells whether the queue was part of a process that was killed.
func (h *history) queueDied() bool {
	b := h.book(h.trial.Expect.QueueDiesWith)
	return h.trial.Expect.QueueDiesWith != "" && b != nil && b.killed()
}

// ended tells whether nothing more is to be done for the task.
func (r *record) ended() bool {
	return r.finishes > 0 || r.failed || r.heldDead > 0 || r.expired || r.revoked
}

// redelivered: one message was received more than once, by whomever, also when
// it had been dropped or given back in between.
func (r *record) redelivered() bool {
	for _, l := range r.letters {
		if len(l.received) > 1 {
			return true
		}
	}
	return false
}

// copied: several messages that certainly existed have the same retry number,
// and none of them took the place of another; or one, by its id, was confirmed
// more than once.
func (r *record) copied() bool {
	seen := map[int]bool{}
	for _, l := range r.letters {
		if l.status() != confirmed && len(l.received) == 0 && !l.held || l.put && !l.held {
			continue
		}
		if seen[l.retries] || l.confirms() > 1 {
			return true
		}
		seen[l.retries] = true
	}
	return false
}

// confirms is how often a broker has said that it has the message.
func (l *letter) confirms() (n int) {
	for _, p := range l.publish {
		n += p.confirmed
	}
	return n
}

// refusals is how often an attempt of it was certainly not stored.
func (l *letter) refusals() (n int) {
	for _, p := range l.publish {
		n += p.refused
	}
	return n
}

// restarted: one try began more than once. A retry is another try.
func (r *record) restarted() bool {
	for _, starts := range r.began {
		if len(starts) > 1 {
			return true
		}
	}
	return false
}

// fate is the whole judgement of one task.
func (h *history) fate(r *record) Fate {
	f := Fate{
		Task: r.id, Starts: r.starts, Finishes: r.finishes, ResultLost: r.resultLost,
		Tries: len(r.began), Restarted: r.restarted(), Redelivered: r.redelivered(), Copied: r.copied(), BackAfter: -1,
	}
	for _, l := range r.letters {
		f.Messages = append(f.Messages, l.id)
	}
	f.Class, f.Cause = h.classify(r)
	f.CalledOff, f.Collapsed = f.Class == NeverSent && len(r.calledOff) > 0, len(r.collapsed) > 0
	if r.ended() {
		f.Leftover = r.heldAlive
	}
	if h.victim != nil {
		f.Condition = h.victim.condition(r)
		f.BackAfter = h.victim.backAfter(r, f.Condition)
	}
	return f
}
