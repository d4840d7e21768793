package demo

import (
	"context"
	"fmt"
	"net/mail"
	"time"

	"acklab/task"
)

// SendEmail is send_email(to, ms=20): it takes ms milliseconds, as an SMTP
// server would, and returns what it says it sent to whom. Run twice, the
// person has two emails: it is not idempotent.
func SendEmail(ctx context.Context, c *task.Call) (any, error) {
	var to string
	ms := 20
	if err := c.Bind(task.Named("to", &to), task.Optional("ms", &ms)); err != nil {
		return nil, err
	}
	addr, err := mail.ParseAddress(to)
	if err != nil {
		return nil, c.Bad("to", fmt.Sprintf("%q is not an email address", to))
	}
	if ms < 0 || ms > int(longest.Milliseconds()) {
		return nil, c.Bad("ms", fmt.Sprintf("%d is outside 0 to %d", ms, longest.Milliseconds()))
	}
	if err := task.Work(ctx, time.Duration(ms)*time.Millisecond); err != nil {
		return nil, fmt.Errorf("send email to %s: %w", addr.Address, err)
	}
	return "sent to " + addr.Address, nil
}
