package policy

import "slices"

func networkRules() []Rule {
	return []Rule{
		{
			ID: "CD-12", Title: "VPCs keep flow logs",
			Detail:     "Every VPC of the stack has a flow log of all traffic, or of what was rejected.",
			Levels:     levels(Mandatory, Stage, Prod),
			References: References{CIS: "3.7", SecurityHub: "EC2.6", Checkov: "CKV2_AWS_11", Prowler: "vpc_flow_logs_enabled"},
			check: func(c *checker) {
				for _, vpc := range c.of("ec2/vpc") {
					c.failUnless(slices.ContainsFunc(c.referrers(vpc, []string{"ec2/flowLog"}, "vpcId"), func(r Resource) bool {
						return r.get("trafficType").mayBe("ALL", "REJECT")
					}), vpc, "has no flow log: add an aws.ec2.FlowLog of trafficType ALL")
				}
			},
		},
		{
			ID: "CD-13", Title: "Subnets give nobody a public address unasked",
			Detail:     "mapPublicIpOnLaunch is not true on any subnet, public ones included.",
			Levels:     levels(Mandatory, Dev, Stage, Prod),
			References: References{SecurityHub: "EC2.15", Checkov: "CKV_AWS_130", Prowler: "vpc_subnet_no_public_ip_by_default"},
			check: func(c *checker) {
				for _, subnet := range c.of("ec2/subnet", "ec2/defaultSubnet") {
					c.failUnless(!subnet.get("mapPublicIpOnLaunch").isTrue(), subnet,
						"gives every machine a public address: take mapPublicIpOnLaunch away, and give addresses to those that need one")
				}
			},
		},
		{
			ID: "CD-15", Title: "Networks span zones, and have private subnets",
			Detail: "Each VPC has private subnets (whose route table has no route to an internet gateway) in at least 3 availability zones in prod, 2 in stage, and its public " +
				"subnets, where it has any, are in as many. Stage is advised. Zones that are not known yet pass.",
			Levels:     and(levels(Mandatory, Prod), levels(Advisory, Stage)),
			References: References{CIS: "REL10", Prowler: "vpc_subnet_different_az, vpc_subnet_separate_private_public"},
			check:      networksSpanZones,
		},
	}
}

// minZones is how many availability zones a network spans: two survive the loss of one, three survive it with a majority
// and a third less to hold in reserve.
var minZones = map[Scope]int{Stage: 2, Prod: 3}

func networksSpanZones(c *checker) {
	for _, vpc := range c.of("ec2/vpc") {
		var open, private []Resource
		for _, subnet := range c.referrers(vpc, []string{"ec2/subnet"}, "vpcId") {
			if c.routed(subnet, "gatewayId") {
				open = append(open, subnet)
			} else {
				private = append(private, subnet)
			}
		}
		want := minZones[c.Scope]
		if n, known := zones(private); known && n < want {
			c.fail(vpc, "has private subnets in %d availability zones, want %d: add zones, and a private subnet in each", n, want)
		}
		if n, known := zones(open); known && len(open) > 0 && n < want {
			c.fail(vpc, "has public subnets in %d availability zones, want %d: add a public subnet in each zone", n, want)
		}
	}
}

// routed reports whether the route table of a subnet has a route by way of target: gatewayId, natGatewayId. An S3
// endpoint's routes are not in route tables, and the local route names no gateway of ours.
func (c *checker) routed(subnet Resource, target string) bool {
	return len(c.gateways(subnet, target)) > 0
}

// gateways lists the gateways that the route table of a subnet names as target.
func (c *checker) gateways(subnet Resource, target string) []Resource {
	kinds := map[string][]string{"gatewayId": {"ec2/internetGateway"}, "natGatewayId": {"ec2/natGateway"}}[target]
	var found []Resource
	for _, association := range c.referrers(subnet, []string{"ec2/routeTableAssociation"}, "subnetId") {
		for _, table := range c.referents(association, []string{"ec2/routeTable"}, "routeTableId") {
			for _, route := range c.referrers(table, []string{"ec2/route"}, "routeTableId") {
				found = append(found, c.referents(route, kinds, target)...)
			}
			for _, route := range table.get("routes").list() {
				texts, _ := route.get(target).texts()
				for _, gateway := range c.of(kinds...) {
					if slices.ContainsFunc(texts, gateway.identifiedBy) {
						found = append(found, gateway)
					}
				}
			}
		}
	}
	return found
}

// zones counts the availability zones of subnets. Known is false when one of them cannot be seen.
func zones(subnets []Resource) (n int, known bool) {
	seen := map[string]bool{}
	for _, subnet := range subnets {
		zone := subnet.get("availabilityZone")
		if zone.missing() {
			zone = subnet.get("availabilityZoneId")
		}
		text, ok := zone.text()
		if !ok {
			return 0, false
		}
		seen[text] = true
	}
	return len(seen), true
}
