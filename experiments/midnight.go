package experiments

import (
	"time"

	"acklab/internal/check"
)

var midnight = &Experiment{
	Name:     "midnight-comes-every-day",
	Question: "A crontab line names a time of day: does its task run once on every day of two years?",
	Claims:   []string{"G1"},
	Varies:   "the time of day x the zone",
	Threats: []string{
		"a scheduler that judges itself: the days are counted from the ids of the tasks that were planned, and each id is computed again from the schedule's name and a minute; the local date is the Go library's, of the moment at which the tick was planned and not of the one it is for",
		"a simulated clock is not the real one: nobody sleeps, but every tick is published, run and counted; two-schedulers and interval-keeps-time run on the real clock",
		"a zone without a change of its clock proves nothing: four of five have two a year, in two of these midnight itself is skipped, and in one it comes twice",
	},
	Suites: []Suite{Quick},
	Celery: true,
	Cells: func(sys System, suite Suite) []Cell {
		if suite == Quick {
			if sys.Celery {
				return nil
			}
			return oneTrialEach(nightCell(sys, "00:00", nightZones[0]), nightCell(sys, "00:00", nightZones[3]))
		}
		var cells []Cell
		for _, wall := range []string{"00:00", "02:30"} {
			for _, zone := range nightZones {
				cells = append(cells, nightCell(sys, wall, zone))
			}
		}
		return cells
	},
}

// nightZone is a zone, and what its clock skips on the two nights in two years when
// it is put forward.
type nightZone struct{ name, skips string }

var nightZones = []nightZone{
	{"Europe/Berlin", "02:30"},
	{"America/New_York", "02:30"},
	{"Asia/Kolkata", ""},
	{"Asia/Beirut", "00:00"},
	{"America/Havana", "00:00"}, // where it also comes twice
}

// The two years, from noon in UTC: so every zone has whole nights.
var (
	nightsFrom  = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	nightsUntil = time.Date(2028, 1, 1, 12, 0, 0, 0, time.UTC)
)

const (
	nights      = 730 // of two years without a leap day
	nightlyName = "nightly"
)

// nightCrons are the lines, by the time of day.
var nightCrons = map[string]string{"00:00": "0 0 * * *", "02:30": "30 2 * * *"}

func nightCell(sys System, wall string, zone nightZone) Cell {
	c := Cell{System: sys, Setting: Setting{"time": wall, "zone": zone.name}, Trials: 1, Pace: Beside, Load: nights, Seconds: 3, Measures: nightMeasures}
	if sys.Kind == NoServer {
		c.NotRun = "no such point: the in-process queue has no other process, and so no scheduler"
		return c
	}
	if sys.Celery {
		c.Seconds, c.Settle = 15, 3*time.Minute // its beat looks every five minutes of two years
	}
	line := scheduled{Name: nightlyName, Task: "noop", Cron: nightCrons[wall], Zone: zone.name}
	c.Steps = []Step{
		Declare(), StartScheduler("scheduler", Clockwork{Schedules: []scheduled{line}, From: nightsFrom, Until: nightsUntil}), AwaitEnd("scheduler"),
		StartWorker(cleanWorker, Hands{Ack: "late", Concurrency: 4, Multiplier: 10}), AwaitRuns(nights),
	}
	c.Final = []Step{MeasureNights("scheduler", wall, zone.name)}
	skipped := 0
	if zone.skips == wall {
		skipped = 2
	}
	c.Predicted = check.Bounds{"planned": {nights, nights}, "finished": {nights, nights}, "days_without": {0, 0}, "days_twice": {0, 0}, "off_time": {skipped, skipped}, "unknown_ticks": {0, 0}}
	if sys.Celery {
		delete(c.Predicted, "unknown_ticks") // no id of its tells the minute
	}
	c.Because = "every day has one tick: a time of day that the clock skips is made up for when it jumps, one that comes twice counts once"
	if wall == "00:00" {
		c.Claims = map[string]check.Bounds{"G1": {"days_without": {0, 0}, "days_twice": {0, 0}, "off_time": {0, 0}, "never_sent": {0, 0}, "lost": {0, 0}, "repeated": {0, 0}}}
	}
	return c
}
