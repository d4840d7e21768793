package experiments

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"acklab/internal/check"
	"acklab/internal/ledger"
)

// Celery's beat beside the schedulers whose schedules can be edited.

// seldom is a schedule beside twin whose gap over the restart tells what beat remembers:
// it is long enough for the next beat to be there before it is due.
const (
	seldom      = "seldom"
	seldomEvery = 10 * time.Second
)

// beatCell is a cell of Celery's. Its beat is told its schedules when it starts; what
// can survive is when each of them ran last, in the file of its PersistentScheduler.
// The claim, which is of schedules that are changed while it runs, is not judged by it.
func beatCell(c Cell, change string) Cell {
	if change != changeRestart && change != changeKill {
		c.NotRun = "no such point: beat reads its schedules once, at its start; editing them is django-celery-beat's, which is not part of this"
		return c
	}
	c.Results, c.Seconds = ResultSpec{}, 28
	clock := Clockwork{Schedules: []scheduled{
		{Name: "twin", Task: "noop", Every: twinEvery.String()}, {Name: seldom, Task: "noop", Every: seldomEvery.String()},
	}}
	c.Steps = []Step{
		Declare(), StartWorker(cleanWorker, Hands{Ack: "late", Concurrency: 1, Multiplier: 4}), AwaitConsuming(cleanWorker),
		StartScheduler("scheduler1", clock), AwaitBeat("scheduler1", seldom),
	}
	c.Measures = []string{"last_run_remembered", "gap_over_restart_percent", "ticks_made_up_for", "ticks_after"}
	c.Predicted, c.Reasons = check.Bounds{"ticks_made_up_for": {0, 0}}, map[string]string{}
	after := int(editAfter / twinEvery)
	c.wide("ticks_after", after-3, after+1, "one at once and one for each interval; beat is late by a little each time, and by more on a busy machine")
	end := EndMember("scheduler1")
	if change == changeRestart {
		c.Because = "a beat that ends politely writes when each schedule ran last, and the next one counts from there; of all that is missed it sends one"
		c.Predicted["last_run_remembered"] = [2]int{1, 1}
		c.wide("gap_over_restart_percent", onTimePercent[0], onTimePercent[1], "its interval, and what a machine may stand still; a beat that has forgotten begins anew, 115 or more")
	} else {
		c.Control, c.Clean = "unharmed", concat(c.Steps, []Step{end})
		end = Kill("scheduler1")
		c.Expect.Faults = []string{faultKill}
		c.Because = "beat has its file written after its first tick and then every three minutes, so one that is killed before has forgotten that this schedule ran"
		c.Predicted["last_run_remembered"] = [2]int{0, 0}
		c.wide("gap_over_restart_percent", int(100*editAway/seldomEvery), 100+beatUpPercent+10, "it depends on the dbm of that Python: where what was written is on the disk (gdbm, sqlite3, dumb), the schedule is overdue and runs at once, 15 to 90; ndbm writes when it is closed, so there is nothing, and the interval begins anew, 115 to 190")
		for _, count := range []string{"never_sent", "unsure"} {
			c.wide(count, 0, 1, "the tick that it was sending when it was killed")
		}
	}
	c.Steps = append(c.Steps,
		end, LetPass(editAway, "without a scheduler"), HandOnBeat("scheduler1", "scheduler2"), StartScheduler("scheduler2", clock),
		AwaitBeat("scheduler2", "twin"), LetPass(editAfter, "to be counted"), AwaitBeat("scheduler2", seldom), EndMember("scheduler2"),
	)
	c.Final = []Step{MeasureBeat("scheduler1", "scheduler2")}
	return c
}

// onTimePercent is the gap over a restart of a schedule whose last run was remembered.
var onTimePercent = [2]int{99, 108}

// beatUpPercent is when the next beat has to be up, in percent of the interval of seldom
// from its last run: later it could not be told what it remembers.
const beatUpPercent = 80

// AwaitBeat waits until a beat has sent a tick of the schedule.
func AwaitBeat(name, schedule string) Step {
	return Step{fmt.Sprintf("wait for a tick of %s of %s", schedule, name), func(ctx context.Context, t *Trial) error {
		return t.await(ctx, name, "has sent a tick of "+schedule, func(*tail) bool {
			lines, err := t.read(name)
			return err == nil && len(beatTicks(lines, schedule)) > 0
		})
	}}
}

// HandOnBeat gives the file in which a beat keeps the last runs to another that is not
// started yet, as if it were the same one again.
func HandOnBeat(from, to string) Step {
	return Step{"hand the last runs of " + from + " on to " + to, func(_ context.Context, t *Trial) error {
		kept := filepath.Join(t.logs, from+".beat")
		files, err := filepath.Glob(kept + "*") // what follows is up to Python's dbm
		if err != nil || len(files) == 0 {
			return errors.Join(fmt.Errorf("%s has left no file of its last runs as %s", from, kept), err)
		}
		for _, file := range files {
			err = errors.Join(err, os.Rename(file, filepath.Join(t.logs, to+".beat"+strings.TrimPrefix(file, kept))))
		}
		return err
	}}
}

// MeasureBeat measures what a beat remembers of the one before it.
// gap_over_restart_percent is the time from the last tick of seldom before to the first
// after, in percent of its interval; last_run_remembered is 1 where that is the interval,
// and 0 where the schedule runs sooner or later. ticks_after is how many ticks of twin the second
// has sent in a fixed time from its first one, and ticks_made_up_for how many of them came
// sooner than half an interval after another: a beat that made up for what was missed
// would send them one upon the other.
func MeasureBeat(first, second string) Step {
	return Step{"measure what beat remembers", func(_ context.Context, t *Trial) error {
		before, err := t.read(first)
		if err != nil {
			return err
		}
		after, err := t.read(second)
		if err != nil {
			return err
		}
		m, err := memoryOf(before, after)
		if err != nil {
			return err
		}
		remembered := 0.0
		if m.remembered() {
			remembered = 1
		}
		return errors.Join(
			t.Measure("last_run_remembered", remembered), t.Measure("gap_over_restart_percent", m.gap),
			t.Measure("ticks_made_up_for", float64(m.madeUp)), t.Measure("ticks_after", float64(m.after)),
		)
	}}
}

// memory is what MeasureBeat measures, in percent and ticks.
type memory struct {
	gap           float64
	madeUp, after int
}

func (m memory) remembered() bool {
	return m.gap >= float64(onTimePercent[0]) && m.gap <= float64(onTimePercent[1])
}

// memoryOf reads it from the ledgers of two beats, one after the other.
func memoryOf(before, after []ledger.Line) (m memory, err error) {
	ran, runs, twins := beatTicks(before, seldom), beatTicks(after, seldom), beatTicks(after, "twin")
	if len(ran) == 0 || len(runs) == 0 || len(twins) == 0 {
		return m, fmt.Errorf("%d ticks of %s before the restart, %d after it, and %d of twin", len(ran), seldom, len(runs), len(twins))
	}
	last, percent := ran[len(ran)-1], float64(seldomEvery)/100
	if up := float64(min(twins[0], runs[0])-last) / percent; up > beatUpPercent {
		return m, fmt.Errorf("the second beat was up at %.0f %% of the interval, too late to tell", up)
	}
	m.gap = float64(runs[0]-last) / percent
	for i, at := range twins {
		if at-twins[0] > int64(editAfter) {
			break
		}
		m.after++
		if i > 0 && at-twins[i-1] < int64(twinEvery/2) {
			m.madeUp++
		}
	}
	return m, nil
}

// beatTicks are the moments at which the ticks of one of beat's schedules were found to
// be due that have a confirm, on the host's monotonic clock.
func beatTicks(lines []ledger.Line, schedule string) (at []int64) {
	due := map[string]int64{}
	for _, l := range lines {
		switch found, ours := due[l.Task]; {
		case l.Event == ledger.Planned && l.Detail["schedule"] == schedule:
			due[l.Task] = l.Mono
		case l.Event == ledger.Confirmed && ours:
			at = append(at, found)
		}
	}
	return at
}
