package experiments

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
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
		"the harness disturbs: one trial at a time; the runner wakes up every 50 ms beside it, and a machine that stood still makes the trial unsure",
		"a busy machine looks like drift: it makes ticks late and none early, so the best tick of each half tells where the grid is",
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
	c.Stall = intervalEvery / 2
	c.Final = []Step{MeasureIntervals("scheduler", ticks)}
	claim := check.Bounds{"drift_percent": {0, 5}, "jitter_percent": {0, 60}, "intervals_left_out": {0, 0}, "never_sent": {0, 0}, "lost": {0, 0}, "repeated": {0, 0}}
	c.Predicted = check.Bounds{"drift_percent": {0, 5}, "jitter_percent": {0, 60}, "intervals_left_out": {0, 0}, "off_grid": {0, 0}}
	c.Reasons = map[string]string{
		"drift_percent":  "every tick of one half would have to be 25 ms later than the best of the other",
		"jitter_percent": "a process that is not scheduled for a quarter of a second; a machine that stands still for longer makes the trial unsure, and a tick that is left out makes 100",
	}
	c.Because = "the ticks lie on a grid of moments, so a late one makes none after it late"
	if sys.Celery {
		c.Predicted["drift_percent"], c.Predicted["intervals_left_out"] = [2]int{0, 200}, [2]int{0, 4}
		c.Because = "beat counts each interval from when it sent the tick before, so every delay is kept"
		c.Reasons["drift_percent"] = "each tick adds what beat was late: below a tenth of a millisecond to some, and a busy machine more"
		c.Reasons["intervals_left_out"] = "each whole interval of drift is one tick too few, and the whole time drifts twice as far as one half from the other"
		// How much is kept is up to the machine, so no bound of it would be a
		// statement about beat: the drift is measured, and what the claim is judged
		// by is whether half a minute has its ticks, give or take one.
		delete(claim, "drift_percent")
		claim["intervals_left_out"] = [2]int{0, 1}
	}
	c.Claims = map[string]check.Bounds{"G2": claim}
	return c
}

// MeasureIntervals measures the first n publishes of a scheduler. A tick is as late as
// its publish is behind the interval counted from the first one. drift_percent is how
// much later the best tick of the second half is than that of the first, for a machine
// makes ticks late and none early: a single tick in time shows a grid that has not
// moved. jitter_percent is the largest difference of a gap from the interval; both are
// in percent of it. gap_p99_ms is the longest gap but one in a hundred.
// intervals_left_out is how many ticks are missing between the first and the last, by
// their ids; of Celery's, which have no meaning, by how far their number is from that of
// the intervals in that time. off_grid
// is how many are no tick of the grid, by their ids (Celery has none).
func MeasureIntervals(name string, n int) Step {
	return Step{"measure the intervals", func(_ context.Context, t *Trial) error {
		lines, err := t.read(name)
		if err != nil {
			return err
		}
		m, err := intervalsOf(lines, n, t.cell.System.Celery)
		if err != nil {
			return err
		}
		percent := 100 / milliseconds(0, int64(intervalEvery))
		return errors.Join(
			t.Measure("drift_percent", m.drift*percent), t.Measure("jitter_percent", m.jitter*percent), t.Measure("gap_p99_ms", m.gap99),
			t.Measure("intervals_left_out", float64(m.leftOut)), t.Measure("off_grid", float64(m.offGrid)),
		)
	}}
}

// intervals are what MeasureIntervals measures, in milliseconds and ticks.
type intervals struct {
	drift, jitter, gap99 float64
	leftOut, offGrid     int
}

// intervalsOf reads them from the first n publishes of a ledger.
func intervalsOf(lines []ledger.Line, n int, celery bool) (m intervals, err error) {
	var at []int64      // when each was sent
	var due []time.Time // when it was due; those off the grid have none
	ticks := ticksAround(lines, "beat", intervalEvery)
	for _, l := range lines {
		if l.Event != ledger.Attempted || len(at) == n {
			continue
		}
		at = append(at, l.Mono)
		if moment, known := ticks[l.Task]; known {
			due = append(due, moment)
		} else if !celery {
			m.offGrid++
		}
	}
	if len(at) < n {
		return m, fmt.Errorf("measure intervals: %d of %d ticks were sent", len(at), n)
	}
	every := milliseconds(0, int64(intervalEvery))
	var gaps, late []float64
	for i := range at {
		place := float64(i)
		if len(due) == n { // what is left out makes the others no later
			place = float64(due[i].Sub(due[0])) / float64(intervalEvery)
		}
		late = append(late, milliseconds(at[0], at[i])-every*place)
		if i > 0 {
			gaps = append(gaps, milliseconds(at[i-1], at[i]))
			m.jitter = max(m.jitter, math.Abs(gaps[i-1]-every))
		}
	}
	m.drift = math.Abs(slices.Min(late[n/2:]) - slices.Min(late[:n/2]))
	m.gap99 = quantile(gaps, 0.99)
	m.leftOut = int(math.Round(milliseconds(at[0], at[n-1])/every)) + 1 - n
	if !celery && len(due) > 0 {
		m.leftOut = int(due[len(due)-1].Sub(due[0])/intervalEvery) + 1 - len(due)
	}
	if celery {
		m.leftOut = max(m.leftOut, -m.leftOut)
	}
	return m, nil
}
