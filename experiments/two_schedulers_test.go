package experiments

import (
	"testing"
	"time"

	"acklab/internal/ledger"
	"acklab/task"
)

// ticked are the lines of a scheduler that sends a tick, and of what its broker says.
func ticked(place int, said ledger.Event) []ledger.Line {
	due := time.Unix(1_800_000_000, 0).Add(time.Duration(place) * twinEvery)
	id := task.TickID("twin", due)
	return []ledger.Line{{Event: ledger.Attempted, Task: id, Wall: due}, {Event: said, Task: id, Wall: due}}
}

func TestWhatTheBrokerRefusedAsADoubleWasNotSentTwice(t *testing.T) {
	t.Parallel()
	for said, want := range map[ledger.Event]struct{ confirms, doubled int }{ledger.Confirmed: {8, 4}, ledger.Refused: {4, 0}} {
		s := sends{at: map[int64]int{}}
		for _, answer := range []ledger.Event{ledger.Confirmed, said} {
			var lines []ledger.Line
			for place := range 4 {
				lines = append(lines, ticked(place, answer)...)
			}
			s.take(lines, false)
		}
		due, missed, doubled := s.due()
		if s.attempts != 8 || s.confirms != want.confirms || due != 4 || missed != 0 || doubled != want.doubled {
			t.Errorf("the second is %s: %d attempts, %d confirms, %d due, %d missed, %d doubled; want 8, %d, 4, 0, %d", said, s.attempts, s.confirms, due, missed, doubled, want.confirms, want.doubled)
		}
	}
	gone := sends{at: map[int64]int{}}
	gone.take(append(ticked(0, ledger.Confirmed), ticked(3, ledger.Confirmed)...), false)
	if due, missed, doubled := gone.due(); due != 4 || missed != 2 || doubled != 0 {
		t.Errorf("%d due, %d missed, %d doubled of four of which the inner two are gone", due, missed, doubled)
	}
}
