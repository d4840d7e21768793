package check

import (
	"fmt"
	"slices"

	"acklab/internal/ledger"
)

// count is the census of one queue as the ledger tells it.
type count struct {
	opened, closed []event
	held           []event
	depth          *event // the last one before the census
	wrong          string // lines in an order that cannot be
}

// takeCensus reads the census of every queue, enters what the broker still
// holds, and decides whether an absence from it proves anything.
//
// A census proves an absence when there is exactly one for the queue, complete
// by its own word, with as many messages as it says and as the broker's own
// depth said just before, each message once, and opened after the end of every
// process that could have published to the queue or consumed from it.
//
// Where the queue itself dies with a process (Expect.QueueDiesWith), a kill of
// that process is the census, complete and empty. If the process ends by
// itself, the census is in its own ledger; a depth need not precede it, since
// both would be read from the same memory.
func (h *history) takeCensus() {
	taker := h.censusTaker()
	if taker == nil {
		return
	}
	if taker.proc.Name == h.trial.Expect.QueueDiesWith && taker.killed() {
		h.counted = taker.proc.End != 0
		return
	}
	counts, names := h.counts(taker)
	h.counted = len(h.trial.Queues) > 0
	if !h.counted {
		h.unsure.add("the manifest names no queue, so no census is complete")
	}
	for _, queue := range names {
		if why := h.incomplete(taker, counts[queue]); why != "" {
			h.counted = false
			h.unsure.add("the census of %s %s", queue, why)
		}
	}
	h.unheard(names)
	if taker.runner() {
		return
	}
	h.quietAfter(taker, counts)
}

// censusTaker is the book with the census in it.
func (h *history) censusTaker() *book {
	name := h.trial.Expect.QueueDiesWith
	if name == "" {
		if len(h.books) == 0 {
			return nil
		}
		return h.books[0]
	}
	b := h.book(name)
	if b == nil {
		h.unsure.add("the process %s, with which the queue dies, is not in the manifest", name)
	}
	return b
}

// counts reads the census lines of the book, and enters each message held.
// The names are the manifest's queues and then any others that were counted.
func (h *history) counts(taker *book) (map[string]*count, []string) {
	counts, names := map[string]*count{}, slices.Clone(h.trial.Queues)
	for _, q := range names {
		counts[q] = &count{}
	}
	for i := range taker.lines {
		e := event{taker, &taker.lines[i]}
		switch e.Event {
		case ledger.CensusOpened, ledger.Held, ledger.CensusClosed, ledger.DepthSeen:
		default:
			continue
		}
		c := counts[e.Queue]
		if c == nil {
			c = &count{}
			counts[e.Queue] = c
			if e.Event != ledger.DepthSeen {
				names = append(names, e.Queue)
			}
		}
		c.enter(e)
		if e.Event == ledger.Held {
			h.hold(e)
		}
	}
	return counts, names
}

func (c *count) enter(e event) {
	switch e.Event {
	case ledger.DepthSeen:
		if len(c.opened) == 0 {
			c.depth = &e
		}
	case ledger.CensusOpened:
		c.opened = append(c.opened, e)
	case ledger.Held:
		c.held = append(c.held, e)
		if len(c.opened) == 0 || len(c.closed) > 0 {
			c.wrong = "has a message outside of its opening and closing, " + e.where()
		}
	case ledger.CensusClosed:
		c.closed = append(c.closed, e)
		if len(c.opened) == 0 {
			c.wrong = "was closed before it was opened"
		}
	}
}

// hold enters one message that the broker still holds.
func (h *history) hold(e event) {
	r, l := h.find(e)
	if r == nil {
		h.unsure.like("a line names neither task nor message", "held, "+e.where())
		return
	}
	r.seen = true
	if l != nil {
		l.held, l.waits = true, l.waits || e.State == "queued"
	}
	if e.State == "dead" {
		r.heldDead++
	} else {
		r.heldAlive++
	}
}

// incomplete says why the census proves no absence; "" if it does.
func (h *history) incomplete(taker *book, c *count) string {
	switch {
	case len(c.opened) == 0:
		return "is missing"
	case len(c.opened) > 1:
		return fmt.Sprintf("was taken %d times", len(c.opened))
	case len(c.closed) == 0:
		return "was never closed"
	case len(c.closed) > 1:
		return fmt.Sprintf("was closed %d times", len(c.closed))
	case c.wrong != "":
		return c.wrong
	case c.closed[0].Reason != "":
		return "is incomplete: " + c.closed[0].Reason
	case c.closed[0].N != len(c.held):
		return fmt.Sprintf("says %d messages and lists %d", c.closed[0].N, len(c.held))
	case c.depth == nil && taker.runner():
		return "has no depth to compare with"
	case c.depth != nil && c.depth.N != len(c.held):
		return fmt.Sprintf("lists %d messages, but the broker's depth was %d", len(c.held), c.depth.N)
	}
	if m := h.twice(c.held); m != "" {
		return "lists message " + m + " twice"
	}
	return h.tooEarly(taker, c.opened[0])
}

// twice finds a message that is listed more often than it can have been stored:
// once for each attempt that was not refused.
func (h *history) twice(held []event) string {
	seen := map[string]int{}
	for _, e := range held {
		published := 1
		if l := h.letters[e.Message]; l != nil {
			published = max(1, len(l.attempts)-l.refusals())
		}
		if seen[e.Message]++; seen[e.Message] > published {
			return e.Message
		}
	}
	return ""
}

// tooEarly says which process could still have changed the queue when its
// census was opened.
func (h *history) tooEarly(taker *book, opened event) string {
	for _, b := range h.books {
		if b == taker || b.runner() {
			continue
		}
		if b.proc.End == 0 || b.proc.End > opened.Mono {
			return "was opened before " + b.proc.Name + " had ended"
		}
	}
	return ""
}

// quietAfter checks a census that a process took of its own queue: nothing may
// have moved in it afterwards.
func (h *history) quietAfter(taker *book, counts map[string]*count) {
	var opened int64
	for _, c := range counts {
		if len(c.opened) > 0 && (opened == 0 || c.opened[0].Seq < opened) {
			opened = c.opened[0].Seq
		}
	}
	for _, l := range taker.lines {
		if _, moved := roles[l.Event]; moved && opened > 0 && l.Seq > opened {
			h.counted = false
			h.unsure.add("the queue still moved after its census was opened: %s, line %d of %s", l.Event, l.Seq, taker.proc.Name)
			return
		}
	}
}

// unheard looks for queues that may hold something and that nobody counted.
func (h *history) unheard(counted []string) {
	for _, r := range h.order {
		for _, l := range r.letters {
			for _, e := range l.attempts {
				if e.Queue == "" || slices.Contains(counted, e.Queue) || l.status() == refused {
					continue
				}
				h.counted = false
				h.unsure.like("a queue that was published to has no census", e.Queue+", "+e.where())
			}
		}
	}
}
