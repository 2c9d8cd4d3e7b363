package policy

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strconv"

	"github.com/calldata/calldata-foundation/components/ports"
)

func firewallRules() []Rule {
	return []Rule{
		{
			ID: "CD-05", Title: "Nobody reaches SSH or RDP from the internet",
			Detail: "Ingress of security groups, inline or standalone, that covers port 22 or 3389 (TCP, or all protocols) from the internet. A range wider than /8 (IPv6: /12) " +
				"counts as the internet; prefix lists of the same stack are looked into. Sources that are not known yet pass.",
			Levels: levels(Mandatory, Dev, Stage, Prod),
			References: References{CIS: "5.3, 5.4", SecurityHub: "EC2.53, EC2.54", Checkov: "CKV_AWS_24, CKV_AWS_25",
				Prowler: "ec2_securitygroup_allow_ingress_from_internet_to_tcp_port_22"},
			check: noAdminFromInternet,
		},
		{
			ID: "CD-06", Title: "No network ACL lets the internet reach SSH or RDP",
			Detail: "Entries are judged in their order, as AWS does: an earlier denial of the port is enough. Every VPC must take its default ACL into its own hands, which is open otherwise.",
			Levels: levels(Mandatory, Stage, Prod),
			References: References{CIS: "5.2", SecurityHub: "EC2.21", Checkov: "CKV_AWS_231, CKV_AWS_232",
				Prowler: "ec2_networkacl_allow_ingress_tcp_port_22"},
			check: noAdminThroughACL,
		},
		{
			ID: "CD-07", Title: "The internet reaches SIP, media and HTTPS, and nothing else",
			Detail: "Ingress from the internet is for SIP (TCP and UDP 5060), SIP over TLS (TCP 5061), media (UDP 10000-20000 or 23000-32768), HTTPS and WSS (TCP 443). " +
				"TCP 80 may be open on a load balancer, where CD-33 sees to the redirect.",
			Levels: levels(Mandatory, Dev, Stage, Prod),
			References: References{SecurityHub: "EC2.18, EC2.19", Checkov: "CKV_AWS_260, CKV_AWS_277",
				Prowler: "ec2_securitygroup_allow_ingress_from_internet_to_high_risk_tcp_ports"},
			check: onlyServicesFromInternet,
		},
		{
			ID: "CD-08", Title: "Databases, brokers and control ports are never public",
			Detail: "Ingress from any address outside private ranges, be it a single one, that covers PostgreSQL, the Asterisk manager, AMQP, Consul, Redis, rtpengine's control port, " +
				"or a port that the platform's port table keeps for nobody.",
			Levels:     levels(Mandatory, Dev, Stage, Prod),
			References: References{SecurityHub: "EC2.19", Prowler: "ec2_instance_port_postgresql_exposed_to_internet"},
			check:      controlPortsPrivate,
		},
		{
			ID: "CD-09", Title: "Default security groups let nothing through",
			Detail: "Every VPC of the stack has its default security group managed, without rules, inline or standalone.",
			Levels: levels(Mandatory, Stage, Prod),
			References: References{CIS: "5.5", SecurityHub: "EC2.2", Checkov: "CKV2_AWS_12",
				Prowler: "ec2_securitygroup_default_restrict_traffic"},
			check: defaultGroupsClosed,
		},
		{
			ID: "CD-10", Title: "Security groups and their rules say what they are for",
			Detail:  "Each security group and each rule has a description other than the provider's default.",
			Levels:  levels(Mandatory, Dev, Stage, Prod),
			Advises: "that every security group is used by something",
			References: References{Checkov: "CKV_AWS_23, CKV2_AWS_5",
				Prowler: "ec2_securitygroup_not_used"},
			check: describedAndUsed,
		},
		{
			ID: "CD-11", Title: "Services inside the network do not talk to the whole internet",
			Detail: "Egress of all ports to the internet in the security group of a database, cache, file system, VPC endpoint or load balancer. Machines are not meant: package archives, " +
				"carriers and phones have no fixed addresses.",
			Levels:     levels(Advisory, Stage, Prod),
			References: References{Checkov: "CKV_AWS_382"},
			check:      narrowEgress,
		},
	}
}

// adminPorts are SSH and RDP.
var adminPorts = []int{22, 3389}

func noAdminFromInternet(c *checker) {
	for _, o := range c.openings(ingress) {
		from, wide := first(o.ranges, internet)
		for _, port := range adminPorts {
			if wide && o.covers("tcp", port, port) {
				c.fail(o.in, "lets %s in from %s, and that is port %d for everybody: name the operators' own ranges, or reach machines through SSM Session Manager", o, from, port)
				break
			}
		}
	}
}

// service is a port or a range that the internet may reach.
type service struct {
	protocol string
	from, to int
}

// publicServices are what phones, carriers and users reach.
var publicServices = []service{
	{"tcp", 443, 443}, {"udp", 5060, 5060}, {"tcp", 5060, 5060}, {"tcp", 5061, 5061}, {"udp", 10000, 20000}, {"udp", 23000, 32768},
}

func onlyServicesFromInternet(c *checker) {
	for _, o := range c.openings(ingress) {
		from, wide := first(o.ranges, internet)
		if !wide || !o.known || slices.ContainsFunc(publicServices, func(s service) bool {
			return o.protocol == s.protocol && s.from <= o.from && o.to <= s.to
		}) {
			continue
		}
		if o.protocol == "tcp" && o.from == 80 && o.to == 80 {
			c.failUnless(c.onBalancer(o), o.in, "lets tcp 80 in from %s on something that is no load balancer: take it away, or put a load balancer that redirects to HTTPS in front", from)
			continue
		}
		c.fail(o.in, "lets %s in from %s: the internet may reach SIP, media and HTTPS only; name the ranges that need it, or the peer's security group", o, from)
	}
}

// onBalancer reports whether a security group of o is, or may be, a load balancer's.
func (c *checker) onBalancer(o opening) bool {
	if len(o.group) == 0 {
		return true // the group is not of this stack
	}
	for _, group := range o.group {
		if len(c.referrers(group, []string{"lb/loadBalancer"}, "securityGroups")) > 0 {
			return true
		}
	}
	return false
}

// controlPort is a port that gives whoever reaches it the data or the machine.
type controlPort struct {
	service
	what string
}

// controlPorts are those of E3's list, and what the platform's port tables keep for nobody.
func controlPorts() []controlPort {
	list := []controlPort{
		{service{"tcp", 5432, 5432}, "PostgreSQL"}, {service{"tcp", 5038, 5038}, "the Asterisk manager"}, {service{"tcp", 5671, 5672}, "AMQP"},
		{service{"tcp", 8500, 8500}, "Consul"}, {service{"tcp", 6379, 6379}, "Redis"}, {service{"udp", 22222, 22222}, "rtpengine's control"},
	}
	for _, group := range ports.Groups() {
		for _, p := range ports.Table(group) {
			if p.Exposure == ports.Nobody {
				list = append(list, controlPort{service{string(p.Protocol), p.From, p.To}, p.Description})
			}
		}
	}
	return list
}

func controlPortsPrivate(c *checker) {
	closed := controlPorts()
	for _, o := range c.openings(ingress) {
		from, open := first(o.ranges, public)
		if !open {
			continue
		}
		if i := slices.IndexFunc(closed, func(p controlPort) bool { return o.covers(p.protocol, p.from, p.to) }); i >= 0 {
			c.fail(o.in, "lets %s in from %s, which covers %s (%s %s): take the range away; operators get there by port forwarding through SSM",
				o, from, closed[i].what, closed[i].protocol, portRange(closed[i].from, closed[i].to))
		}
	}
}

func portRange(from, to int) string {
	if from == to {
		return strconv.Itoa(from)
	}
	return fmt.Sprintf("%d-%d", from, to)
}

func defaultGroupsClosed(c *checker) {
	for _, vpc := range c.of("ec2/vpc") {
		c.failUnless(len(c.referrers(vpc, []string{"ec2/defaultSecurityGroup"}, "vpcId")) > 0, vpc,
			"its default security group is not managed, and lets its members talk to each other and out: add an aws.ec2.DefaultSecurityGroup without rules")
	}
	for _, o := range slices.Concat(c.openings(ingress), c.openings(egress)) {
		if slices.ContainsFunc(o.group, func(r Resource) bool { return r.is("ec2/defaultSecurityGroup") }) {
			c.fail(o.in, "gives a default security group a rule: take it away, and give what uses it a security group of its own")
		}
	}
}

// providerDescription is what the provider writes where nobody else did.
var providerDescription = []string{"Managed by Pulumi", "Managed by Terraform"}

func describedAndUsed(c *checker) {
	for _, group := range c.of("ec2/securityGroup") {
		description := group.get("description")
		c.failUnless(!description.missing() && !description.is(providerDescription...), group, "has no description: say what it is of")
	}
	for _, o := range slices.Concat(c.openings(ingress), c.openings(egress)) {
		if o.in.is("ec2/defaultSecurityGroup") {
			continue
		}
		c.failUnless(!o.description.missing(), o.in, "its rule for %s has no description: say who needs it and why", o)
	}
	for _, group := range c.of("ec2/securityGroup") {
		used := slices.ContainsFunc(c.users(group), func(r Resource) bool {
			return !r.is("ec2/securityGroup", "ec2/securityGroupRule", "vpc/securityGroupIngressRule", "vpc/securityGroupEgressRule")
		})
		if !used {
			c.advise(group, "nothing uses it: remove it, or attach it")
		}
	}
}

func narrowEgress(c *checker) {
	services := []string{"rds/instance", "rds/cluster", "ec2/vpcEndpoint", "elasticache/cluster", "elasticache/replicationGroup", "efs/mountTarget", "lb/loadBalancer"}
	for _, o := range c.openings(egress) {
		to, wide := first(o.ranges, internet)
		if !wide || !o.known || o.protocol != "all" && (o.from > 1 || o.to < lastPort) {
			continue
		}
		for _, group := range o.group {
			if i := slices.IndexFunc(c.users(group), func(r Resource) bool { return r.is(services...) }); i >= 0 {
				c.fail(o.in, "lets %s out to %s, for %s: allow the ports and peers that it serves", o, to, c.users(group)[i].Name)
				break
			}
		}
	}
}

// entry is one line of a network ACL.
type entry struct {
	in       Resource
	number   float64
	allow    bool
	covers   func(port int) bool
	prefixes []netip.Prefix
}

func noAdminThroughACL(c *checker) {
	acls := c.of("ec2/networkAcl", "ec2/defaultNetworkAcl")
	owned := map[string]bool{}
	for _, acl := range acls {
		var entries []entry
		for _, e := range acl.get("ingress").list() {
			entries = append(entries, aclEntry(acl, e, "ruleNo", "action"))
		}
		for _, r := range c.referrers(acl, []string{"ec2/networkAclRule"}, "networkAclId") {
			owned[r.URN] = true
			if !r.get("egress").mayBeTrue() {
				entries = append(entries, aclEntry(r, r.get(), "ruleNumber", "ruleAction"))
			}
		}
		c.judgeACL(entries)
	}
	for _, r := range c.of("ec2/networkAclRule") {
		if !owned[r.URN] && !r.get("egress").mayBeTrue() {
			c.judgeACL([]entry{aclEntry(r, r.get(), "ruleNumber", "ruleAction")})
		}
	}
	for _, vpc := range c.of("ec2/vpc") {
		c.failUnless(len(c.referrers(vpc, []string{"ec2/defaultNetworkAcl"}, "defaultNetworkAclId")) > 0, vpc,
			"its default network ACL is not managed, and lets everything through: add an aws.ec2.DefaultNetworkAcl without rules, and an ACL for each tier")
	}
}

func aclEntry(in Resource, v value, number, action string) entry {
	e := entry{in: in, allow: v.get(action).is("allow"), prefixes: append(prefixes(v.get("cidrBlock")), prefixes(v.get("ipv6CidrBlock"))...)}
	e.number, _ = v.get(number).number()
	protocol, _ := protocolOf(v.get("protocol"))
	from, fromKnown := v.get("fromPort").number()
	to, toKnown := v.get("toPort").number()
	e.covers = func(port int) bool {
		return protocol == "all" || protocol == "tcp" && fromKnown && toKnown && from <= float64(port) && float64(port) <= to
	}
	return e
}

// judgeACL fails the first entry that lets the internet reach an admin port which no earlier one denies.
// Source: Amazon VPC User Guide, "Network ACL rules": evaluation stops at the first match, by number.
func (c *checker) judgeACL(entries []entry) {
	slices.SortStableFunc(entries, func(a, b entry) int { return cmp.Compare(a.number, b.number) })
	for _, is4 := range []bool{true, false} {
		for _, port := range adminPorts {
			i := slices.IndexFunc(entries, func(e entry) bool {
				return e.covers(port) && slices.ContainsFunc(e.prefixes, func(p netip.Prefix) bool {
					return p.Addr().Is4() == is4 && (p.Bits() == 0 || e.allow && internet(p))
				})
			})
			if i >= 0 && entries[i].allow {
				c.fail(entries[i].in, "entry %.0f lets the internet reach port %d: deny tcp %d from anywhere in an entry before it", entries[i].number, port, port)
				return
			}
		}
	}
}
