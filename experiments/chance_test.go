package experiments

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestDistributionsAddUpAndHaveTheirMeans(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		chance []float64
		mean   float64
	}{
		"tries at 1/2":      {tries(0.5, 3), 1 + 0.5 + 0.25 + 0.125},
		"tries that fail":   {tries(1, 3), 4},
		"tries that do not": {tries(0, 3), 1},
		"200 given up":      {sum(givenUp(0.5, 3), 200), 12.5},
		"200 of tries":      {sum(tries(0.5, 3), 200), 375},
	} {
		total, mean := 0.0, 0.0
		for n, p := range c.chance {
			total += p
			mean += float64(n) * p
		}
		if math.Abs(total-1) > 1e-9 || math.Abs(mean-c.mean) > 1e-6 {
			t.Errorf("%s: adds up to %g, mean %g, want 1 and %g", name, total, mean, c.mean)
		}
	}
}

func TestALikelyRangeIsAPointWhenNothingIsDrawn(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		p    float64
		want [2]int
	}{{0, [2]int{200, 200}}, {1, [2]int{800, 800}}} {
		if got := likely(sum(tries(c.p, 3), 200)); got != c.want {
			t.Errorf("tries at %g: %v, want %v", c.p, got, c.want)
		}
	}
}

// A simulation that does not share the arithmetic: the range must hold nearly
// all draws, and must not be so wide that it holds a service of another rate.
func TestALikelyRangeHoldsWhatIsDrawnAndNotMore(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	failed, requests := likely(sum(givenUp(0.5, 3), 200)), likely(sum(tries(0.5, 3), 200))
	outside := func(p float64, trials int) (n int) {
		for range trials {
			f, r := 0, 0
			for range 200 {
				try := 0
				for try < 4 {
					try++
					if rng.Float64() >= p {
						break
					} else if try == 4 {
						f++
					}
				}
				r += try
			}
			if f < failed[0] || f > failed[1] || r < requests[0] || r > requests[1] {
				n++
			}
		}
		return n
	}
	if n := outside(0.5, 5000); n > 5 {
		t.Errorf("%d of 5000 draws are outside %v failed, %v requests", n, failed, requests)
	}
	if n := outside(0.75, 500); n < 490 {
		t.Errorf("a service that fails at 0.75 is outside %v failed, %v requests in %d of 500 draws only", failed, requests, n)
	}
}
