package cost

import (
	"errors"
	"fmt"

	"github.com/calldata/calldata-foundation/stacks"
)

// Assumptions are what the topology does not say: how much the stack is used.
type Assumptions struct {
	// CallMinutes are minutes of calls in a month.
	CallMinutes float64 `json:"callMinutes"`
	// LogGB is what each machine writes to CloudWatch Logs in a month, its share of the flow logs included.
	LogGB float64 `json:"logGb"`
	// NATGB is what each private machine fetches through NAT in a month, packages above all; S3 has a way of its own.
	NATGB float64 `json:"natGb"`
	// WebRequests are millions of requests to the web load balancer in a month.
	WebRequests float64 `json:"webRequestsMillion"`
	// CapacityUnits is what each load balancer uses on average.
	CapacityUnits float64 `json:"capacityUnits"`
}

// DefaultAssumptions suit a stack of the kind that is used as its name says: dev and stage for tests, prod for some 50
// concurrent calls in office hours.
func DefaultAssumptions(kind stacks.Kind) Assumptions {
	a := Assumptions{CallMinutes: 1000, LogGB: 1, NATGB: 5, WebRequests: 0.1, CapacityUnits: 1}
	if kind == stacks.KindProd {
		a.CallMinutes, a.LogGB, a.WebRequests = 500_000, 3, 5
	}
	return a
}

func (a Assumptions) validate() error {
	var errs []error
	for _, v := range []struct {
		flag  string
		value float64
	}{{"--call-minutes", a.CallMinutes}, {"--log-gb", a.LogGB}, {"--nat-gb", a.NATGB}, {"--web-requests", a.WebRequests}, {"--capacity-units", a.CapacityUnits}} {
		if !(v.value >= 0 && v.value <= 1e12) { // also refuses NaN
			errs = append(errs, fmt.Errorf("%s is %g, want 0 or more", v.flag, v.value))
		}
	}
	return errors.Join(errs...)
}

// What else is assumed.
const (
	// mbPerCallMinute is one direction of one leg: G.711 in packets of 20 ms is 50 packets of 200 bytes a second.
	// Source: RFC 3551, 4.5.14; 160 bytes of voice, 12 of RTP, 8 of UDP and 20 of IPv4.
	mbPerCallMinute = 0.6
	// outsideLegs are a call's legs that leave AWS: a phone's and a carrier's.
	outsideLegs = 2
	// snapshotFill and snapshotChange are how much of a volume holds data, and how much of that changes in a day.
	snapshotFill, snapshotChange = 0.5, 0.03
	// detailedMetrics is what detailed monitoring of an instance has. Source: aws.amazon.com/cloudwatch/pricing, examples.
	detailedMetrics = 7
	// nodeAlarms are the recovery alarms of a fixed machine, fleetAlarms those that target tracking makes for two metrics.
	nodeAlarms, fleetAlarms = 2, 4
	// webRules are the rules of the web ACL that the component alb makes.
	webRules = 4
	// ssmServices are the interface endpoints that Systems Manager needs.
	ssmServices = 3
	// replicationMetrics are those that S3 tells of a rule of replication. Source: Amazon S3 User Guide, "Using S3 Replication metrics".
	replicationMetrics = 4
	// trailAlarms are those that the component baseline makes of the CIS benchmark.
	trailAlarms = 15
	// Of an account with a stack or two.
	configItems, securityChecks, trailEventsMillion, trailLogGB = 2000, 5000, 1, 2
)

// words says all of it to a person.
func (a Assumptions) words(t stacks.Topology) []string {
	out := []string{
		fmt.Sprintf("List prices on demand of %s, as of %s, for Linux, without free tiers, discounts, support and taxes; 730 hours a month.", PricesOf, AsOf),
	}
	if t.Region != PricesOf {
		out = append(out, fmt.Sprintf("The stack is in %s, whose prices differ from those of %s; most regions cost more.", t.Region, PricesOf))
	}
	if t.Account != nil {
		return append(out, fmt.Sprintf("AWS Config records %d items and judges each once, Security Hub makes %d checks, CloudTrail sees %d million events and writes %d GB to CloudWatch.",
			configItems, securityChecks, trailEventsMillion, trailLogGB))
	}
	out = append(out,
		fmt.Sprintf("%.0f minutes of calls, G.711, with %d legs outside of AWS: %.1f GB to the internet.", a.CallMinutes, outsideLegs, a.trafficGB()),
		fmt.Sprintf("Each machine writes %g GB of logs.", a.LogGB))
	if t.Network != nil && t.Network.Nat != stacks.NatNone {
		out = append(out, fmt.Sprintf("Each private machine fetches %g GB through NAT.", a.NATGB))
	}
	if t.Web != nil {
		out = append(out, fmt.Sprintf("%g million web requests; %g capacity units on average for each load balancer.", a.WebRequests, a.CapacityUnits))
	}
	if t.Backup != nil {
		out = append(out, fmt.Sprintf("Volumes with backups are %.0f %% full, and %.0f %% of that changes each day. Backups of the database fit into the size of its storage, which is free.",
			snapshotFill*100, snapshotChange*100))
	}
	if t.Backup != nil && t.Backup.CopyRegion != "" {
		out = append(out, fmt.Sprintf("Copies of backups in %s are priced as in %s, the database's like a volume. Not counted: the first transfer of everything, archives in S3 and their copies.", t.Backup.CopyRegion, PricesOf))
	}
	if len(t.Fleets) > 0 {
		out = append(out, "Fleets are at their least; the column AT MOST has them at their greatest all month.")
	}
	return append(out, "Not counted: traffic between zones (0.01 USD per GB and direction), requests to KMS, S3 and Secrets Manager, T3 CPU credits beyond the baseline, "+
		"rotated key material, and what `calldata bootstrap` makes (about 1 USD).")
}

// trafficGB is what calls send to the internet.
func (a Assumptions) trafficGB() float64 { return a.CallMinutes * mbPerCallMinute * outsideLegs / 1000 }
