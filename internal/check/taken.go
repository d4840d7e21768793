package check

import (
	"strconv"
	"time"

	"acklab/internal/ledger"
)

// whileTaken tells whether the loss of the task is explained by a worker that
// takes in two steps (see ledger.Expect) and ended between them. It needs the
// whole of the evidence: exactly one message of the task is missing, nobody has
// ever received it, the experiment ended a worker of the queue after it was
// published, the message was the next in its queue at that moment, and no other
// loss is laid to the same worker.
func (h *history) whileTaken(r *record) bool {
	missing := r.missing()
	if !h.trial.Expect.TakenInTwoSteps || len(missing) != 1 {
		return false
	}
	l := missing[0]
	if len(l.received) > 0 || len(l.attempts) != 1 {
		return false
	}
	for _, b := range h.books {
		began, ended := h.endedByExperiment(b)
		if h.took[b] != nil && h.took[b] != r || !ended || !b.couldTake(l) || !h.nextAt(l, b, began) {
			continue
		}
		h.took[b] = r
		return true
	}
	return false
}

// endedByExperiment tells whether the process was killed, or was told to stop by
// a fault of the runner's, and when its end began. A worker that just ends with its
// trial, when the queue was seen empty, explains nothing.
func (h *history) endedByExperiment(b *book) (began int64, ended bool) {
	for _, e := range h.events {
		if e.book.runner() && e.Event == ledger.FaultInjected && b.proc.Pid > 0 && e.Detail["pid"] == strconv.Itoa(b.proc.Pid) {
			began = e.Mono
			if at, err := strconv.ParseInt(e.Detail["start_ns"], 10, 64); err == nil {
				began = at
			}
			return min(began, b.proc.End), true
		}
	}
	return b.proc.End, b.killed()
}

// couldTake tells whether the process is a worker that can have taken the message: it
// had subscribed, to its queue as far as what it received tells, and it lived when the
// message was published.
func (b *book) couldTake(l *letter) bool {
	if b.proc.End <= l.attempts[0].Mono {
		return false
	}
	subscribed, elsewhere := false, false
	for _, line := range b.lines {
		switch {
		case line.Event == ledger.Consuming:
			subscribed = true
		case line.Event == ledger.Received && line.Queue == l.attempts[0].Queue:
			return true
		case line.Event == ledger.Received:
			elsewhere = true
		}
	}
	return subscribed && !elsewhere
}

// takenWithin is how long the answer to a worker that takes a message may wait in
// its socket until the worker writes down that it has it.
const takenWithin = int64(time.Second)

// nextAt tells whether the message was the next in its queue when the end of the
// worker began. The worker takes one after the other, so it received none that was
// published behind it, and if anybody else did, a while before, then somebody had
// taken the message by then. Whatever was published before it was taken before it,
// so the queue does not hold such a one any more, and nobody received one for the
// first time after the worker's end, but for the one that another worker may just
// have been taking.
func (h *history) nextAt(l *letter, b *book, began int64) bool {
	taking := map[*book]bool{}
	for _, other := range h.letters {
		if other == l {
			continue
		}
		if len(other.received) == 0 {
			if other.waits && l.behind(other) {
				return false
			}
			continue
		}
		first := other.received[0]
		if other.behind(l) {
			if first.Mono < began-takenWithin {
				return false
			}
			for _, e := range other.received {
				if e.book == b {
					return false
				}
			}
		}
		if !l.behind(other) || first.Mono <= b.proc.End {
			continue
		}
		if first.book.proc.Start > b.proc.End || taking[first.book] {
			return false
		}
		taking[first.book] = true
	}
	return true
}

// behind tells whether the message is certainly behind the other in a queue: the
// same publisher sent it later, to the same one.
func (l *letter) behind(other *letter) bool {
	if len(l.attempts) != 1 || len(other.attempts) != 1 {
		return false
	}
	mine, its := l.attempts[0], other.attempts[0]
	return mine.book == its.book && mine.Queue == its.Queue && mine.Seq > its.Seq && mine.ETA == 0 && its.ETA == 0
}
