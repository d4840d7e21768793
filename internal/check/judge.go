package check

import (
	"fmt"

	"acklab/internal/ledger"
)

// Judge says what became of every task of a trial and whether the trial
// counts. The files are by the name that the manifest has for them; one that
// is not there counts as a ledger that is missing. It never fails: whatever is
// wrong with the evidence is a reason in Result.Unsure. It is pure and safe
// for concurrent use.
func Judge(t ledger.Trial, files map[string]ledger.File) Result {
	h := newHistory(t, files)
	h.read()
	h.publishers()
	h.takeCensus()
	h.evidence()
	h.lies()

	res := Result{Counts: newCounts()}
	for _, r := range h.order {
		if r.status() == unattempted && !r.planned && !r.seen {
			continue // an outcome without an attempt: noted by publishers
		}
		f := h.fate(r)
		res.Fates = append(res.Fates, f)
		res.Counts.add(f, r)
	}
	res.Measures = h.measure(res.Fates)
	h.heldEnough(res.Measures)
	if n := res.Counts["unaccounted"]; n > 0 {
		h.unsure.add("%d tasks are unaccounted for", n)
	}
	for _, wrong := range res.Counts.sums() {
		h.unsure.add("the checker's own sums do not hold: %s", wrong)
	}
	res.Unsure = h.unsure.sentences()
	res.Broken = h.broken.sentences()
	return res
}

// add counts one task.
func (c Counts) add(f Fate, r *record) {
	if st := r.status(); st != unattempted {
		c["attempted"]++
		c[map[status]string{confirmed: "confirmed", unsure: "unsure", refused: "refused"}[st]]++
	}
	if f.Class != Unexpected {
		c["planned"]++
	}
	if f.Class != Refused { // the count of that name is of all that were refused
		c[string(f.Class)]++
	}
	switch f.Cause {
	case AfterAck:
		c["lost_after_ack"]++
	case InBroker:
		c["lost_in_broker"]++
	case WhileTaken:
		c["lost_while_taken"]++
	case Unexplained:
		c["lost_unexplained"]++
	}
	for name, yes := range map[string]bool{
		"repeated": f.Finishes > 1, "restarted": f.Restarted, "redelivered": f.Redelivered,
		"copied": f.Copied, "result_lost": f.ResultLost, "called_off": f.CalledOff, "collapsed": f.Collapsed,
	} {
		if yes {
			c[name]++
		}
	}
	c["leftover"] += f.Leftover
}

// sums says which of the sums of Names do not hold.
func (c Counts) sums() []string {
	var wrong []string
	check := func(sum string, parts ...string) {
		n := 0
		for _, p := range parts {
			n += c[p]
		}
		if c[sum] != n {
			wrong = append(wrong, fmt.Sprintf("%s is %d, its parts are %d", sum, c[sum], n))
		}
	}
	check("planned", "attempted", "never_sent")
	check("attempted", "confirmed", "unsure", "refused")
	check("confirmed", "finished", "failed", "dead", "expired", "revoked", "stranded", "lost", "unaccounted")
	for _, sum := range []string{"lost", "unsure"} {
		check(sum, parts[sum]...)
	}
	return wrong
}
