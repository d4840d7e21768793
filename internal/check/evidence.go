package check

import (
	"maps"
	"slices"
	"strconv"

	"acklab/internal/ledger"
)

// evidence checks what must be shown for the trial to count: that there was
// work, that the broker was healthy before and after, that the faults happened.
func (h *history) evidence() {
	h.work()
	h.probes()
	h.faults()
	h.inHand()
	h.fateOfVictim()
}

// work checks that the trial did anything: tasks, or measures of the runner.
func (h *history) work() {
	for _, e := range h.events {
		if e.Event == ledger.Attempted || e.Event == ledger.Measured && e.book.runner() {
			return
		}
	}
	h.unsure.add("nothing was attempted and nothing measured")
}

// probes checks the health of the broker: a probe before the first fault and
// one after the last, and none that failed. A queue that lives in a process
// has no server to probe.
func (h *history) probes() {
	first, last := h.faultTimes()
	var before, after bool
	for _, e := range h.events {
		if !e.book.runner() {
			continue
		}
		switch {
		case e.Event == ledger.ProbeFailed:
			h.unsure.like("a health probe failed", e.Point+": "+e.Reason)
		case e.Event == ledger.ProbeOK && e.Point == "before" && (first == 0 || e.Mono <= first):
			before = true
		case e.Event == ledger.ProbeOK && e.Point == "after" && e.Mono >= last:
			after = true
		}
	}
	if h.trial.Expect.QueueDiesWith != "" {
		return
	}
	if !before {
		h.unsure.add("no probe showed a healthy broker before the fault")
	}
	if !after {
		h.unsure.add("no probe showed a healthy broker after the fault")
	}
}

// faultTimes are the moments of the first and the last thing that was done to
// the trial: injected, healed, or the end of a process that was killed.
func (h *history) faultTimes() (first, last int64) {
	at := func(mono int64) {
		if mono == 0 {
			return
		}
		if first == 0 || mono < first {
			first = mono
		}
		last = max(last, mono)
	}
	for _, e := range h.events {
		if e.book.runner() && (e.Event == ledger.FaultInjected || e.Event == ledger.FaultHealed) {
			at(e.Mono)
		}
	}
	for _, b := range h.books {
		if b.proc.Killed {
			at(b.proc.End)
		}
	}
	return first, last
}

// faults checks that each fault was verified to have happened, and that a
// control had none.
func (h *history) faults() {
	injected := map[string]bool{}
	for _, e := range h.events {
		if e.Event == ledger.FaultInjected && e.book.runner() {
			injected[e.Fault] = true
		}
	}
	for _, f := range h.trial.Expect.Faults {
		if !injected[f] {
			h.unsure.add("nothing shows that the fault %s happened", f)
		}
	}
	if h.trial.Expect.BrokerFault && len(h.trial.Expect.Faults) == 0 {
		h.unsure.add("a fault of the broker is expected, but the manifest names none")
	}
	if !h.trial.Control {
		return
	}
	for _, f := range slices.Sorted(maps.Keys(injected)) {
		h.unsure.add("the control had a fault: %s", f)
	}
	for _, b := range h.books {
		if b.proc.Killed {
			h.unsure.add("the control had a fault: %s was killed", b.proc.Name)
		}
	}
}

// injected tells whether any fault was done, by the runner's own word.
func (h *history) injected() bool {
	for _, e := range h.events {
		if e.Event == ledger.FaultInjected && e.book.runner() {
			return true
		}
	}
	return false
}

// inHand checks that the first fault met deliveries that were with the workers.
func (h *history) inHand() {
	want := h.trial.Expect.InHand
	begun, ok := h.firstFaultBegan()
	if want == 0 || !ok {
		return
	}
	type delivery struct {
		book    *book
		message string
	}
	hands := map[delivery]bool{}
	for _, e := range h.events {
		if e.Mono >= begun {
			break
		}
		d := delivery{e.book, e.Message}
		switch e.Event {
		case ledger.Received:
			hands[d] = true
		case ledger.AckSent, ledger.AckUnsure, ledger.StaleAck, ledger.Requeued, ledger.Rejected, ledger.Dropped, ledger.GivenBack:
			delete(hands, d)
		}
	}
	if len(hands) < want {
		h.unsure.add("the fault met %d deliveries in the hands of workers, and the cell is about %d or more", len(hands), want)
	}
}

// firstFaultBegan is when the runner began its first fault.
func (h *history) firstFaultBegan() (int64, bool) {
	for _, e := range h.events {
		if e.book.runner() && e.Event == ledger.FaultInjected {
			if at, err := strconv.ParseInt(e.Detail["start_ns"], 10, 64); err == nil {
				return at, true
			}
			return e.Mono, true
		}
	}
	return 0, false
}
