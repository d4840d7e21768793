package experiments

import (
	"math"
	"testing"
)

func TestJainsIndexTellsEqualSharesFromOneThatHasAll(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		finished []int
		want     float64
	}{
		{[]int{200, 200, 200, 200, 200}, 1},
		{[]int{1000, 0, 0, 0, 0}, 0.2},
		{[]int{160, 160, 200, 240, 240}, 0.9690},
	} {
		if got := (&shares{finished: c.finished}).jain(); math.Abs(got-c.want) > 0.0001 {
			t.Errorf("%v: %.4f, want %.4f", c.finished, got, c.want)
		}
	}
}

func TestTurnsAreStrictOrNot(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		order []int
		want  float64
	}{
		{[]int{0, 1, 2, 0, 1, 2, 0, 1, 2}, 100},
		{[]int{0, 0, 0, 1, 1, 1, 2, 2, 2}, 0},
		{[]int{0, 1, 2, 0, 2, 1, 0}, 75},
	} {
		s := shares{finished: make([]int, 3)}
		for i, w := range c.order {
			s.received = append(s.received, receipt{int64(i), w})
		}
		if got := s.turns(); math.Abs(got-c.want) > 0.01 {
			t.Errorf("%v: %.1f %%, want %.1f", c.order, got, c.want)
		}
	}
}
