package task

import (
	"fmt"
	"strings"
	"time"
)

// isoLayout is how Python's datetime.isoformat writes a moment in UTC.
const isoLayout = "2006-01-02T15:04:05.000000-07:00"

// isoLayouts are the forms that are read, after a blank between date and time
// became a T. Go accepts a fraction of a second after any "05".
var isoLayouts = []string{
	"2006-01-02T15:04:05Z07:00",
	"2006-01-02T15:04:05",
	"2006-01-02T15:04:05Z0700",
	"2006-01-02T15:04:05Z07",
	"2006-01-02T15:04Z07:00",
	"2006-01-02T15:04",
	"2006-01-02",
}

// formatTime writes t in UTC with microseconds, all that Python can hold.
func formatTime(t time.Time) string { return t.UTC().Format(isoLayout) }

// expressible reports whether Python's datetime can hold t.
func expressible(t time.Time) bool {
	year := t.UTC().Year()
	return 1 <= year && year <= 9999
}

// parseTime reads an ISO 8601 moment. Without a zone it is UTC, as in Celery.
func parseTime(text string) (time.Time, error) {
	iso := text
	if len(iso) > 10 && iso[10] == ' ' {
		iso = iso[:10] + "T" + iso[11:]
	}
	iso = strings.Replace(iso, ",", ".", 1)
	for _, layout := range isoLayouts {
		t, err := time.Parse(layout, iso)
		if err != nil {
			continue
		}
		if !expressible(t) {
			return time.Time{}, fmt.Errorf("the year of %q is outside 1 to 9999", text)
		}
		return t.UTC().Truncate(time.Microsecond), nil
	}
	return time.Time{}, fmt.Errorf("%q is not an ISO 8601 time", text)
}
