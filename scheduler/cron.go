package scheduler

import (
	"math/bits"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // the zones are in the program: a container may have none

	"github.com/robfig/cron/v3"
)

// The syntax is robfig/cron's, which asynq brings along anyway. Its last release
// is of 2020, but only its parser is used, and the five fields have not changed
// since. Of its living successors, netresearch/go-cron wants a day of the month
// and a day of the week both where cron takes either, and adhocore/gronx reads the
// line anew at every question. When a line is due is computed here, because none
// of them has cron's own rules for the nights in which the clock is changed.
var cronSyntax = cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow)

// crontab is a line in a zone.
type crontab struct {
	minute, hour, dom, month, dow uint64 // bit n: n matches
	zone                          *time.Location
	// bothDays: a day has to be in dom and in dow; else either suffices.
	bothDays bool
	// follows: the line follows real time, not the clock on the wall.
	follows bool
}

// ParseCron reads a crontab line of five fields: minute, hour, day of the month,
// month, day of the week. Each is *, a number, a range a-b, one of these with a
// step /n, or several of them with commas; months and days of the week may be
// names (JAN, mon), and Sunday is 0 or 7, as in cron (Celery has 0 alone). If both kinds of day are restricted, either
// suffices, as in cron (Celery wants both). There, a field that begins with *
// restricts nothing: "0 0 */2 * mon" is the Mondays among the odd days. The zone is
// a name as in "Europe/Berlin"; empty is UTC.
//
// A line follows the clock on the wall, also in the nights in which that is
// changed:
//
//   - A time that does not exist (02:30 in spring) is due at the moment the clock
//     jumps; several such times are due once.
//   - A time that exists twice (02:30 in autumn) is due at the first.
//   - A line whose minute or hour begins with * (every 5 minutes, every hour at
//     half past) follows real time: nothing for the hour that does not exist, and
//     as ever in the one that comes twice.
//
// So a daily line is due once a day in every zone. These are the rules of Vixie
// cron. Celery beat has run such lines an hour late, early, twice or not at all
// in those nights (celery issues 1604, 6438, 9653), and robfig/cron leaves out
// what does not exist.
func ParseCron(line, zone string) (Timing, error) {
	if strings.HasPrefix(line, "@") {
		return nil, wrong("cron", "%q: write five fields, such as %q for once a day; an interval is written as every", line, "0 0 * * *")
	}
	if strings.Contains(line, "=") {
		return nil, wrong("cron", "%q: the zone is a setting of its own, zone", line)
	}
	fields := strings.Fields(line)
	if n := len(fields); n != 5 {
		hint := ""
		if n == 6 {
			hint = "; there is none for seconds, an interval of seconds is written as every"
		}
		return nil, wrong("cron", "%q has %d fields, not the five minute, hour, day of month, month, day of week%s", line, n, hint)
	}
	if strings.Contains(line, "?") {
		return nil, wrong("cron", "%q: cron has no ?, what is not restricted is written as *", line)
	}
	days := sundays(fields[4])
	parsed, err := cronSyntax.Parse(strings.Join(append(fields[:4:4], days), " "))
	if err != nil {
		return nil, wrong("cron", "%q: %w", line, err)
	}
	loc, err := loadZone(zone)
	if err != nil {
		return nil, err
	}
	set := parsed.(*cron.SpecSchedule)
	c := &crontab{minute: set.Minute, hour: set.Hour, dom: set.Dom, month: set.Month, dow: set.Dow, zone: loc,
		bothDays: strings.HasPrefix(fields[2], "*") || strings.HasPrefix(fields[4], "*"),
		follows:  strings.HasPrefix(fields[0], "*") || strings.HasPrefix(fields[1], "*")}
	if c.nextWall(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)).IsZero() {
		return nil, wrong("cron", "%q: there is no such day, it would never be due", line)
	}
	return c, nil
}

// sundays writes the days of the week of which the last is 7 one by one, as in 5,6,0 for
// 5-7: robfig/cron has 0 alone for Sunday. What is wrong stays, for its parser to say.
func sundays(field string) string {
	parts := strings.Split(field, ",")
	for i, part := range parts {
		span, by, stepped := strings.Cut(part, "/")
		from, to, ranged := strings.Cut(span, "-")
		if !ranged {
			to = from
		}
		first, step := 7, 1
		var err error
		if from != "7" {
			first, err = weekday(from)
		}
		if stepped && err == nil {
			step, err = strconv.Atoi(by)
		}
		if to != "7" || err != nil || step < 1 {
			continue
		}
		var days []string
		for day := first; day <= 7; day += min(step, 7) {
			days = append(days, strconv.Itoa(day%7))
		}
		parts[i] = strings.Join(days, ",")
	}
	return strings.Join(parts, ",")
}

// weekday reads one day of the week, 0 to 6 or a name.
func weekday(word string) (int, error) {
	parsed, err := cronSyntax.Parse("* * * * " + word)
	if err != nil {
		return 0, err
	}
	return bits.TrailingZeros64(parsed.(*cron.SpecSchedule).Dow), nil
}

// loadZone refuses the machine's own zone: schedulers elsewhere have another.
func loadZone(name string) (*time.Location, error) {
	if name == "Local" {
		return nil, wrong("zone", `"Local" differs from machine to machine: name it, as in "Europe/Berlin"`)
	}
	loc, err := time.LoadLocation(name)
	if err != nil {
		return nil, wrong("zone", "%q is unknown: want a name of the IANA list, such as %q", name, "Europe/Berlin")
	}
	return loc, nil
}

// Next is the first moment after another at which the line is due.
func (c *crontab) Next(after time.Time) time.Time {
	if c.follows {
		return c.nextReal(after)
	}
	for wall := onWall(after, c.zone); ; {
		if wall = c.nextWall(wall); wall.IsZero() {
			return wall
		}
		if t := reached(wall, c.zone); t.After(after) {
			return t
		}
	}
}

// nextReal is the next moment at which the clock on the wall shows a time of the
// line, for the first or second time.
func (c *crontab) nextReal(after time.Time) time.Time {
	wall := c.nextWall(onWall(after, c.zone))
	for segment := after.In(c.zone); !wall.IsZero(); {
		_, offset := segment.Zone()
		t := wall.Add(-time.Duration(offset) * time.Second)
		_, end := stretch(segment)
		if end.IsZero() || t.Before(end) {
			return t
		}
		segment = end
		wall = c.nextWall(onWall(end, c.zone).Add(-time.Nanosecond))
	}
	return time.Time{}
}

// onWall is what the clock on the wall shows, as if it were UTC.
func onWall(t time.Time, zone *time.Location) time.Time {
	t = t.In(zone)
	_, offset := t.Zone()
	return t.UTC().Add(time.Duration(offset) * time.Second)
}

// reached is the first moment at which the clock on the wall shows wall, or has
// jumped over it. No clock has ever been further from UTC than 16 hours.
func reached(wall time.Time, zone *time.Location) time.Time {
	segment := wall.Add(-40 * time.Hour).In(zone)
	for {
		_, offset := segment.Zone()
		start, end := stretch(segment)
		t := wall.Add(-time.Duration(offset) * time.Second)
		if !end.IsZero() && !t.Before(end) {
			segment = end
			continue
		}
		if t.Before(start) {
			t = start
		}
		return t.UTC()
	}
}

// stretch is the time around t in which the clock is not changed; end is after t,
// or zero. Of leap years that lie beyond the table of a zone, ZoneBounds says that
// their last stretch ends where 31 December begins, even when asked on that day;
// then it ends with the day.
func stretch(t time.Time) (start, end time.Time) {
	start, end = t.ZoneBounds()
	if !end.IsZero() && !end.After(t) {
		end = t.Truncate(24 * time.Hour).Add(24 * time.Hour).In(t.Location())
	}
	return start, end
}

// maxYears is how far the next day of a line can be away: 29 February is missing
// in the year 2100.
const maxYears = 8

// nextWall is the first time of the line after wall, on a calendar whose days
// have 24 hours; the zero time: there is none.
func (c *crontab) nextWall(wall time.Time) time.Time {
	wall = wall.Truncate(time.Minute).Add(time.Minute)
	y, m, d := wall.Date()
	earliest := wall.Hour()*60 + wall.Minute()
	for last := y + maxYears; y <= last; {
		day := time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
		y, m, d = day.Date()
		if c.month>>m&1 == 0 {
			m, d, earliest = m+1, 1, 0
			continue
		}
		if c.onDay(day) {
			if minute := c.minuteOfDay(earliest); minute >= 0 {
				return day.Add(time.Duration(minute) * time.Minute)
			}
		}
		d, earliest = d+1, 0
	}
	return time.Time{}
}

func (c *crontab) onDay(day time.Time) bool {
	dom := c.dom>>day.Day()&1 == 1
	dow := c.dow>>day.Weekday()&1 == 1
	if c.bothDays {
		return dom && dow
	}
	return dom || dow
}

// minuteOfDay is the first matching minute of a day from earliest on, or -1.
func (c *crontab) minuteOfDay(earliest int) int {
	for h := earliest / 60; h < 24; h++ {
		if c.hour>>h&1 == 0 {
			continue
		}
		from := 0
		if h == earliest/60 {
			from = earliest % 60
		}
		for m := from; m < 60; m++ {
			if c.minute>>m&1 == 1 {
				return h*60 + m
			}
		}
	}
	return -1
}
