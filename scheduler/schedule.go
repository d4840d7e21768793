package scheduler

import (
	"encoding/json"
	"strings"
	"time"
)

// Schedule says what is to be sent, and when. It is a value; the arguments are
// shared and never changed.
//
// In JSON and YAML the fields have the names name, task, args, kwargs, queue,
// priority, every, phase, cron, zone, at, expires, jitter, enabled, catch_up,
// window, overlap, max_runs; durations are texts such as "10s", moments RFC 3339.
// What is left out has its default: enabled true, catch_up once, overlap allow.
type Schedule struct {
	// Name tells schedules apart: 1 to 200 bytes of text.
	Name string
	// Task is the registered name of the task.
	Task string
	// Args and Kwargs are its arguments, each one JSON value.
	Args   []json.RawMessage
	Kwargs map[string]json.RawMessage
	// Queue is where the messages are published to; empty: where the scheduler's
	// routes send the task, else to DefaultQueue.
	Queue string
	// Priority is 0 to 9, as in task.Options. 0 is that of the route, unless
	// PriorityGiven: what JSON or YAML mentions is given, 0 too.
	Priority      int
	PriorityGiven bool

	// Exactly one of Every, Cron and At is set.

	// Every is an interval, 100 ms or more. Its ticks lie on a grid: every
	// multiple of Every since 1970, plus Phase. So they do not drift, and every
	// scheduler computes the same.
	Every time.Duration
	// Phase shifts the grid of Every; less than Every.
	Phase time.Duration
	// Cron is a line of five fields; see ParseCron.
	Cron string
	// Zone is the time zone of Cron, as in "Europe/Berlin"; empty: UTC.
	Zone string
	// At is one moment: the schedule has one tick.
	At time.Time

	// Expires is how long after its due time a task may still begin; 0: for ever.
	Expires time.Duration
	// Jitter is how late at the most a tick is sent on purpose. The delay of each
	// tick follows from its id, so all schedulers agree on it. Not more than
	// Every, than the shortest time between two ticks of Cron, nor than a day.
	Jitter time.Duration
	// Enabled: ticks of a schedule that is not enabled are not owed.
	Enabled bool
	// CatchUp says what becomes of ticks that could not be sent in time.
	CatchUp CatchUp
	// Window is how late a tick may be for CatchUp; 0: however late, which
	// CatchUp all does not take.
	Window time.Duration
	// Overlap says what becomes of a tick whose predecessor has not ended.
	Overlap Overlap
	// MaxRuns ends the schedule after so many ticks were sent; 0: no limit.
	// Ticks by hand do not count.
	MaxRuns int
}

// CatchUp is what becomes of ticks that could not be sent when they were due: no
// scheduler led, or the broker did not take them. A tick counts as late when the
// next one is due, or when its leader began after it.
type CatchUp string

// The policies of catching up.
const (
	// CatchUpNone: late ticks are not sent.
	CatchUpNone CatchUp = "none"
	// CatchUpOnce: of all late ticks the youngest is sent, as Celery beat does.
	CatchUpOnce CatchUp = "once"
	// CatchUpAll: all within Window are sent, oldest first.
	CatchUpAll CatchUp = "all"
)

// Overlap is what becomes of a tick while the task of the tick before it has not
// ended, as the result store tells.
type Overlap string

// The policies of overlapping.
const (
	// OverlapAllow: it is sent.
	OverlapAllow Overlap = "allow"
	// OverlapSkip: it is not sent. Nor is it when the result store cannot tell.
	OverlapSkip Overlap = "skip"
)

// Timing is when a schedule is due. It is pure and safe for concurrent use.
type Timing interface {
	// Next is the first tick after a moment, in UTC; the zero time: there is
	// none.
	Next(after time.Time) time.Time
}

// TimingText says when the schedule is due in a form that changes when its ticks
// do, and not when only the blanks, the case of names, or the name of UTC do; it is empty when it is not enabled. Ticks of another timing say
// nothing about what this one owes.
func (s Schedule) TimingText() string {
	switch {
	case !s.Enabled:
		return ""
	case s.Every > 0:
		return "every " + s.Every.String() + " phase " + s.Phase.String()
	case s.Cron != "":
		zone := s.Zone
		if zone == "UTC" {
			zone = ""
		}
		return "cron " + strings.ToLower(strings.Join(strings.Fields(s.Cron), " ")) + " " + zone
	}
	return "at " + s.At.UTC().Format(time.RFC3339Nano)
}
