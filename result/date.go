package result

import (
	"fmt"
	"strings"
	"time"
)

// dateLayouts are the forms of date_done in Celery: naive and in UTC up to
// version 5.2, with a zone in later ones. Go accepts a fraction after any "05".
var dateLayouts = []string{
	"2006-01-02T15:04:05Z07:00",
	"2006-01-02T15:04:05",
	"2006-01-02T15:04:05Z0700",
}

// formatDate writes t as Python's datetime.isoformat does of a naive moment: in
// UTC, without a fraction where that is zero.
func formatDate(t time.Time) string {
	t = t.UTC().Truncate(time.Microsecond)
	if t.Nanosecond() == 0 {
		return t.Format("2006-01-02T15:04:05")
	}
	return t.Format("2006-01-02T15:04:05.000000")
}

// parseDate reads an ISO 8601 moment; without a zone it is UTC.
func parseDate(text string) (time.Time, error) {
	iso := text
	if len(iso) > 10 && iso[10] == ' ' {
		iso = iso[:10] + "T" + iso[11:]
	}
	iso = strings.Replace(iso, ",", ".", 1)
	for _, layout := range dateLayouts {
		if t, err := time.Parse(layout, iso); err == nil {
			t = t.UTC().Truncate(time.Microsecond)
			if t.Year() < 1 || t.Year() > 9999 {
				break
			}
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("%.40q is not a moment of Python's", text)
}
