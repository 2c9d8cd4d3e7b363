package alarms

import "github.com/calldata/calldata-foundation/components/metrics"

// outside are the alarms of calls from outside. They come every five minutes from a host that places nothing else, every half hour from
// GitHub, which begins scheduled workflows late, and leaves some out.
// Source: GitHub Docs, "Events that trigger workflows", schedule.
func outside() []Alarm {
	call := func(name, statistic string) Alarm {
		return ours(name, metrics.CallWorked, statistic).from(metrics.OutsideNamespace).of(Outside)
	}
	return []Alarm{
		// Most periods have no call.
		call("outside-call-fails", Minimum).every(300).line(Below, 1, 2, 12).missing(MissingIsGood).page("two calls from outside have failed within an hour"),
		call("outside-call-missing", SampleCount).every(900).line(Below, 1, 6, 6).missing(MissingIsBad).notice("nobody has called from outside for an hour and a half"),
	}
}
