package experiments

import (
	"context"
	"errors"
	"fmt"

	"acklab/internal/ledger"
	"acklab/task"
	"acklab/task/demo"
)

const (
	heldInline  = "sent_inline"
	heldPercent = "held_percent_of_inline"
	inlineMs    = "inline_ms"
)

// SendInline does what a web request without a queue does: it sends n e-mails
// of 20 ms itself, one after the other, and measures how long it is held.
func SendInline(n int) Step {
	return Step{fmt.Sprintf("send %d e-mails in the caller itself", n), func(ctx context.Context, t *Trial) error {
		email, err := task.New("send_email", task.Options{Queue: t.queue})
		if err != nil {
			return err
		}
		if email.Args, err = task.ParseArgs(`["ada@example.org", 20]`); err != nil {
			return err
		}
		begin := ledger.Now()
		for range n {
			if _, err := demo.SendEmail(ctx, &task.Call{Message: email}); err != nil {
				return fmt.Errorf("send an e-mail in the caller: %w", err)
			}
		}
		held := milliseconds(begin, ledger.Now())
		return errors.Join(t.Measure(heldInline, float64(n)), t.Measure(inlineMs, held))
	}}
}

// MeasureHeld measures how long publishing held the caller: from its first
// attempt to its last confirm; and each of its tasks alone.
func MeasureHeld(caller string) Step {
	return Step{"measure how long " + caller + " was held", func(_ context.Context, t *Trial) error {
		lines, err := t.read(caller)
		if err != nil {
			return err
		}
		var first, last int64
		begun, each := map[string]int64{}, []float64(nil)
		for _, l := range lines {
			switch l.Event {
			case ledger.Attempted:
				if first == 0 {
					first = l.Mono
				}
				begun[l.Message] = l.Mono
			case ledger.Confirmed, ledger.Refused, ledger.Unsure:
				last = l.Mono
				each = append(each, milliseconds(begun[l.Message], l.Mono))
			}
		}
		if len(each) == 0 {
			return fmt.Errorf("measure how long %s was held: it published nothing", caller)
		}
		inline, err := t.measured(inlineMs)
		if err != nil {
			return err
		}
		held := milliseconds(first, last)
		return errors.Join(
			t.Measure("held_ms", held), t.Measure(heldPercent, 100*held/inline),
			t.Measure("publish_p50_ms", quantile(each, 0.5)), t.Measure("publish_p99_ms", quantile(each, 0.99)),
		)
	}}
}
