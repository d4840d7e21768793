package experiments

// Distributions of whole numbers, for predictions of what a seed draws: the
// chance of each value, from 0.

// certainty is the chance with which a predicted range of a random number
// holds it; the rest is shared by both ends.
const certainty = 0.9999

// tries is how many times a task is tried when each try fails with chance p
// and at most retries follow the first.
func tries(p float64, retries int) []float64 {
	chance := make([]float64, retries+2)
	left := 1.0
	for n := 1; n <= retries; n++ {
		chance[n] = left * (1 - p)
		left *= p
	}
	chance[retries+1] = left
	return chance
}

// givenUp is 1 for a task whose every try fails, else 0.
func givenUp(p float64, retries int) []float64 {
	all := 1.0
	for range retries + 1 {
		all *= p
	}
	return []float64{1 - all, all}
}

// sum is the sum of n independent draws of one distribution.
func sum(one []float64, n int) []float64 {
	total := []float64{1}
	for range n {
		next := make([]float64, len(total)+len(one)-1)
		for i, a := range total {
			for j, b := range one {
				next[i+j] += a * b
			}
		}
		total = next
	}
	return total
}

// likely is the range outside of which neither end has more than half of what
// certainty leaves.
func likely(chance []float64) [2]int {
	const outside = (1 - certainty) / 2
	lo, below := 0, chance[0]
	for below <= outside {
		lo++
		below += chance[lo]
	}
	hi := len(chance) - 1
	for above := chance[hi]; above <= outside; above += chance[hi] {
		hi--
	}
	return [2]int{lo, hi}
}
