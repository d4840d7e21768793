package experiments

import (
	"acklab/internal/celery"
)

// Celery's workers crash at the points that they have. They hold still at the
// start of the first task, by which time the rest of their share has come.

// celeryCrashCells are the flagship's for Celery: its default pool at every
// point, and the others where the material looks.
func celeryCrashCells(sys System, suite Suite) []Cell {
	var cells []Cell
	for _, ack := range []string{"early", "late"} {
		for _, at := range crashPoints(ack) {
			switch {
			case suite == Smoke:
				continue
			case suite == Quick && at != "mid":
				continue
			}
			cells = append(cells, celeryCrashCell(sys, suite, celery.Prefork, ack, at))
		}
	}
	if suite == Smoke || suite == Quick {
		return oneTrialEach(cells...)
	}
	for _, pool := range []celery.Pool{celery.Solo, celery.Threads} {
		for _, ack := range []string{"early", "late"} {
			for _, at := range []string{"started", "mid", "finished"} {
				cells = append(cells, celeryCrashCell(sys, suite, pool, ack, at))
			}
		}
	}
	return cells
}

func celeryCrashCell(sys System, suite Suite, pool celery.Pool, ack, at string) Cell {
	c := crashCell(sys, suite, ack, at, "survivor")
	c.Setting["pool"] = string(pool)
	c.Control, c.Seconds = ack+" "+string(pool), 5
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
	// Celery's early acknowledgement opens its window by one, or, under solo, comes
	// when the body is over.
	behaves := ack
	if pool == celery.Solo && ack == "early" {
		behaves = "late"
	}
	c.Predicted, c.Because, c.Reasons = predictCrash(behaves, at, c.Stranding)
	if behaves != ack {
		c.Because += " (the solo pool acknowledges early only when the body is over)"
	}
	return c
}
