package demo

import (
	"context"
	"fmt"
	"time"

	"acklab/task"
)

// Report is what daily_report returns. Amounts are in cents.
type Report struct {
	Day     string `json:"day"`
	Orders  int    `json:"orders"`
	Refunds int    `json:"refunds"`
	Cents   int    `json:"cents"`
}

// DailyReport is daily_report(day): it takes 100 ms and returns the Report of
// a day written as 2026-11-21, made up from the day. A schedule sends it.
func DailyReport(ctx context.Context, c *task.Call) (any, error) {
	var day string
	if err := c.Bind(task.Named("day", &day)); err != nil {
		return nil, err
	}
	if _, err := time.Parse(time.DateOnly, day); err != nil {
		return nil, c.Bad("day", fmt.Sprintf("%q is not a day such as 2026-11-21", day))
	}
	if err := task.Work(ctx, 100*time.Millisecond); err != nil {
		return nil, fmt.Errorf("report of %s: %w", day, err)
	}
	dice := roll(day)
	orders := 50 + int(dice%450)
	return Report{Day: day, Orders: orders, Refunds: orders * int(dice>>16%8) / 100, Cents: orders * (900 + int(dice>>24%4000))}, nil
}
