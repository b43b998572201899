package history

import (
	"math"
	"math/rand/v2"
	"sort"
	"time"
)

// dice draws numbers of the shapes that histories have.
type dice struct{ *rand.Rand }

// spread draws a log-normal duration.
func (d dice) spread(median time.Duration, sigma float64) time.Duration {
	return time.Duration(float64(median) * math.Exp(sigma*d.NormFloat64()))
}

// pareto draws a whole number from least on, with a tail of exponent alpha.
func (d dice) pareto(least float64, alpha float64, most int) int {
	return int(min(least/math.Pow(1-d.Float64(), 1/alpha), float64(most)))
}

// from draws least to most.
func (d dice) from(least, most int) int { return least + d.IntN(most-least+1) }

// chance says yes with a probability.
func (d dice) chance(p float64) bool { return d.Float64() < p }

// shares draws indices by weights.
type shares []float64 // sums up to each index

func newShares(n int, weight func(i int) float64) shares {
	s, sum := make(shares, n), 0.0
	for i := range s {
		sum += weight(i)
		s[i] = sum
	}
	return s
}

// zipf gives index i the weight 1/(i+1)^e.
func zipf(n int, e float64) shares {
	return newShares(n, func(i int) float64 { return math.Pow(float64(i+1), -e) })
}

func (s shares) draw(d dice) int {
	x := d.Float64() * s[len(s)-1]
	return min(sort.SearchFloat64s(s, x), len(s)-1)
}
