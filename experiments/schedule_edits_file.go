package experiments

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"acklab/internal/check"
	"acklab/internal/ledger"
)

// The file of a scheduler is rewritten while it runs.

const (
	// fileSeen is how long a scheduler may need to see that its file was written: it is
	// told, and reads it when it was left alone for half a second; where nobody tells, it
	// takes two looks, one every two seconds.
	fileSeen = 2*2*time.Second + 500*time.Millisecond + editStall
	// effectWithin is for how long ticks are counted from the first one that shows that
	// a change is seen.
	effectWithin = 2 * time.Second
)

// filed is a schedule of a file.
func filed(name string, every time.Duration) scheduled {
	return scheduled{Name: name, Task: "noop", Every: every.String(), CatchUp: "all", Window: time.Minute.String()}
}

// fileCell is a cell in which the schedules are in a file alone. It is rewritten twice in
// the cell of a broken file: the second one is good again.
func fileCell(c Cell, change string) Cell {
	c.Results, c.Seconds = ResultSpec{}, 9
	c.Predicted, c.Reasons = check.Bounds{}, map[string]string{}
	before := []scheduled{filed("twin", twinEvery), filed("slower", twinEvery), filed("silent", twinEvery)}
	after := []scheduled{filed("twin", twinEvery), filed("slower", 2*twinEvery), filed("added", twinEvery)}
	c.Steps = []Step{
		Declare(), StartWorker(cleanWorker, Hands{Ack: "late", Concurrency: 1, Multiplier: 4}), AwaitConsuming(cleanWorker),
		StartScheduler("scheduler1", Clockwork{Schedules: before}), AwaitCount("scheduler1", ledger.Confirmed, 6),
	}
	if change == changeBroken {
		c.Seconds = 11
		broken := append(after[1:len(after):len(after)], scheduled{Name: "twin", Task: "noop", Every: "now and then"})
		c.Steps = append(c.Steps, RewriteRefused("scheduler1", broken), CountEach("scheduler1", map[string]string{
			"silent": "ticks_kept", "added": "ticks_before",
		}))
		c.Measures = []string{"file_refused", "ticks_kept", "ticks_before"}
		c.Predicted["file_refused"], c.Predicted["ticks_before"] = [2]int{1, 1}, [2]int{0, 0}
		c.afterEffect("ticks_kept", twinEvery)
	}
	c.Steps = append(c.Steps, Rewrite("scheduler1", after, "added"), CountEach("scheduler1", map[string]string{
		"twin": "ticks_after", "slower": "ticks_slower", "silent": "ticks_silent", "added": "ticks_added",
	}), Hush("scheduler1", after), EndMember("scheduler1"))
	c.Measures = append(c.Measures, "ticks_after", "ticks_slower", "ticks_silent", "ticks_added")
	c.afterEffect("ticks_after", twinEvery)
	c.afterEffect("ticks_slower", 2*twinEvery)
	c.afterEffect("ticks_added", twinEvery)
	c.Predicted["ticks_silent"] = [2]int{0, 0}
	c.Because = "a file that was written is read as a whole, and what it says is in force from then on"
	if change == changeBroken {
		c.Because = "of a file that is wrong in one place nothing is taken, and the old one stays in force until there is a good one"
	}
	c.claimEdits()
	return c
}

// afterEffect predicts how many ticks of an interval are due and sent within
// effectWithin.
func (c *Cell) afterEffect(measure string, every time.Duration) {
	ticks, stall := int(effectWithin/every), int((editStall+every-1)/every)
	c.wide(measure, ticks-1-stall, ticks+1+stall, fmt.Sprintf("one for each interval of %s, one more or less at the ends and %d where the machine stands still", every, stall))
}

// Rewrite writes the file of a scheduler anew, and waits for the first tick of a schedule
// that it had not before, though not for longer than it may need to see it.
func Rewrite(name string, schedules []scheduled, added string) Step {
	return Step{"rewrite the file of " + name + ", and wait for a tick of " + added, func(ctx context.Context, t *Trial) error {
		since := time.Now()
		if _, err := t.writeSchedules(name, t.schedules(schedules)); err != nil {
			return err
		}
		return t.awaitEffect(ctx, name, added, since, fileSeen)
	}}
}

// RewriteRefused is Rewrite with a broken file. file_refused is 1 when the scheduler says
// in its log that it goes on with what it had.
func RewriteRefused(name string, schedules []scheduled) Step {
	return Step{"break the file of " + name + ", and wait until it says so", func(ctx context.Context, t *Trial) error {
		if _, err := t.writeSchedules(name, t.schedules(schedules)); err != nil {
			return err
		}
		refused, err := lookFor(ctx, fileSeen, func() (bool, error) {
			log, err := os.ReadFile(t.logOf(name))
			return strings.Contains(string(log), "the schedules cannot be read"), err
		})
		switch {
		case err != nil:
			return fmt.Errorf("look whether %s has refused its file: %w", name, err)
		case refused:
			return t.Measure("file_refused", 1)
		}
		return t.Measure("file_refused", 0)
	}}
}

// Hush switches all schedules of the file off, and waits until the scheduler has written
// nothing for some intervals, though not for longer than it may need to see it: a
// scheduler that is stopped in the middle of a tick leaves it to the next one, and there
// is none.
func Hush(name string, schedules []scheduled) Step {
	return Step{"switch all schedules in the file of " + name + " off", func(ctx context.Context, t *Trial) error {
		off := slices.Clone(schedules)
		for i := range off {
			off[i].Enabled = new(bool)
		}
		if _, err := t.writeSchedules(name, t.schedules(off)); err != nil {
			return err
		}
		written, since := 0, time.Now()
		_, err := lookFor(ctx, fileSeen, func() (bool, error) {
			lines, err := t.read(name)
			if n := len(lines); n != written {
				written, since = n, time.Now()
			}
			return time.Since(since) >= 4*twinEvery, err
		})
		return err
	}}
}

// CountEach lets effectWithin pass, and measures for each of the schedules how many of
// the ticks that were due in it the scheduler has sent by then.
func CountEach(name string, measures map[string]string) Step {
	return Step{fmt.Sprintf("count the ticks of each schedule in %s", effectWithin), func(ctx context.Context, t *Trial) error {
		_, err := t.countEach(ctx, name, effectWithin, measures)
		return err
	}}
}
