package experiments

import (
	"context"
	"errors"
	"math"
	"strconv"
	"time"

	"acklab/internal/check"
	"acklab/internal/ledger"
)

var intervalKeepsTime = &Experiment{
	Name:     "interval-keeps-time",
	Question: "A task is scheduled every half second: how even are 60 ticks, and where is the last?",
	Claims:   []string{"G2"},
	Varies:   "the system",
	Threats: []string{
		"the harness disturbs: one trial at a time; what is measured is given in percent of the interval, with room for a busy machine",
		"order and clocks: all gaps are between lines of one process, on the host's monotonic clock, each written just before its publish",
		"the first tick proves nothing: the first gap counts from the first publish, not from the start of the scheduler",
	},
	Suites: []Suite{Quick},
	Celery: true,
	Cells: func(sys System, suite Suite) []Cell {
		if suite == Quick && sys.Name != "rabbitmq" && sys.Name != "redis" {
			return nil
		}
		cell := intervalCell(sys, suite)
		if suite == Quick {
			return oneTrialEach(cell)
		}
		return []Cell{cell}
	},
}

const (
	intervalEvery = 500 * time.Millisecond
	intervalTicks = 60
	intervalFew   = 12 // for the suite quick and the self-test
)

func intervalCell(sys System, suite Suite) Cell {
	ticks := intervalTicks
	if suite == selfTest || suite == Quick {
		ticks = intervalFew
	}
	c := Cell{
		System: sys, Setting: Setting{"ticks": strconv.Itoa(ticks)}, Trials: 3, Pace: Alone, Load: ticks, Seconds: 2 + float64(ticks)*intervalEvery.Seconds(),
		Measures: []string{"drift_percent", "jitter_percent", "gap_p99_ms", "intervals_left_out"},
	}
	if sys.Kind == NoServer {
		c.NotRun = "no such point: the in-process queue has no other process, and so no scheduler"
		return c
	}
	line := scheduled{Name: "beat", Task: "noop", Every: intervalEvery.String(), MaxRuns: ticks}
	c.Steps = []Step{
		Declare(), StartWorker(cleanWorker, Hands{Ack: "late", Concurrency: 2, Multiplier: 4}), AwaitConsuming(cleanWorker),
		StartScheduler("scheduler", Clockwork{Schedules: []scheduled{line}}), AwaitCount("scheduler", ledger.Attempted, ticks), EndMember("scheduler"),
	}
	c.Final = []Step{MeasureIntervals("scheduler", ticks)}
	drift := [2]int{0, 50}
	c.Because = "the ticks lie on a grid of moments, so a late one makes none after it late"
	why := "a busy machine may be late at the first tick or at the last"
	if sys.Celery {
		drift = [2]int{0, 50 + 10*ticks}
		c.Because = "beat counts each interval from when it sent the tick before, so every delay is kept"
		why = "each tick adds what beat was late, some milliseconds, and a busy machine more"
	}
	c.Predicted = check.Bounds{"drift_percent": drift, "jitter_percent": {0, 60}, "intervals_left_out": {0, 0}}
	c.Reasons = map[string]string{
		"drift_percent":  why,
		"jitter_percent": "a process that is not scheduled for a quarter of a second on a busy machine; a tick that is left out makes 100",
	}
	c.Claims = map[string]check.Bounds{"G2": {"drift_percent": {0, 50}, "intervals_left_out": {0, 0}, "never_sent": {0, 0}, "lost": {0, 0}, "repeated": {0, 0}}}
	return c
}

// MeasureIntervals measures the first n publishes of a scheduler: drift_percent is
// how far the last is from where it belongs after the first, jitter_percent the
// largest difference of a gap from the interval, both in percent of it; gap_p99_ms
// is the longest gap but one in a hundred; intervals_left_out is how many ticks
// would have had room in gaps that are too long.
func MeasureIntervals(name string, n int) Step {
	return Step{"measure the intervals", func(_ context.Context, t *Trial) error {
		lines, err := t.read(name)
		if err != nil {
			return err
		}
		var at []int64
		for _, l := range lines {
			if l.Event == ledger.Attempted && len(at) < n {
				at = append(at, l.Mono)
			}
		}
		if len(at) < 2 {
			return errors.New("measure intervals: fewer than two ticks were sent")
		}
		every := float64(intervalEvery / time.Millisecond)
		var gaps []float64
		jitter, left := 0.0, 0
		for i := 1; i < len(at); i++ {
			gap := milliseconds(at[i-1], at[i])
			gaps = append(gaps, gap)
			jitter = max(jitter, math.Abs(gap-every))
			left += max(0, int(math.Round(gap/every))-1)
		}
		whole := milliseconds(at[0], at[len(at)-1])
		drift := math.Abs(whole - every*float64(len(at)-1))
		return errors.Join(
			t.Measure("drift_percent", 100*drift/every), t.Measure("jitter_percent", 100*jitter/every),
			t.Measure("gap_p99_ms", quantile(gaps, 0.99)), t.Measure("intervals_left_out", float64(left)),
		)
	}}
}
