package experiments

import (
	"context"
	"errors"
	"fmt"
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
		Measures: []string{"drift_percent", "jitter_percent", "gap_p99_ms", "intervals_left_out", "off_grid"},
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
	drift := [2]int{0, 5}
	c.Because = "the ticks lie on a grid of moments, so a late one makes none after it late"
	why := "half of the ticks of a third would have to be 25 ms later than those of another"
	if sys.Celery {
		drift = [2]int{1, 200}
		c.Because = "beat counts each interval from when it sent the tick before, so every delay is kept"
		why = "each tick adds what beat was late, some tenths of a millisecond to some milliseconds, and a busy machine more"
	}
	c.Predicted = check.Bounds{"drift_percent": drift, "jitter_percent": {0, 60}, "intervals_left_out": {0, 0}, "off_grid": {0, 0}}
	c.Reasons = map[string]string{
		"drift_percent":  why,
		"jitter_percent": "a process that is not scheduled for a quarter of a second on a busy machine; a tick that is left out makes 100",
	}
	c.Claims = map[string]check.Bounds{"G2": {"drift_percent": {0, 5}, "intervals_left_out": {0, 0}, "never_sent": {0, 0}, "lost": {0, 0}, "repeated": {0, 0}}}
	return c
}

// MeasureIntervals measures the first n publishes of a scheduler: drift_percent is
// how much later the last third is than the first, by their medians and after the
// first publish, jitter_percent the largest difference of a gap from the interval,
// both in percent of it; gap_p99_ms is the longest gap but one in a hundred;
// intervals_left_out is how many ticks would have had room in gaps that are too long;
// off_grid is how many are no tick of the grid, by their ids (Celery has none).
func MeasureIntervals(name string, n int) Step {
	return Step{"measure the intervals", func(_ context.Context, t *Trial) error {
		lines, err := t.read(name)
		if err != nil {
			return err
		}
		ticks := ticksAround(lines, "beat", intervalEvery)
		var at []int64
		off := 0
		for _, l := range lines {
			if l.Event != ledger.Attempted || len(at) == n {
				continue
			}
			at = append(at, l.Mono)
			if _, known := ticks[l.Task]; !known && !t.cell.System.Celery {
				off++
			}
		}
		if len(at) < n {
			return fmt.Errorf("measure intervals: %d of %d ticks were sent", len(at), n)
		}
		every := float64(intervalEvery / time.Millisecond)
		var gaps, late []float64
		jitter, left := 0.0, 0
		for i := range at {
			late = append(late, milliseconds(at[0], at[i])-every*float64(i))
			if i == 0 {
				continue
			}
			gap := milliseconds(at[i-1], at[i])
			gaps = append(gaps, gap)
			jitter = max(jitter, math.Abs(gap-every))
			left += max(0, int(math.Round(gap/every))-1)
		}
		drift := math.Abs(quantile(late[n-n/3:], 0.5) - quantile(late[:n/3], 0.5))
		return errors.Join(
			t.Measure("drift_percent", 100*drift/every), t.Measure("jitter_percent", 100*jitter/every), t.Measure("gap_p99_ms", quantile(gaps, 0.99)),
			t.Measure("intervals_left_out", float64(left)), t.Measure("off_grid", float64(off)),
		)
	}}
}
