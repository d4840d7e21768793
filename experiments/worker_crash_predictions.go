package experiments

import (
	"maps"
	"time"

	"acklab/broker"
	"acklab/internal/check"
	"acklab/internal/ledger"
)

// leased sets what a system with a lease needs: either the trial waits for it,
// or, in the suites that do not, what the dead worker held is stranded.
func leased(c *Cell, sys System, suite Suite) {
	traits := sys.Traits()
	if traits.Returns != broker.OnLease {
		return
	}
	if suite == Flagship || suite == Full {
		c.Setting["wait"] = "lease"
		if c.Pace != Beside {
			c.Pace, c.Settle = Waiting, traits.ReturnMax+30*time.Second
			return
		}
		// A race is about what the broker had processed when the worker
		// died, which the census shows without the wait.
	}
	c.Setting["wait"] = "none"
	c.Stranding = true
}

// waits is leased for a trial that nobody times: it waits for the lease beside
// the others that wait, or for none beside all others.
func (c *Cell) waits(suite Suite) {
	c.Pace = Waiting
	leased(c, c.System, suite)
	if c.Settle == 0 {
		c.Pace = Beside
	}
}

func crashEvidence(sys System, at string) ledger.Expect {
	e := ledger.Expect{Victim: "victim", Checkpoint: at, Running: 1, Prefetched: crashPrefetched, Waiting: crashLoad - crashHeld - 1}
	if at == "before-fetch" {
		e.Running, e.Prefetched, e.Waiting = 0, 0, crashLoad
	}
	if sys.Kind == NoServer {
		e.QueueDiesWith = "victim"
	}
	return e
}

// acknowledged tells whether the broker had been told to forget the running
// task when the worker died at the point: no, yes, or a race.
func acknowledged(ack, at string) (yes, race bool) {
	switch {
	case isRace(at):
		return false, true
	case ack == "early":
		return at != "before-fetch" && at != "fetched", false
	default:
		return at == "late-acked", false
	}
}

// predictCrash bounds a cell of a real broker from what is acknowledged, begun
// and finished at the moment of the crash.
func predictCrash(ack, at string, stranding bool) (check.Bounds, string, map[string]string) {
	if at == "before-fetch" {
		return check.Bounds{"prefetched_lost": {0, 0}, "waiting_lost": {0, 0}},
			"the worker had asked for nothing: the broker has it all, and gives it to the next one", nil
	}
	gone, race := acknowledged(ack, at)
	begun := at != "fetched" && at != "ack-sent" && at != "acked"
	done := at == "finished" || at == "result-stored" || at == "late-ack-sent" || at == "late-acked"

	b := check.Bounds{"prefetched_lost": {0, 0}, "waiting_lost": {0, 0}}
	reasons := map[string]string{}
	back := [2]int{crashPrefetched, crashPrefetched} // prefetched tasks come back
	if gone || race {
		back[1]++
		reasons["redelivered"] = "an acknowledgement opens the prefetch window by one: whether the next task had arrived before the crash is a race"
		reasons["stranded"] = reasons["redelivered"]
	}
	var own [2]int // does the running one come back?
	because := ""
	switch {
	case race:
		own = [2]int{0, 1}
		because = "handed to the client library is not processed by the broker: the task comes back or it does not"
	case gone:
		because = "the broker had processed the acknowledgement: it has forgotten the task"
	default:
		own = [2]int{1, 1}
		because = "the broker had not been told to forget the task: it gives it to the next worker"
	}
	if !done {
		lost := [2]int{1 - own[1], 1 - own[0]}
		b["lost"], b["lost_after_ack"] = lost, lost
	}
	if stranding {
		b["stranded"] = [2]int{back[0], back[1]}
		if done {
			b["leftover"] = own
		} else {
			b["stranded"] = [2]int{back[0] + own[0], back[1] + own[1]}
		}
		because += "; its lease is not waited for here, so what comes back is still stranded in the broker"
	} else {
		b["redelivered"] = [2]int{back[0] + own[0], back[1] + own[1]}
		if begun {
			b["restarted"] = own
		}
		if done {
			b["repeated"] = own
		}
	}
	if race {
		for _, name := range []string{"lost", "lost_after_ack", "restarted", "repeated", "leftover"} {
			reasons[name] = "a race between the acknowledgement on its way and the end of the connection; its frequency is the result"
		}
		reasons["redelivered"] += ", and so is whether the running one comes back"
		reasons["stranded"] = reasons["redelivered"]
	}
	return b, because, reasonsFor(b, reasons)
}

// reasonsFor keeps the reasons of the ranges that are wider than a point.
func reasonsFor(b check.Bounds, reasons map[string]string) map[string]string {
	maps.DeleteFunc(reasons, func(name, _ string) bool { return b[name][0] == b[name][1] })
	return reasons
}

// predictInProcessCrash: the queue is in the process, so everything that had
// not run is lost with it, acknowledged or not.
func predictInProcessCrash(ack, at string) (check.Bounds, string) {
	lost, told := crashLoad, 0
	switch at {
	case "finished", "result-stored", "late-ack-sent", "late-acked":
		lost--
	case "ack-sent", "acked", "started", "mid":
		if ack == "early" {
			told = 1
		}
	}
	return check.Bounds{"lost": {lost, lost}, "lost_after_ack": {told, told}, "lost_in_broker": {lost - told, lost - told}},
		"the queue was in the process that died"
}

// crashClaims are what the material predicts of the same moment. B4 says that
// a task that has run is done: neither lost nor run again. B5 says that
// prefetched tasks share the fate of the running one.
func crashClaims(ack, at string) map[string]check.Bounds {
	lostByDefault := check.Bounds{"lost": {0, 0}}
	shared := check.Bounds{"prefetched_lost": {0, 0}}
	if ack == "early" {
		lostByDefault = check.Bounds{"lost": {1, 1}}
		shared = check.Bounds{"prefetched_lost": {crashPrefetched, crashPrefetched + 1}}
	}
	switch at {
	case "before-fetch":
		return map[string]check.Bounds{"B1": {"lost": {0, 0}}}
	case "fetched", "ack-sent", "acked":
		return map[string]check.Bounds{"B2": lostByDefault}
	case "started", "mid":
		return map[string]check.Bounds{"B3": lostByDefault, "B5": shared}
	default:
		return map[string]check.Bounds{"B4": {"lost": {0, 0}, "repeated": {0, 0}}}
	}
}
