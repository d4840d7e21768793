package check

import (
	"strconv"

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
		if h.took[b] != nil && h.took[b] != r || !h.endedByExperiment(b) || !b.couldTake(l) || !h.nextAt(l, b) {
			continue
		}
		h.took[b] = r
		return true
	}
	return false
}

// endedByExperiment tells whether the process was killed, or was told to stop by
// a fault of the runner's. A worker that just ends with its trial, when the queue
// was seen empty, explains nothing.
func (h *history) endedByExperiment(b *book) bool {
	if b.killed() {
		return true
	}
	for _, e := range h.events {
		if e.book.runner() && e.Event == ledger.FaultInjected && b.proc.Pid > 0 && e.Detail["pid"] == strconv.Itoa(b.proc.Pid) {
			return true
		}
	}
	return false
}

// couldTake tells whether the process is a worker that can have taken the message: it
// had subscribed, and it lived when the message was published.
func (b *book) couldTake(l *letter) bool {
	if b.proc.End <= l.attempts[0].Mono {
		return false
	}
	for _, line := range b.lines {
		if line.Event == ledger.Consuming || line.Event == ledger.Received {
			return true
		}
	}
	return false
}

// nextAt tells whether the message was the next in its queue when the worker
// ended. The worker takes one after the other, so it received none that was
// published behind it. Whatever was published before it was taken before it, so
// nobody received such a one for the first time after the worker's end, but for
// the one that another worker may just have been taking.
func (h *history) nextAt(l *letter, b *book) bool {
	taking := map[*book]bool{}
	for _, other := range h.letters {
		if len(other.received) == 0 || other == l {
			continue
		}
		first := other.received[0]
		if other.behind(l) {
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
