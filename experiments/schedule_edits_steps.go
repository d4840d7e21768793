package experiments

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"time"

	"acklab/internal/ledger"
)

// EditSchedule changes a schedule as a person does: acklab schedule WORD NAME ...
func EditSchedule(word, name string, flags ...string) Step {
	return Step{"acklab schedule " + word + " " + name, func(ctx context.Context, t *Trial) error {
		if word == "add" && t.run.plants(plantIdleVictim) {
			return nil
		}
		store, err := t.scheduleStore()
		if err != nil {
			return err
		}
		if slices.Contains(flags, "--catch-up") && t.run.plants(plantCatchUp) {
			flags = append(slices.Clone(flags), "--catch-up", "none", "--window", "0s") // the last word counts
		}
		args := append([]string{"schedule", word, name, "--store", store}, flags...)
		if word == "add" {
			args = append(args, "--queue", t.queue)
		}
		cmd := exec.CommandContext(ctx, t.run.self, args...)
		cmd.Dir = t.dir
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("acklab schedule %s %s: %w: %s", word, name, err, strings.TrimSpace(string(out)))
		}
		return nil
	}}
}

// LetPass lets some time pass; what it is for is said in the name of the step.
func LetPass(d time.Duration, what string) Step {
	return Step{fmt.Sprintf("let %s pass %s", d, what), func(ctx context.Context, _ *Trial) error { return pause(ctx, d) }}
}

// CountTicks lets some time pass and measures how many ticks a scheduler has sent in
// it.
func CountTicks(name string, within time.Duration, measure string) Step {
	return Step{fmt.Sprintf("count the ticks of %s", within), func(ctx context.Context, t *Trial) error {
		return t.countTicks(ctx, name, ledger.Now(), within, measure)
	}}
}

// CountTicksFrom is CountTicks that begins with a step, for what that does may be done
// before it has ended.
func CountTicksFrom(begin Step, name string, within time.Duration, measure string) Step {
	return Step{fmt.Sprintf("%s, and count the ticks from there to %s after it", begin.Name, within), func(ctx context.Context, t *Trial) error {
		since := ledger.Now()
		if err := begin.Do(ctx, t); err != nil {
			return err
		}
		return t.countTicks(ctx, name, since, within, measure)
	}}
}

// countTicks measures how many ticks the scheduler sends from a moment until some time
// from now.
func (t *Trial) countTicks(ctx context.Context, name string, since int64, within time.Duration, measure string) error {
	until := ledger.Now() + int64(within)
	if err := pause(ctx, within); err != nil {
		return err
	}
	lines, err := t.read(name)
	if err != nil {
		return err
	}
	sent := slices.DeleteFunc(lines, func(l ledger.Line) bool {
		return l.Event != ledger.Attempted || l.Mono < since || l.Mono > until
	})
	return t.Measure(measure, float64(len(sent)))
}

// CountAdded waits until the scheduler has sent n more ticks of the metronome, and
// measures how many of the schedule that was added it has sent by then: none, if nothing
// was.
func CountAdded(name string, n int, measure string) Step {
	return Step{fmt.Sprintf("let %d ticks of another schedule pass, and count those of the new one", n), func(ctx context.Context, t *Trial) error {
		before := -1
		for {
			lines, err := t.read(name)
			if err != nil {
				return err
			}
			passed := confirmedOf(lines, metronome, time.Time{})
			if before < 0 {
				before = passed
			}
			if passed >= before+n {
				return t.Measure(measure, float64(confirmedOf(lines, "twin", time.Time{})))
			}
			if err := pause(ctx, twinEvery/5); err != nil {
				return fmt.Errorf("wait for %d ticks of the other schedule: %w", n, err)
			}
		}
	}}
}

// CountEdited lets some time pass, and measures for each of the schedules how many of
// the ticks that were due since the scheduler leads it has sent by then: none, if it
// knows nothing of the schedule. By a schedule's name there is the measure of it.
func CountEdited(scheduler string, within time.Duration, measures map[string]string) Step {
	return Step{fmt.Sprintf("let %s pass, and count the ticks of each schedule", within), func(ctx context.Context, t *Trial) error {
		if err := pause(ctx, within); err != nil {
			return err
		}
		lines, err := t.read(scheduler)
		if err != nil {
			return err
		}
		led := slices.IndexFunc(lines, func(l ledger.Line) bool { return l.Event == ledger.Leading })
		if led < 0 {
			return fmt.Errorf("%s does not lead", scheduler)
		}
		return t.measureEach(lines, lines[led].Wall, measures)
	}}
}

// CountOff lets some time pass in which twin is off, has it come back, waits for its first
// tick, though not for longer than an edit may need to be seen, and counts what is due
// from there on. ticks_while_off is how many ticks the scheduler has sent by the end that
// were due while it was off: when they were due, or made up for. ticks_after is how many
// it has sent of those within some time after the first.
func CountOff(name string, off time.Duration, on Step, seen, within time.Duration) Step {
	return Step{fmt.Sprintf("let %s pass, %s, and count the ticks of %s from its first one", off, on.Name, within), func(ctx context.Context, t *Trial) error {
		since := time.Now()
		if err := pause(ctx, off); err != nil {
			return err
		}
		until := time.Now()
		if err := on.Do(ctx, t); err != nil {
			return err
		}
		if err := t.awaitEffect(ctx, name, "twin", until, seen); err != nil {
			return err
		}
		lines, err := t.countEach(ctx, name, within, map[string]string{"twin": "ticks_after"})
		if err != nil {
			return err
		}
		return t.Measure("ticks_while_off", float64(confirmedOf(lines, "twin", since)-confirmedOf(lines, "twin", until)))
	}}
}

// awaitEffect waits until a scheduler has sent a tick of the schedule that was due after
// a moment, though not for longer than some time: what has no effect is counted all the
// same.
func (t *Trial) awaitEffect(ctx context.Context, name, schedule string, after time.Time, atMost time.Duration) error {
	_, err := lookFor(ctx, atMost, func() (bool, error) {
		lines, err := t.read(name)
		return confirmedOf(lines, schedule, after) > 0, err
	})
	if err != nil {
		return fmt.Errorf("wait for a tick of %s of %s: %w", schedule, name, err)
	}
	return nil
}

// lookFor looks again and again for something, though not for longer than some time, and
// tells whether it came.
func lookFor(ctx context.Context, atMost time.Duration, seen func() (bool, error)) (bool, error) {
	for end := time.Now().Add(atMost); time.Now().Before(end); {
		if ok, err := seen(); ok || err != nil {
			return ok, err
		}
		if err := pause(ctx, twinEvery/5); err != nil {
			return false, err
		}
	}
	return false, nil
}

// countEach lets some time pass, and measures for each of the schedules how many of the
// ticks that were due in it the scheduler has sent by then. It returns the scheduler's
// ledger.
func (t *Trial) countEach(ctx context.Context, name string, within time.Duration, measures map[string]string) ([]ledger.Line, error) {
	since := time.Now()
	if err := pause(ctx, within); err != nil {
		return nil, err
	}
	lines, err := t.read(name)
	if err != nil {
		return nil, err
	}
	return lines, t.measureEach(lines, since, measures)
}

// measureEach measures for each of the schedules how many of its ticks that were due
// after a moment are confirmed. By a schedule's name there is the measure of it.
func (t *Trial) measureEach(lines []ledger.Line, since time.Time, measures map[string]string) error {
	var err error
	for schedule, measure := range measures {
		err = errors.Join(err, t.Measure(measure, float64(confirmedOf(lines, schedule, since))))
	}
	return err
}

// confirmedOf is how many ticks of a schedule that were due after a moment the broker
// has confirmed, by their ids.
func confirmedOf(lines []ledger.Line, schedule string, after time.Time) (n int) {
	ticks := ticksAround(lines, schedule, twinEvery)
	for _, l := range lines {
		if due, of := ticks[l.Task]; of && l.Event == ledger.Confirmed && due.After(after) {
			n++
		}
	}
	return n
}

// MeasureByHand measures how many ticks by hand a scheduler has sent.
func MeasureByHand(name string) Step {
	return Step{"count the ticks by hand", func(_ context.Context, t *Trial) error {
		lines, err := t.read(name)
		if err != nil {
			return err
		}
		asked, sent := map[string]bool{}, 0
		for _, l := range lines {
			asked[l.Task] = asked[l.Task] || l.Event == ledger.Planned && l.Detail["by_hand"] == "true"
			if l.Event == ledger.Confirmed && asked[l.Task] {
				sent++
			}
		}
		return t.Measure("ticks_by_hand", float64(sent))
	}}
}
