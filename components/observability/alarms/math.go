package alarms

import "fmt"

// Series are values, one a period, the newest last. Nil is a value that is missing.
type Series []*float64

// Math makes one series of a metric and perhaps another. Expression is in CloudWatch's language, where the metric is m and the
// other n; Apply does the same.
// Source: Amazon CloudWatch User Guide, "Using math expressions with CloudWatch metrics".
type Math interface {
	// Other is the second metric, empty without one.
	Other() string
	Expression() string
	Apply(m, n Series) Series
}

// PercentOf is how many percent the metric is of another one. Below Least of the other it is 0: of few, each is many percent.
type PercentOf struct {
	Metric string
	Least  float64
}

// Other is the metric that is the whole.
func (p PercentOf) Other() string { return p.Metric }

// Expression is CloudWatch's.
func (p PercentOf) Expression() string { return fmt.Sprintf("IF(n >= %g, 100 * m / n, 0)", p.Least) }

// Apply does what the expression says: a period without either value has none.
func (p PercentOf) Apply(m, n Series) Series {
	return each(m, func(i int, value float64) *float64 {
		if n[i] == nil {
			return nil
		}
		percent := 0.0
		if *n[i] >= p.Least {
			percent = 100 * value / *n[i]
		}
		return &percent
	})
}

// Fall is by how many percent the metric fell since the period before. Below Least, before, it is 0.
type Fall struct{ Least float64 }

// Other is none.
func (Fall) Other() string { return "" }

// Expression is CloudWatch's.
func (f Fall) Expression() string {
	return fmt.Sprintf("IF(m - DIFF(m) >= %g, -100 * DIFF(m) / (m - DIFF(m)), 0)", f.Least)
}

// Apply does what the expression says: DIFF has no value for the first period, nor where one of the two is missing.
func (f Fall) Apply(m, _ Series) Series {
	return each(m, func(i int, value float64) *float64 {
		if i == 0 || m[i-1] == nil {
			return nil
		}
		before, percent := *m[i-1], 0.0
		if before >= f.Least {
			percent = 100 * (before - value) / before
		}
		return &percent
	})
}

func each(s Series, compute func(i int, value float64) *float64) Series {
	out := make(Series, len(s))
	for i, value := range s {
		if value != nil {
			out[i] = compute(i, *value)
		}
	}
	return out
}

// Hours are those in which business is done, Monday to Friday, in UTC: from From:00 until Until:00.
type Hours struct{ From, Until int }

// Within is the expression that is the series called id in business hours, and a value otherwise that breaches nothing. DAY is
// 1 on a Monday.
func (h Hours) Within(id string, otherwise float64) string {
	return fmt.Sprintf("IF(DAY(%[1]s) <= 5 AND HOUR(%[1]s) >= %[2]d AND HOUR(%[1]s) < %[3]d, %[1]s, %[4]g)", id, h.From, h.Until, otherwise)
}
