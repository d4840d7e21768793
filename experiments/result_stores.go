package experiments

import (
	"acklab/internal/check"
)

var resultStores = &Experiment{
	Name:     "result-stores-side-by-side",
	Question: "How fast is a result store, and what has it after a kill?",
	Claims:   []string{"E5"},
	Varies:   "the store; each is measured in turns with a Redis that writes nothing to disk (no broker is in it; MongoDB and Memcached are out of scope)",
	Threats: []string{
		"the harness disturbs: one trial at a time, and every number is a ratio to the same work in the same seconds",
		"a durable store that does not sync is fast: PostgreSQL runs as it comes, with fsync and synchronous commits",
		"SIGKILL is not a power cut: what was written is in the page cache and survives",
	},
	Suites: []Suite{Quick},
	Cells: func(sys System, suite Suite) []Cell {
		if sys.Name != "redis" { // no broker is needed; the system says which servers are here
			return nil
		}
		load := sideLoad
		if suite == selfTest {
			load = sideFew
		}
		cells := []Cell{
			sideBySide(sys, load, ResultSpec{Store: inRedis}),
			sideBySide(sys, load, ResultSpec{Store: inRedis, Persistence: "aof-always"}),
			sideBySide(sys, load, ResultSpec{Store: inPostgres}),
		}
		if suite == Quick {
			return oneTrialEach(cells[0], cells[2])
		}
		return cells
	},
}

// sideLoad is how many results are stored and fetched by each, in sideRounds turns.
const (
	sideLoad    = 2000
	sideFew     = 200 // for the self-test, whose steps have little time
	sideRounds  = 10
	sideCallers = 8
)

func sideBySide(sys System, load int, store ResultSpec) Cell {
	store.Own = true
	c := Cell{
		System: sys, Setting: Setting{"results": store.Store}, Trials: 3, Pace: Alone, Load: load, Seconds: 4, Results: store,
		Measures: []string{"store_rate_percent", "fetch_rate_percent", "store_p50_ms", "store_p99_ms", "gone_after_kill"},
		Reasons:  map[string]string{},
	}
	switch {
	case store.Store == inPostgres:
		c.Predicted = check.Bounds{"store_rate_percent": {0, 80}, "fetch_rate_percent": {0, 120}, "gone_after_kill": {0, 0}}
		c.Because = "each commit waits for a sync of the log; a fetch is a query with a plan, and waits for no disk"
	case store.Persistence == "":
		c.Setting["persistence"] = "none"
		c.Predicted = check.Bounds{"store_rate_percent": {40, 250}, "fetch_rate_percent": {40, 250}, "gone_after_kill": {load, load}}
		c.Because = "it is what it is compared with: 100, and the noise of the machine"
	default:
		c.Setting["persistence"] = store.Persistence
		c.Predicted = check.Bounds{"store_rate_percent": {0, 95}, "fetch_rate_percent": {40, 250}, "gone_after_kill": {0, 0}}
		c.Because = "each reply waits for a sync of the append-only file; a fetch waits for nothing"
	}
	why := "a ratio of rates, in percent of the Redis that writes nothing; disks differ by orders of magnitude"
	c.Reasons["store_rate_percent"], c.Reasons["fetch_rate_percent"] = why, why
	if store.Store == inPostgres {
		c.Claims = map[string]check.Bounds{"E5": {"store_rate_percent": {0, 99}, "gone_after_kill": {0, 0}}}
	} else if store.Persistence == "" {
		c.Claims = map[string]check.Bounds{"E5": {"gone_after_kill": {1, load}}}
	}
	c.Steps = []Step{CompareStores(load, sideRounds, sideCallers), KillAndCount(load)}
	return c
}
