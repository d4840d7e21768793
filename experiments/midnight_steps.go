package experiments

import (
	"context"
	"errors"
	"fmt"
	"time"

	"acklab/internal/ledger"
)

// nightMeasures: days_without and days_twice are local days without a tick and with
// several; off_time is how many ticks are at another time of day than the line
// says; unknown_ticks are planned tasks that are the tick of no minute.
var nightMeasures = []string{"days_without", "days_twice", "off_time", "unknown_ticks"}

// MeasureNights counts, by what the scheduler planned, the days of a zone.
func MeasureNights(name, wall, zone string) Step {
	return Step{"count the days that have their tick at " + wall, func(_ context.Context, t *Trial) error {
		loc, err := time.LoadLocation(zone)
		if err != nil {
			return err
		}
		due, unknown, err := t.dueMinutes(name)
		if err != nil {
			return err
		}
		off, ticks := 0, map[string]int{}
		for _, at := range due {
			local := at.In(loc)
			ticks[local.Format(time.DateOnly)]++
			if local.Format("15:04") != wall {
				off++
			}
		}
		without, twice := 0, 0
		for _, day := range daysWith(wall, loc) {
			switch n := ticks[day]; {
			case n == 0:
				without++
			case n > 1:
				twice++
			}
		}
		return errors.Join(
			t.Measure("days_without", float64(without)), t.Measure("days_twice", float64(twice)),
			t.Measure("off_time", float64(off)), t.Measure("unknown_ticks", float64(unknown)),
		)
	}}
}

// daysWith are the local days of which the time of day lies between the beginning
// and the end of the two years.
func daysWith(wall string, loc *time.Location) (days []string) {
	at, err := time.Parse("15:04", wall)
	if err != nil {
		return nil
	}
	civil := func(t time.Time) time.Time {
		return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), 0, 0, time.UTC)
	}
	// Counted without a zone: a moment that the clock skips has no place in it.
	begin, end := civil(nightsFrom.In(loc)), civil(nightsUntil.In(loc))
	for day := begin.Truncate(24 * time.Hour); ; day = day.AddDate(0, 0, 1) {
		switch moment := day.Add(time.Duration(at.Hour())*time.Hour + time.Duration(at.Minute())*time.Minute); {
		case moment.After(end):
			return days
		case moment.After(begin):
			days = append(days, moment.Format(time.DateOnly))
		}
	}
}

// dueMinutes are the moments at which the scheduler planned its ticks, by the clock
// that is made up. The id of one of ours has to be that of a minute; Celery's have ids
// of no meaning, and its ledger says when beat found them due.
func (t *Trial) dueMinutes(name string) (due []time.Time, unknown int, err error) {
	lines, err := t.read(name)
	if err != nil {
		return nil, 0, err
	}
	var minutes map[string]time.Time
	if !t.cell.System.Celery {
		minutes = ticksOf(nightlyName, nightsFrom, nightsUntil, time.Minute)
	}
	when := "at"
	if t.cell.System.Celery {
		when = "due"
	}
	for _, l := range lines {
		if l.Event != ledger.Planned {
			continue
		}
		if _, known := minutes[l.Task]; !known && !t.cell.System.Celery {
			unknown++
			continue
		}
		at, err := time.Parse(time.RFC3339Nano, l.Detail[when])
		if err != nil {
			return nil, 0, fmt.Errorf("when a tick was planned: %w", err)
		}
		due = append(due, at)
	}
	return due, unknown, nil
}
