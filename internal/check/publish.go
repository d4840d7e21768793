package check

// status is what is known of a publish, the best of several counting most.
type status int

const (
	unattempted status = iota
	refused
	unsure
	confirmed
)

// status of a task is that of its best message.
func (r *record) status() status {
	best := unattempted
	for _, l := range r.letters {
		best = max(best, l.status())
	}
	if best == unattempted && r.attempted {
		return unsure // attempted by a line that names no message
	}
	return best
}

// status of a message is the best that any of its publishers had.
func (l *letter) status() status {
	best := unattempted
	for _, p := range l.publish {
		best = max(best, p.status())
	}
	return best
}

// status of one publisher's attempts of one message. An attempt without an
// outcome is unsure: the publisher died, or its ledger broke, in between. An
// outcome without an attempt is no evidence of anything; it is noted where it
// is counted.
func (p *publishing) status() status {
	outcomes := p.confirmed + p.unsure + p.refused
	switch {
	case p.attempted == 0:
		return unattempted
	case p.confirmed+p.duplicates > 0: // the broker has it, by its own word
		return confirmed
	case p.unsure > 0 || outcomes < p.attempted:
		return unsure
	default:
		return refused
	}
}

// publishers notes publishes whose lines cannot be true: intent is written
// before the fact, once each.
func (h *history) publishers() {
	for _, r := range h.order {
		for _, l := range r.letters {
			for _, b := range h.books {
				if p := l.publish[b]; p != nil && p.confirmed+p.unsure+p.refused > p.attempted {
					h.unsure.like("a publish has more outcomes than attempts", l.id+" by "+b.proc.Name)
				}
			}
		}
		if r.planned && !r.attempted && r.seen {
			h.unsure.like("a planned task was seen, but nobody attempted it", r.id)
		}
	}
}
