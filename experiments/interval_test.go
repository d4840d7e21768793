package experiments

import (
	"testing"
	"time"

	"acklab/internal/ledger"
	"acklab/task"
)

// sentAt are the publishes of ticks that were due at places of the grid, each so much
// late. Those of Celery have ids of no meaning.
func sentAt(celery bool, places []int, late func(i int) time.Duration) []ledger.Line {
	start := time.Unix(1_800_000_000, 0)
	var lines []ledger.Line
	for i, place := range places {
		due := start.Add(time.Duration(place) * intervalEvery)
		id := task.TickID("beat", due)
		if celery {
			id = string(rune('a' + i))
		}
		at := due.Add(late(i))
		lines = append(lines, ledger.Line{Event: ledger.Attempted, Task: id, Wall: at, Mono: at.Sub(start).Nanoseconds() + 1})
	}
	return lines
}

func TestALateTickIsNeitherDriftNorLeftOut(t *testing.T) {
	t.Parallel()
	all := []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}
	gone := []int{0, 1, 2, 4, 5, 6, 7, 8, 9, 10}
	ms := func(n int) time.Duration { return time.Duration(n) * time.Millisecond }
	inTime := func(int) time.Duration { return 0 }
	for name, c := range map[string]struct {
		celery  bool
		places  []int
		late    func(int) time.Duration
		drift   float64
		leftOut int
	}{
		"in time":     {false, all, inTime, 0, 0},
		"one is late": {false, all, func(i int) time.Duration { return ms(map[int]int{7: 400}[i]) }, 0, 0},
		"most are late": {false, all, func(i int) time.Duration {
			return ms(map[int]int{0: 90, 1: 80, 2: 0, 5: 200, 6: 150, 7: 0, 8: 70, 9: 60}[i])
		}, 0, 0},
		"one is left out":               {false, gone, inTime, 0, 1},
		"Celery, in time":               {true, all, inTime, 0, 0},
		"Celery, each is 20 ms later":   {true, all, func(i int) time.Duration { return ms(20 * i) }, 100, 0},
		"Celery, one is left out":       {true, gone, inTime, 500, 1},
		"Celery, each is 60 ms sooner":  {true, all, func(i int) time.Duration { return ms(-60 * i) }, 300, 1},
		"each is later than the before": {false, all, func(i int) time.Duration { return ms(20 * i) }, 100, 0},
	} {
		m, err := intervalsOf(sentAt(c.celery, c.places, c.late), len(c.places), c.celery)
		if err != nil || m.drift != c.drift || m.leftOut != c.leftOut || m.offGrid != 0 {
			t.Errorf("%s: drift %v ms, %d left out, %d off the grid, %v; want %v ms, %d left out", name, m.drift, m.leftOut, m.offGrid, err, c.drift, c.leftOut)
		}
	}
	if m, err := intervalsOf(sentAt(true, all, inTime), len(all), false); err != nil || m.offGrid != len(all) {
		t.Errorf("ids of no meaning: %d off the grid, %v", m.offGrid, err)
	}
	if _, err := intervalsOf(nil, 2, false); err == nil {
		t.Error("intervals of nothing were measured")
	}
}
