package task

import (
	"testing"
	"time"
)

func TestMomentsAreReadAsPythonWritesThem(t *testing.T) {
	t.Parallel()
	at := func(h, m, s, micro int) time.Time { return time.Date(2026, 11, 21, h, m, s, micro*1000, time.UTC) }
	tests := map[string]time.Time{
		"2026-11-21T07:31:43.594084":       at(7, 31, 43, 594084),
		"2026-11-21T07:31:43.594084+00:00": at(7, 31, 43, 594084),
		"2026-11-21T07:31:43,5":            at(7, 31, 43, 500000),
		"2026-11-21T07:31:43.5940849Z":     at(7, 31, 43, 594084),
		"2026-11-21T07:31:43Z":             at(7, 31, 43, 0),
		"2026-11-21 07:31:43+01":           at(6, 31, 43, 0),
		"2026-11-21T07:31:43-0130":         at(9, 1, 43, 0),
		"2026-11-21T07:31":                 at(7, 31, 0, 0),
		"2026-11-21T07:31+05:30":           at(2, 1, 0, 0),
		"2026-11-21":                       at(0, 0, 0, 0),
	}
	for text, want := range tests {
		got, err := parseTime(text)
		if err != nil || !got.Equal(want) || got.Location() != time.UTC {
			t.Errorf("%s: got %v, want %v; error %v", text, got, want, err)
		}
		if back, err := parseTime(formatTime(got)); err != nil || !back.Equal(got) {
			t.Errorf("%s came back as %v, error %v", text, back, err)
		}
	}
}

func TestWhatIsNoMomentIsAnError(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"", "now", "1732174303", "2026-11-21T", "2026-02-30", "2026-11-21T25:00:00", "2026-11-21T07:31:43+00:00 ", "21.11.2026",
		"0000-12-31T00:00:00", "0001-01-01T00:00:00+10:00", "9999-12-31T23:59:59-10:00", "10000-01-01", "2026-11-21T07:31:43.",
	} {
		if got, err := parseTime(text); err == nil {
			t.Errorf("%q was read as %v", text, got)
		}
	}
}
