package experiments

import (
	"context"
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

// WithoutScheduler lets some time pass in which nobody leads.
func WithoutScheduler(d time.Duration) Step {
	return Step{fmt.Sprintf("let %s pass without a scheduler", d), func(ctx context.Context, _ *Trial) error { return pause(ctx, d) }}
}

// CountTicks lets some time pass and measures how many ticks a scheduler has sent in
// it.
func CountTicks(name string, within time.Duration, measure string) Step {
	return Step{fmt.Sprintf("count the ticks of %s", within), func(ctx context.Context, t *Trial) error {
		since := ledger.Now()
		if err := pause(ctx, within); err != nil {
			return err
		}
		lines, err := t.read(name)
		if err != nil {
			return err
		}
		sent := slices.DeleteFunc(lines, func(l ledger.Line) bool {
			return l.Event != ledger.Attempted || l.Mono < since || l.Mono > since+int64(within)
		})
		return t.Measure(measure, float64(len(sent)))
	}}
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
