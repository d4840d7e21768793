package experiments

import "acklab/internal/check"

// predictChainCrash bounds a trial in which the worker dies while it runs the second
// of four links, from what the broker has of the chain at that moment: the link
// itself, unless it was acknowledged, and the next link, once it was published. It
// also returns how many runs the trial has to wait for.
//
// Our worker stores the result and then publishes the next link; Celery's publishes
// first (celery/app/trace.py), so that at its result-stored the chain goes on.
func predictChainCrash(sys System, ack, at string, once bool) (b check.Bounds, because string, reasons map[string]string, runs int) {
	after := chainLinks - chainCrashed
	sent := at == "links-sent" || sys.Celery && at == "result-stored"
	done := at != "mid"
	b = check.Bounds{"order_violations": {0, 0}, "wrong_values": {0, 0}, "chains_complete": {1, 1}, "failures_told": {0, 0}}
	exactly := func(name string, n int) { b[name] = [2]int{n, n} }
	runs = chainLinks
	switch {
	case ack == "early" && sent:
		b["redelivered"] = [2]int{0, 1}
		reasons = map[string]string{"redelivered": "an early acknowledgement opens the prefetch window: whether the victim had received the next link, which it published itself, is a race"}
		because = "the next link was published and confirmed: the chain goes on without the victim"
	case ack == "early":
		exactly("never_sent", after)
		exactly("chains_complete", 0)
		runs = chainCrashed
		because = "the link had run and was acknowledged before; nobody is left who knows that another one follows"
		if !done {
			exactly("lost", 1)
			exactly("lost_after_ack", 1)
			runs--
			because = "the link was acknowledged before it ran, and the rest of the chain was in its message"
		}
	case once && sent:
		exactly("redelivered", after+1)
		exactly("collapsed", after+1)
		exactly("copied", after)
		because = "the link comes back and is not run again; it publishes the next one again, which is not run again either, to the end of the chain"
	case once:
		exactly("redelivered", 1)
		exactly("collapsed", 1)
		because = "the link comes back and is not run again, for its result is stored; the next one is published, and the chain goes on"
	case sent:
		again := after + 1
		exactly("redelivered", again)
		exactly("restarted", again)
		exactly("repeated", again)
		exactly("copied", after)
		runs += again
		if sys.Celery && sys.Kind == RedisServer { // each of its publishes on Redis is another message
			exactly("redelivered", 1)
		}
		because = "the link comes back, runs again and publishes the next one a second time: from here on every link runs twice"
	case done:
		exactly("redelivered", 1)
		exactly("restarted", 1)
		exactly("repeated", 1)
		runs++
		because = "the link comes back and runs again; the next one is published once"
	default:
		exactly("redelivered", 1)
		exactly("restarted", 1)
		because = "the link comes back with the rest of the chain in its message"
	}
	return b, because, reasons, runs
}
