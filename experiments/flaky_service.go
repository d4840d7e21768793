package experiments

import (
	"fmt"
	"strconv"
	"time"

	"acklab/internal/check"
	"acklab/internal/ledger"
)

var flakyService = &Experiment{
	Name:     "flaky-service-is-retried",
	Question: "A remote service fails now and then: is it retried until it answers?",
	Claims:   []string{"D7"},
	Varies:   "how often the service fails; how many retries there are",
	Threats: []string{
		"counters of the thing under test: the service counts its requests itself, and they are compared with the workers' ledgers",
		"chance: the service draws from the trial's seed, and the bounds hold 99.99 % of the exact distribution; at 0 and 1 nothing is drawn",
		"a client that retries by itself: then the service would count more requests than tries began",
	},
	Suites: []Suite{Quick},
	Cells: func(sys System, suite Suite) []Cell {
		if suite == Quick {
			return oneTrialEach(flakyCell(sys, suite, 0.5, flakyRetries), flakyCell(sys, suite, 0.5, flakyPatient))
		}
		return []Cell{
			flakyCell(sys, suite, 0, flakyRetries), flakyCell(sys, suite, 0.5, flakyRetries),
			flakyCell(sys, suite, 0.5, flakyPatient), flakyCell(sys, suite, 1, flakyRetries),
		}
	},
}

const (
	flakyLoad    = 200
	flakyFew     = 20 // for the self-test
	flakyRetries = 3
	// flakyPatient is so many retries that none of the tasks is given up: the
	// chance of it is 200 x 2^-26.
	flakyPatient = 25
	flakyPause   = 100 * time.Millisecond
)

func flakyCell(sys System, suite Suite, rate float64, retries int) Cell {
	load := flakyLoad
	if suite == selfTest {
		load = flakyFew
	}
	failed, requests := likely(sum(givenUp(rate, retries), load)), likely(sum(tries(rate, retries), load))
	hands := Hands{Ack: "late", Concurrency: 8, Multiplier: 2, Retry: Retry{Max: retries, Delay: flakyPause}}
	c := Cell{
		System: sys, Setting: Setting{"fail_rate": strconv.FormatFloat(rate, 'g', -1, 64), "max_retries": strconv.Itoa(retries)},
		Trials: 3, Pace: Beside, Load: load, Seconds: 6,
		Measures: []string{flakyRequests, flakyUnasked},
		Predicted: check.Bounds{
			"failed": failed, "finished": {load - failed[1], load - failed[0]}, flakyRequests: requests, flakyUnasked: {0, 0},
		},
		Because: fmt.Sprintf("of each task's %d tries every one fails with chance %g: %d x %g^%d tasks are given up", retries+1, rate, load, rate, retries+1),
		Reasons: map[string]string{},
		Steps: []Step{WithFlakyService(rate, func(url string) []Step {
			return workThrough(sys, hands, Job{Count: load, Name: "fetch_url", Args: []any{url}})
		})},
	}
	if rate > 0 {
		c.Predicted["delay_early"] = [2]int{0, 0}
	}
	for _, name := range []string{"failed", "finished", flakyRequests} {
		if b := c.Predicted[name]; b[0] < b[1] {
			c.Reasons[name] = "the seed draws each answer: this holds 99.99 % of the exact distribution"
		}
	}
	if rate > 0 && rate < 1 { // it is flaky, and it answers in the end
		c.Claims = map[string]check.Bounds{"D7": {"failed": {0, 0}, "lost": {0, 0}}}
	}
	if retries == flakyPatient {
		c.Trials, c.Seconds = 1, 15
	}
	if sys.Kind == NoServer {
		c.Expect = ledger.Expect{QueueDiesWith: cleanWorker}
	}
	return c
}
