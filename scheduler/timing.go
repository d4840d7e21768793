package scheduler

import "time"

// Timing is the schedule's, which must pass Check.
func (s Schedule) Timing() (Timing, error) {
	switch {
	case s.Every > 0:
		return interval{every: s.Every, phase: s.Phase}, nil
	case s.Cron != "":
		return ParseCron(s.Cron, s.Zone)
	}
	return moment(s.At), nil
}

// interval has a tick at every multiple of every since 1970, plus phase.
type interval struct{ every, phase time.Duration }

// Next is the first point of the grid after a moment.
func (i interval) Next(after time.Time) time.Time {
	past := time.Duration(after.UnixNano()) - i.phase
	n := past / i.every
	if past < 0 && past%i.every != 0 {
		n--
	}
	return time.Unix(0, int64((n+1)*i.every+i.phase)).UTC()
}

// moment has one tick.
type moment time.Time

// Next is the moment, before it.
func (m moment) Next(after time.Time) time.Time {
	if at := time.Time(m); at.After(after) {
		return at.UTC()
	}
	return time.Time{}
}
