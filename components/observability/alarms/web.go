package alarms

// Source: User Guide for Application Load Balancers, User Guide for Network Load Balancers, "CloudWatch metrics".
const (
	applicationELB = "AWS/ApplicationELB"
	networkELB     = "AWS/NetworkELB"
)

func web() []Alarm {
	return []Alarm{
		// Without errors there is no value.
		ours("web-errors", "HTTPCode_ELB_5XX_Count", Sum).from(applicationELB).of(Web).line(Above, 10, 3, 5).missing(MissingIsGood).
			page("the load balancer finds no engine that answers"),
		ours("web-engine-errors", "HTTPCode_Target_5XX_Count", Sum).from(applicationELB).of(Web).line(Above, 10, 3, 5).missing(MissingIsGood).
			notice("engines answer requests with errors of their own"),
		ours("web-down", "HealthyHostCount", Maximum).from(applicationELB).of(WebTargets).line(Below, 1, 3, 3).page("no engine is healthy for the web load balancer"),
		ours("web-unhealthy", "UnHealthyHostCount", Maximum).from(applicationELB).of(WebTargets).line(Above, 0, 10, 10).notice("an engine is not healthy for the web load balancer"),
		ours("carriers-down", "HealthyHostCount", Maximum).from(networkELB).of(CarrierTargets).line(Below, 1, 3, 3).page("no SBC is healthy for the carriers' load balancer"),
		ours("carriers-unhealthy", "UnHealthyHostCount", Maximum).from(networkELB).of(CarrierTargets).line(Above, 0, 10, 10).
			notice("an SBC is not healthy for the carriers' load balancer"),
	}
}
