package experiments

import (
	"fmt"
	"testing"
	"time"

	"acklab/internal/ledger"
)

// beaten are the lines of a beat that sends a tick of the schedule at these moments, in
// milliseconds.
func beaten(schedule string, moments ...int) (lines []ledger.Line) {
	for _, ms := range moments {
		id, at := fmt.Sprint(schedule, ms), int64(ms)*int64(time.Millisecond)
		lines = append(lines,
			ledger.Line{Event: ledger.Planned, Task: id, Mono: at, Detail: map[string]string{"schedule": schedule}},
			ledger.Line{Event: ledger.Confirmed, Task: id, Mono: at + int64(time.Millisecond)})
	}
	return lines
}

func TestWhatABeatRemembers(t *testing.T) {
	t.Parallel()
	before := append(beaten(seldom, 6000), beaten("twin", 5750, 6000)...)
	for _, c := range []struct {
		what          string
		seldom        int
		twins         []int
		gap           float64
		remembered    bool
		madeUp, after int
	}{
		{"remembers", 16_000, []int{8000, 8250, 8500, 12_500}, 100, true, 0, 3},
		{"has forgotten the last run", 8100, []int{8000, 8250, 8500}, 21, false, 0, 3},
		{"begins anew", 18_100, []int{8350, 8600, 8850}, 121, false, 0, 3},
		{"makes up for what was missed", 16_000, []int{8000, 8010, 8020, 8250}, 100, true, 2, 4},
	} {
		m, err := memoryOf(before, append(beaten("twin", c.twins...), beaten(seldom, c.seldom)...))
		if err != nil || m != (memory{c.gap, c.madeUp, c.after}) || m.remembered() != c.remembered {
			t.Errorf("a beat that %s: %+v, remembered %t, %v; want %v, %d, %d, %t", c.what, m, m.remembered(), err, c.gap, c.madeUp, c.after, c.remembered)
		}
	}
	for what, after := range map[string][]ledger.Line{
		"is up too late":    append(beaten("twin", 14_500), beaten(seldom, 16_000)...),
		"sends none of one": beaten("twin", 8000),
	} {
		if m, err := memoryOf(before, after); err == nil {
			t.Errorf("a second beat that %s: %+v, want an error", what, m)
		}
	}
}
