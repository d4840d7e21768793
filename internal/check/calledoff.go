package check

import "acklab/internal/ledger"

// fall enters what keeps a task from success, or its chord from knowing of it.
func (r *record) fall(e event) {
	if r.fell == 0 && falls(e) {
		r.fell = e.Mono
	}
}

// falls tells whether what follows the task of the line may be called off from
// here on. Of a task that has finished, a value that is no JSON is a FAILURE, and
// one that the store does not take ends its chord.
func falls(e event) bool {
	switch e.Event {
	case ledger.Failed:
		return e.Final
	case ledger.Rejecting, ledger.Expired, ledger.Revoked, ledger.JoinLost, ledger.ResultLost:
		return true
	case ledger.Refused:
		return e.Detail[ledger.DetailDuplicate] == ""
	case ledger.ResultStored, ledger.ResultKept:
		return e.State == "FAILURE" || e.State == "REVOKED"
	}
	return false
}

// calledOffForNothing: a task is called off only after another of its workflow has
// fallen, and whoever calls it off has written that down before. What was planned
// by nobody, as what follows an errback, may be of any workflow.
func (h *history) calledOffForNothing() {
	const whichever = ""
	first := map[string]int64{}
	for _, r := range h.order {
		for _, workflow := range []string{r.workflow, whichever} {
			if old := first[workflow]; r.fell != 0 && (old == 0 || r.fell < old) {
				first[workflow] = r.fell
			}
		}
	}
	for _, r := range h.order {
		for _, e := range r.calledOff {
			if fell := first[r.workflow]; h.whole && (fell == 0 || fell > e.Mono) {
				h.broken.like("a task was called off, and no task of its workflow had failed", r.id+", "+e.where())
			}
		}
	}
}
