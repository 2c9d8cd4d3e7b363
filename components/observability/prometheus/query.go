package prometheus

import (
	"fmt"
	"strings"

	"github.com/calldata/calldata-foundation/components/observability/alarms"
)

// statistics are how values of a period, and of the machines of a fleet, become one.
var statistics = map[string]struct{ over, across string }{
	alarms.Average: {"avg_over_time", "avg"}, alarms.Maximum: {"max_over_time", "max"}, alarms.Minimum: {"min_over_time", "min"},
	alarms.Sum: {"avg_over_time", "sum"}, alarms.SampleCount: {"count_over_time", "sum"},
}

const minute = 60

// Query is the series that an alarm looks at, with the labels thing, kind and role. It answers false for a metric that machines do
// not tell.
func Query(a alarms.Alarm) (string, bool) {
	m, ok := statistic(a, a.Metric, "")
	if !ok {
		return "", false
	}
	switch math := a.Math.(type) {
	case nil:
		return m, true
	case alarms.PercentOf:
		n, ok := statistic(a, math.Metric, "")
		return fmt.Sprintf("100 * %s / clamp_min(%s, 1) * (%s >= bool %g)", m, n, n, math.Least), ok
	case alarms.Fall:
		before, _ := statistic(a, a.Metric, fmt.Sprintf(" offset %ds", a.Seconds))
		return fmt.Sprintf("100 * (1 - %s / clamp_min(%s, 1)) * (%s >= bool %g)", m, before, before, math.Least), true
	}
	return "", false
}

// statistic is the statistic of a metric over the alarm's period. A range has both of its ends: a second less holds one period.
func statistic(a alarms.Alarm, metric, offset string) (string, bool) {
	r, ok := find(a.Namespace, metric)
	if !ok {
		return "", false
	}
	s, ok := statistics[a.Statistic]
	if !ok {
		return "", false
	}
	query := fmt.Sprintf("%s by (thing, kind, role) (%s(%s%s[%ds]%s))", s.across, s.over, r.name(), selector(a), a.Seconds-1, offset)
	if a.Statistic != alarms.Sum {
		return query, true
	}
	// A rate is a second's, and CloudWatch is told the others once a minute.
	times := a.Seconds
	if !r.rate {
		times /= minute
	}
	if times > 1 {
		query = fmt.Sprintf("%d * %s", times, query)
	}
	return query, true
}

// selector limits a metric to the kinds and roles that the alarm is of.
func selector(a alarms.Alarm) string {
	var kinds []string
	for _, kind := range a.Of {
		if kind == alarms.Machine || kind == alarms.Fleet {
			kinds = append(kinds, string(kind))
		}
	}
	matchers := []string{matcher("kind", kinds)}
	if len(a.Roles) > 0 {
		matchers = append(matchers, matcher("role", a.Roles))
	}
	return "{" + strings.Join(matchers, ",") + "}"
}

func matcher(label string, values []string) string {
	if len(values) == 1 {
		return fmt.Sprintf("%s=%q", label, values[0])
	}
	return fmt.Sprintf("%s=~%q", label, strings.Join(values, "|"))
}

// operators are the comparisons, and what holds where they do not.
var operators = map[alarms.Comparison]struct{ breaching, within string }{
	alarms.Above: {">", "<="}, alarms.AtLeast: {">=", "<"}, alarms.Below: {"<", ">="},
}

// Expression is what has a value for each thing whose alarm is on. It answers false for an alarm on what machines do not tell.
func Expression(a alarms.Alarm) (string, bool) {
	query, ok := Query(a)
	if !ok {
		return "", false
	}
	threshold := fmt.Sprintf("%g", a.Threshold)
	if a.Share != "" {
		threshold = fmt.Sprintf("on (thing) group_left () %g * %s{capacity=%q}", a.Threshold, Capacity, a.Share)
	}
	is := operators[a.Comparison]
	window := fmt.Sprintf("[%ds:%ds]", a.Periods*a.Seconds-1, a.Seconds)
	if a.Missing == alarms.MissingIsBad {
		// Too few good periods, whatever the others were, of a machine that Prometheus knows of.
		return fmt.Sprintf("group by (thing, kind, role) (up{job=%q,%s) unless on (thing) count_over_time((%s %s %s)%s) > %d",
			Job, strings.TrimPrefix(selector(a), "{"), query, is.within, threshold, window, a.Periods-a.Breaches), true
	}
	breaching := fmt.Sprintf("%s %s %s", query, is.breaching, threshold)
	if a.BusinessHours {
		breaching += " and on () " + BusinessHours
	}
	if a.Periods == 1 {
		return breaching, true
	}
	return fmt.Sprintf("count_over_time((%s)%s) >= %d", breaching, window, a.Breaches), true
}
