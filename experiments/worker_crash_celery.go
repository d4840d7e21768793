package experiments

import (
	"time"

	"acklab/internal/celery"
	"acklab/internal/check"
	"acklab/internal/ledger"
)

// Celery's workers crash at the points that they have. They hold still at the
// start of the first task, by which time the rest of their share has come.

// celeryCrashCells are the flagship's for Celery: its default pool at every
// point, and the others where a handler is at work.
func celeryCrashCells(sys System, suite Suite) []Cell {
	if suite == Smoke {
		return nil
	}
	var cells []Cell
	for _, ack := range []string{"early", "late"} {
		for _, at := range crashPoints(ack) {
			cells = append(cells, celeryCrashCell(sys, suite, ack, at))
		}
	}
	if suite == Quick {
		for i := range cells {
			cells[i].Pace = Beside // a Celery worker takes seconds to start
		}
		return oneTrialEach(cells...)
	}
	for _, at := range []string{"started", "mid", "finished"} {
		cells = append(cells, celeryPoolCell(sys, suite, celery.Solo, "early", at), celeryPoolCell(sys, suite, celery.Solo, "late", at),
			celeryPoolCell(sys, suite, celery.Threads, "early", at), celeryPoolCell(sys, suite, celery.Threads, "late", at))
	}
	return cells
}

// poolLoad is little: the other pools acknowledge late what they acknowledge
// late, up to ten seconds after the task (kombu's call_soon does not wake its
// loop).
const (
	poolLoad = 3
	poolSlow = 60 * time.Second
)

// celeryPoolCell: the first of three tasks runs when the worker dies, and it is
// started again. Nothing is said of what was prefetched: a solo worker hears
// nothing while it works.
func celeryPoolCell(sys System, suite Suite, pool celery.Pool, ack, at string) Cell {
	hands := Hands{Ack: ack, Concurrency: 1, Multiplier: 1}
	victim := hands
	victim.CrashAt = at
	job := Job{Count: poolLoad, Name: "sleep", Args: []any{0.05}}
	c := Cell{
		System: sys, Setting: Setting{"ack": ack, "crash_at": at, "then": "restart", "pool": string(pool)}, Trials: 3, Pace: Waiting, Load: poolLoad,
		Control: ack + " " + string(pool), Seconds: 6, Settle: poolSlow,
		Steps:  []Step{Declare(), Publish(job), StartWorker("victim", victim), AwaitCrash("victim"), StartWorker("restarted", hands), AwaitConsuming("restarted")},
		Clean:  []Step{Declare(), Publish(job), StartWorker(cleanWorker, hands), AwaitReceivedOver(cleanWorker, poolLoad)},
		Expect: ledger.Expect{Victim: "victim", Checkpoint: at, Running: 1},
	}
	leased(&c, sys, suite)
	if c.Settle > 0 {
		c.Settle += poolSlow
	}
	own, because := [2]int{1, 1}, "late: the broker has not been told to forget the task"
	switch {
	case ack == "early" && pool == celery.Solo:
		because = "the solo pool acknowledges early when the body is over: the broker has not been told to forget the task"
	case ack == "early":
		own, because = [2]int{0, 1}, "the acknowledgement is sent by the worker's loop while the task runs in a thread: nobody says which comes first"
		c.Trials = 50
		c.Expect.AckRaces = true
	}
	done := at == "finished"
	c.Predicted, c.Because, c.Reasons = check.Bounds{}, because, map[string]string{}
	race := "a race between a thread and the loop of its worker; its frequency is the result"
	wide := func(name string, lo, hi int) { c.wide(name, lo, hi, race) }
	gone := 0 // of the running one, at the most
	if !done {
		gone = 1 - own[0]
		wide("lost", 1-own[1], gone)
		wide("lost_after_ack", 1-own[1], gone)
	}
	if c.Expect.AckRaces { // the acknowledgement lets in the next one
		c.mayTake(0, gone, race)
	}
	back := func(name string, n [2]int, why string) { c.wide(name, n[0], n[1], why) }
	held := "beside the running one, the next, which an acknowledgement lets in, may have arrived"
	switch {
	case c.Stranding:
		back("stranded", [2]int{own[0] - number(done)*own[0], 2}, held)
		if done {
			wide("leftover", own[0], own[1])
		}
	default:
		back("redelivered", [2]int{own[0], 2}, held)
		wide("restarted", own[0], own[1])
		if done {
			wide("repeated", own[0], own[1])
		}
	}
	c.Claims = crashClaims(ack, at)
	delete(c.Claims, "B5")
	claimSameAsOurs(&c, ack, at)
	return c
}

// claimSameAsOurs adds what U4 predicts: what our worker loses and repeats at
// that moment.
func claimSameAsOurs(c *Cell, ack, at string) {
	ours, _, _ := predictCrash(ack, at, c.Stranding)
	same := check.Bounds{"lost": ours["lost"]}
	if !c.Stranding { // else nothing has run again yet
		same["repeated"], same["restarted"] = ours["repeated"], ours["restarted"]
	}
	c.Claims["U4"] = same
}

func celeryCrashCell(sys System, suite Suite, ack, at string) Cell {
	c := crashCell(sys, suite, ack, at, "survivor")
	c.Setting["pool"] = string(celery.Prefork)
	c.Control, c.Seconds = ack+" "+string(celery.Prefork), 5
	if why := celeryLacks(at); why != "" {
		c.NotRun = why
		return c
	}
	victim, survivor := crashHands(ack), crashHands(ack)
	victim.CrashAt, victim.PauseAt, survivor.PauseAt = at, "started", "started"
	c.Steps = []Step{
		Declare(), Publish(crashJob), StartWorker("victim", victim), AwaitHolding("victim", "started", crashHeld),
		StartWorker("survivor", survivor), AwaitHolding("survivor", "started", 1), Release("victim"), AwaitCrash("victim"), Release("survivor"),
	}
	claimSameAsOurs(&c, ack, at)
	if ack == "early" {
		c.Because += "; the crash waits for that, because Celery acknowledges while the task already runs (without the wait, at the start, it is a race)"
	}
	return c
}
