package check

import (
	"fmt"
	"math"
	"strconv"
)

// UpperBound95 is the one-sided 95 % upper confidence bound of a probability
// of which k of n trials were seen (Clopper and Pearson, 1934): the p at which
// k or fewer of n would be seen in one of twenty runs. Nothing is known of no
// trials: 1. A k outside of 0 to n is taken as the nearer end.
func UpperBound95(k, n int) float64 {
	k = max(k, 0)
	if n <= 0 || k >= n {
		return 1
	}
	if k == 0 {
		return -math.Expm1(math.Log(0.05) / float64(n))
	}
	lo, hi := float64(k)/float64(n), 1.0
	for range 64 {
		mid := (lo + hi) / 2
		if atMost(k, n, mid) > 0.05 {
			lo = mid
		} else {
			hi = mid
		}
	}
	return hi
}

// atMost is the probability of k or fewer successes in n trials of chance p,
// for 0 < p < 1.
func atMost(k, n int, p float64) float64 {
	logFactorial := func(x int) float64 { v, _ := math.Lgamma(float64(x) + 1); return v }
	sum := 0.0
	for i := range k + 1 {
		sum += math.Exp(logFactorial(n) - logFactorial(i) - logFactorial(n-i) +
			float64(i)*math.Log(p) + float64(n-i)*math.Log1p(-p))
	}
	return min(sum, 1)
}

// Frequency says how often something was seen and how often it may happen:
// "0 of 50, below 5.8 %". Where it was seen every time the bound is from
// below: "50 of 50, above 94.2 %". It never says never.
func Frequency(k, n int) string {
	switch {
	case n <= 0:
		return "0 of 0"
	case k >= n:
		return fmt.Sprintf("%d of %d, above %s %%", n, n, percent(1-UpperBound95(0, n)))
	default:
		return fmt.Sprintf("%d of %d, below %s %%", max(k, 0), n, percent(UpperBound95(k, n)))
	}
}

// percent has one decimal, or as many as show two digits of what is left to 0
// or to 100.
func percent(p float64) string {
	p *= 100
	decimals := 1
	if rest := min(p, 100-p); rest > 0 && rest < 1 {
		decimals = 1 + int(math.Ceil(-math.Log10(rest)))
	}
	return strconv.FormatFloat(p, 'f', decimals, 64)
}
