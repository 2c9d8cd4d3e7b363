package alarms

import "github.com/calldata/calldata-foundation/components/metrics"

func sip() []Alarm {
	return []Alarm{
		ours("targets-down", metrics.TargetsDown, Maximum).on(Router, SBC).line(Above, 0, 5, 5).page("an engine, Router or carrier does not answer Kamailio"),
		ours("carrier-registrations", metrics.RegistrationsDown, Maximum).on(Router).line(Above, 0, 10, 10).page("a carrier refuses our registration"),
		ours("registrations-fall", metrics.Registrations, Maximum).of(Machine).on(Engine).every(300).by(Fall{Least: 10}).line(Above, 20, 1, 1).
			page("more than a fifth of the phones went within five minutes"),
		// Busy and unanswered calls are in it.
		ours("calls-fail", metrics.FailedCalls, Sum).on(Router).every(300).by(PercentOf{Metric: metrics.Calls, Least: 20}).line(Above, 70, 3, 3).
			page("more than 70 % of the calls end without an answer, for a quarter of an hour"),
		ours("no-calls", metrics.Calls, Sum).on(Router).every(300).line(Below, 1, 6, 6).inBusinessHours().page("nobody has called for half an hour, in business hours"),
		ours("server-errors", metrics.ServerErrors, Sum).on(Router, SBC).line(Above, 0, 5, 5).notice("Kamailio answers with errors 5xx in each of five minutes"),
		ours("calls-many", metrics.ActiveCalls, Average).of(Fleet).line(Above, 1.2, 15, 15).shareOf(Calls).
			notice("machines carry a fifth more calls than the fleet is to be kept at: it cannot grow fast enough, or no more"),
		ours("shared-memory", metrics.SharedMemoryUsed, Maximum).on(Router, SBC).line(Above, 80, 5, 5).notice("Kamailio has used more than 80 % of its shared memory"),
		// A call takes four.
		ours("media-ports", metrics.MediaPortsFree, Minimum).on(SBC).line(Below, 1000, 3, 3).page("rtpengine has fewer than 1000 ports left"),
		ours("media-one-way", metrics.MediaOneWay, Sum).on(SBC).every(300).line(AtLeast, 10, 2, 2).notice("ten calls or more in five minutes had voice one way only"),
		// Source: ITU-T G.107, annex B: below 3.6 many users are dissatisfied.
		ours("media-quality", metrics.MediaQuality, Average).on(SBC).every(300).line(Below, 3.6, 3, 3).notice("calls sound bad: a mean opinion score below 3.6"),
		ours("bans", metrics.Bans, Maximum).on(SBC).every(300).line(Above, 50, 2, 2).notice("Kamailio refuses more than 50 addresses: an attack"),
	}
}
