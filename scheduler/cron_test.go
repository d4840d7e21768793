package scheduler

import (
	"strings"
	"testing"
	"time"
)

func mustCron(t testing.TB, line, zone string) *crontab {
	t.Helper()
	timing, err := ParseCron(line, zone)
	if err != nil {
		t.Fatal(err)
	}
	return timing.(*crontab)
}

// between are the ticks after from, up to until, in the zone's own words.
func between(t testing.TB, timing Timing, zone, from, until string) []string {
	t.Helper()
	loc, err := time.LoadLocation(zone)
	if err != nil {
		t.Fatal(err)
	}
	at := func(s string) time.Time {
		m, err := time.Parse(time.RFC3339, s)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	var ticks []string
	for next := timing.Next(at(from)); !next.IsZero() && !next.After(at(until)); next = timing.Next(next) {
		ticks = append(ticks, next.In(loc).Format("02T15:04-07:00"))
	}
	return ticks
}

func TestTheNightsInWhichTheClockIsChanged(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ what, line, zone, from, until, want string }{
		{"02:30 does not exist: when the clock jumps", "30 2 * * *", "Europe/Berlin",
			"2026-03-28T00:00:00Z", "2026-03-30T12:00:00Z", "28T02:30+01:00 29T03:00+02:00 30T02:30+02:00"},
		{"02:30 comes twice: the first", "30 2 * * *", "Europe/Berlin",
			"2026-10-24T00:00:00Z", "2026-10-26T12:00:00Z", "24T02:30+02:00 25T02:30+02:00 26T02:30+01:00"},
		{"several times that do not exist are due once", "0,15,30,45 2,3 * * *", "Europe/Berlin",
			"2026-03-29T00:00:00Z", "2026-03-29T01:20:00Z", "29T03:00+02:00 29T03:15+02:00"},
		{"*/20 follows real time in spring", "*/20 * * * *", "Europe/Berlin",
			"2026-03-29T00:30:00Z", "2026-03-29T01:20:00Z", "29T01:40+01:00 29T03:00+02:00 29T03:20+02:00"},
		{"*/30 follows real time in autumn", "*/30 * * * *", "Europe/Berlin",
			"2026-10-25T00:00:00Z", "2026-10-25T02:00:00Z", "25T02:30+02:00 25T02:00+01:00 25T02:30+01:00 25T03:00+01:00"},
		{"hourly at half past follows real time", "30 * * * *", "America/New_York",
			"2026-11-01T04:00:00Z", "2026-11-01T07:00:00Z", "01T00:30-04:00 01T01:30-04:00 01T01:30-05:00"},
		{"New York in spring", "30 2 * * *", "America/New_York",
			"2026-03-07T12:00:00Z", "2026-03-09T12:00:00Z", "08T03:00-04:00 09T02:30-04:00"},
		{"midnight does not exist in Beirut", "0 0 * * *", "Asia/Beirut",
			"2026-03-28T00:00:00Z", "2026-03-30T12:00:00Z", "29T01:00+03:00 30T00:00+03:00"},
		{"Beirut goes back over midnight: the day begins once", "0 0 * * *", "Asia/Beirut",
			"2026-10-24T12:00:00Z", "2026-10-26T12:00:00Z", "25T00:00+02:00 26T00:00+02:00"},
		{"half past eleven comes twice in Beirut", "30 23 * * *", "Asia/Beirut",
			"2026-10-24T12:00:00Z", "2026-10-25T23:00:00Z", "24T23:30+03:00 25T23:30+02:00"},
		{"Lord Howe jumps by half an hour", "15 2 * * *", "Australia/Lord_Howe",
			"2026-10-03T00:00:00Z", "2026-10-05T00:00:00Z", "04T02:30+11:00 05T02:15+11:00"},
		{"Lord Howe goes back by half an hour", "45 1 * * *", "Australia/Lord_Howe",
			"2026-04-04T00:00:00Z", "2026-04-05T10:00:00Z", "05T01:45+11:00"},
		{"Kolkata never changes", "30 2 * * *", "Asia/Kolkata",
			"2026-03-28T00:00:00Z", "2026-03-30T00:00:00Z", "29T02:30+05:30 30T02:30+05:30"},
		{"a day that Apia left out is over when the next begins", "0 5 * * *", "Pacific/Apia",
			"2011-12-29T12:00:00Z", "2011-12-31T12:00:00Z", "29T05:00-10:00 31T00:00+14:00 31T05:00+14:00"},
	} {
		got := strings.Join(between(t, mustCron(t, c.line, c.zone), c.zone, c.from, c.until), " ")
		if got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.what, got, c.want)
		}
	}
}

// TestCronAgainstAWalk compares with a walk, minute by minute, through the weeks in
// which clocks are changed, that knows no more than what the clock on the wall shows.
func TestCronAgainstAWalk(t *testing.T) {
	t.Parallel()
	lines := []string{"30 2 * * *", "0 0 * * *", "15 0,1,2,3 * * *", "5 1-3 * * sun", "*/7 * * * *", "0 */2 * * *", "59 23 28-31 * *", "0 12 13 * FRI"}
	for _, zone := range []string{"", "Europe/Berlin", "America/New_York", "Asia/Beirut", "Asia/Kolkata", "Australia/Lord_Howe", "America/Nuuk", "Europe/Dublin"} {
		for _, line := range lines {
			for _, month := range []time.Month{time.March, time.October} {
				start := time.Date(2026, month, 5, 0, 0, 0, 0, time.UTC)
				walk(t, mustCron(t, line, zone), line+" in "+zone, start, start.Add(33*24*time.Hour))
			}
		}
	}
}

func walk(t *testing.T, c *crontab, what string, now, until time.Time) {
	next, high := c.Next(now), onWall(now, c.zone)
	for now.Before(until) {
		now = now.Add(time.Minute)
		wall, due := onWall(now, c.zone), false
		if c.follows {
			due = c.shows(wall)
		} else {
			for high.Before(wall) { // what the clock shows, or has jumped over
				high = high.Add(time.Minute)
				due = due || c.shows(high)
			}
		}
		if due != next.Equal(now) {
			t.Fatalf("%s: at %s due is %v, Next said %s", what, now.In(c.zone), due, next.In(c.zone))
		}
		if due {
			next = c.Next(now)
		}
	}
}

// shows tells whether a time on the wall is one of the line.
func (c *crontab) shows(wall time.Time) bool {
	return c.month>>wall.Month()&1 == 1 && c.onDay(wall) && c.hour>>wall.Hour()&1 == 1 && c.minute>>wall.Minute()&1 == 1
}

func TestCronNamesStepsAndRanges(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ line, from, want string }{
		{"*/15 9-17 * * MON-FRI", "2026-11-20T17:45:00Z", "2026-11-23T09:00:00Z"},
		{"0 6 29 2 *", "2026-01-01T00:00:00Z", "2028-02-29T06:00:00Z"},
		{"0 6 29 feb *", "2096-03-01T00:00:00Z", "2104-02-29T06:00:00Z"},
		{"0 0 13 * fri", "2026-11-01T00:00:00Z", "2026-11-06T00:00:00Z"}, // either kind of day
		{"5/20 3 1 jan,jul *", "2026-11-01T00:00:00Z", "2027-01-01T03:05:00Z"},
		{"* * * * *", "2026-11-01T00:00:59.999Z", "2026-11-01T00:01:00Z"},
		{"0 0 31 12 *", "2026-12-31T00:00:00Z", "2027-12-31T00:00:00Z"},
	} {
		from, _ := time.Parse(time.RFC3339, c.from)
		if got := mustCron(t, c.line, "").Next(from).Format(time.RFC3339); got != c.want {
			t.Errorf("%q after %s: %s, want %s", c.line, c.from, got, c.want)
		}
	}
}

func TestCronLinesThatAreRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ line, zone, want string }{
		{"0 0 30 2 *", "", `cron: "0 0 30 2 *": there is no such day, it would never be due`},
		{"0 0 31 apr,jun *", "", "never be due"},
		{", 0 * * *", "", "never be due"},
		{"0 0 * * * *", "", `cron: "0 0 * * * *" has 6 fields, not the five minute, hour, day of month, month, day of week; there is none for seconds, an interval of seconds is written as every`},
		{"0 0 * *", "", "has 4 fields"},
		{"", "", "has 0 fields"},
		{"@daily", "", `write five fields, such as "0 0 * * *"`},
		{"TZ=Europe/Berlin", "", "the zone is a setting of its own"},
		{"61 0 * * *", "", "above maximum (59): 61"},
		{"0 0 * * 8", "", "above maximum (6)"},
		{"0 0 * * 5-8", "", "above maximum (6)"},
		{"0 0 * * 7-2", "", "beyond end of range"},
		{"0 0 * * no-7", "", "no"},
		{"0 0 * * 1-7/x", "", "x"},
		{"0 0 * * wednesday", "", "wednesday"},
		{"*/0 * * * *", "", "step"},
		{"0 5-3 * * *", "", "beyond end of range"},
		{"0 0 * * *", "Europe/Berln", `zone: "Europe/Berln" is unknown`},
		{"0 0 * * *", "Local", "differs from machine to machine"},
		{"0 0 * * *", "../../etc/passwd", "is unknown"},
	} {
		if _, err := ParseCron(c.line, c.zone); err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q in %q: %v\nwant %s", c.line, c.zone, err, c.want)
		}
	}
}

// Go says of the last day of leap years beyond the table of a zone, from 2040 on,
// that the stretch it lies in has ended.
func TestTheLastDayOfADistantLeapYear(t *testing.T) {
	t.Parallel()
	for _, zone := range []string{"Europe/Berlin", "America/New_York", "Australia/Sydney", "Pacific/Auckland", "America/Santiago", "UTC"} {
		loc, err := time.LoadLocation(zone)
		if err != nil {
			t.Fatal(err)
		}
		for line, times := range map[string][]int{"30 12 * * *": {12*60 + 30}, "15 */12 * * *": {15, 12*60 + 15}} {
			c := mustCron(t, line, zone)
			for _, year := range []int{2040, 2044, 2048, 2096} {
				at := time.Date(year, 12, 29, 23, 0, 0, 0, loc)
				for day := 30; day < 30+5; day++ {
					for _, minute := range times {
						want := time.Date(year, 12, day, 0, minute, 0, 0, loc)
						if at = c.Next(at); !at.Equal(want) {
							t.Fatalf("%q in %s: %s, want %s", line, zone, at.In(loc), want)
						}
					}
				}
			}
		}
	}
	weekly := every("weekly", 0) // its jitter is checked against decades of ticks
	weekly.Cron, weekly.Zone, weekly.Jitter = "5 7 * * fri", "Europe/Berlin", 2*time.Minute
	if err := weekly.Check(); err != nil {
		t.Error(err)
	}
}

func FuzzCron(f *testing.F) {
	f.Add("*/5 1-3 * mar sun", "Europe/Berlin", int64(1_774_700_000))
	f.Add("0 0 30 2 *", "", int64(0))
	f.Add("5 7 * * fri", "Europe/Berlin", int64(2_240_524_000)) // 31 December 2040
	f.Fuzz(func(t *testing.T, line, zone string, at int64) {
		timing, err := ParseCron(line, zone)
		if err != nil {
			return
		}
		after := time.Unix(at%(1<<33), 0)
		next := timing.Next(after)
		if !next.After(after) || next.Nanosecond() != 0 {
			t.Errorf("%q in %q: after %s comes %s", line, zone, after, next)
		}
	})
}

func BenchmarkCronNext(b *testing.B) {
	c := mustCron(b, "30 2 * * *", "Europe/Berlin")
	now := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	b.ReportAllocs()
	for b.Loop() {
		now = c.Next(now)
	}
}

func TestADayThatBeginsWithAStarRestrictsNothingForTheOther(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{ // November 2026 begins on a Sunday
		"0 0 */2 * mon":   "09T00:00+00:00 23T00:00+00:00",
		"0 0 */10 * 1":    "",
		"0 0 1 * */6":     "01T00:00+00:00",
		"0 0 1-31/20 * 1": "01T00:00+00:00 02T00:00+00:00 09T00:00+00:00 16T00:00+00:00 21T00:00+00:00 23T00:00+00:00 30T00:00+00:00",
	} {
		if got := strings.Join(between(t, mustCron(t, line, ""), "UTC", "2026-10-31T23:00:00Z", "2026-11-30T23:00:00Z"), " "); got != want {
			t.Errorf("%s:\n got %s\nwant %s", line, got, want)
		}
	}
	if _, err := ParseCron("0 0 ? * 1", ""); err == nil || !strings.Contains(err.Error(), "no ?") {
		t.Errorf("%v", err)
	}
}

func TestTheTextOfATimingIsTheSameHoweverItIsWritten(t *testing.T) {
	t.Parallel()
	text := func(line, zone string) string {
		s := every("a", 0)
		s.Cron, s.Zone = line, zone
		return s.TimingText()
	}
	if a, b := text("0 0 * * mon", ""), text(" 0  0 * *\tMON ", "UTC"); a != b {
		t.Errorf("%q and %q", a, b)
	}
	if a, b := text("0 0 * * mon", ""), text("0 0 * * mon", "Europe/Berlin"); a == b {
		t.Errorf("%q in two zones", a)
	}
}

func TestSundayIs0Or7(t *testing.T) {
	t.Parallel()
	for field, want := range map[string]string{
		"7": "0", "7,3": "0,3", "5-7": "0,5,6", "fri-7": "0,5,6", "0-7": "0-6", "sun-7": "0-6", "1-7": "1-6,0", "7-7": "0",
		"1-7/2": "0,1,3,5", "0-7/2": "0,2,4,6", "2-7/2": "2,4,6", "2-7/9223372036854775807": "2", "7/2": "0", "5-7,2": "0,2,5,6", "1-5": "1-5",
	} {
		if got, want := mustCron(t, "0 0 * * "+field, "").dow, mustCron(t, "0 0 * * "+want, "").dow; got != want {
			t.Errorf("%s: days %b, want %b", field, got, want)
		}
	}
}
