package dashboard

import (
	"hash/fnv"
	"math"

	"github.com/calldata/calldata-foundation/components/observability/dashboards"
)

// points is how many values a sample has.
const points = 48

// span is where the values of a sample lie.
type span struct{ from, to float64 }

// healthy is where values are on the good side of every threshold, or somewhere within the axis.
func healthy(p dashboards.Properties) span {
	axis := dashboards.Axis{}
	if p.YAxis != nil {
		axis = p.YAxis.Left
	}
	least, most := value(axis.Min, 0), value(axis.Max, math.Inf(1))
	low, high := least, most
	if p.Annotations != nil {
		for _, t := range p.Annotations.Horizontal {
			if t.Fill == "above" {
				high = math.Min(high, t.Value)
			} else {
				low = math.Max(low, t.Value)
			}
		}
	}
	switch {
	case high <= low: // whatever is not zero is wrong
		return span{low, low}
	case !math.IsInf(high, 1):
		return span{low + 0.3*(high-low), low + 0.6*(high-low)}
	case low > least:
		return span{1.5 * low, 2.5 * low}
	}
	return span{10, 40}
}

func value(v *float64, otherwise float64) float64 {
	if v == nil {
		return otherwise
	}
	return *v
}

// sample is a series that always looks the same for the same name: a wave with some noise.
func sample(name string, s span) []float64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(name)) // a hash takes everything
	state := h.Sum64()
	next := func() float64 { // xorshift64; Source: G. Marsaglia, "Xorshift RNGs", 2003
		state ^= state << 13
		state ^= state >> 7
		state ^= state << 17
		return float64(state>>11) / (1 << 53)
	}
	phase, turns := next(), 0.7+next()
	values := make([]float64, points)
	for i := range values {
		wave := 0.5 + 0.35*math.Sin(2*math.Pi*(phase+turns*float64(i)/points)) + 0.3*(next()-0.5)
		values[i] = s.from + (s.to-s.from)*math.Min(1, math.Max(0, wave))
	}
	return values
}
