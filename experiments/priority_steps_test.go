package experiments

import (
	"slices"
	"testing"

	"acklab/broker"
)

func TestTheOrderOfServiceComesFromTheLevels(t *testing.T) {
	t.Parallel()
	cycle := []int{3, 7, 0, 9, 1}
	if got, want := byLevel(broker.Traits{PriorityLevels: 10}, 5, cycle), []int{9, 7, 3, 1, 0}; !slices.Equal(got, want) {
		t.Errorf("ten levels: %v; want %v", got, want)
	}
	steps := byLevel(broker.Traits{PriorityLevels: 4}, 5, cycle)
	if want := []int{7, 9, 3, 1, 0}; !slices.Equal(steps, want) {
		t.Errorf("four levels: %v; want %v", steps, want)
	}
	if n := inverted(steps); n != 1 { // 7 before 9
		t.Errorf("%d inversions; want 1", n)
	}
	if n := inverted(byLevel(broker.Traits{}, 5, cycle)); n != 5 { // as they were sent: 3-7, 3-9, 7-9, 0-9, 0-1
		t.Errorf("%d inversions without priorities; want 5", n)
	}
}
