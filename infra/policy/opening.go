package policy

import (
	"net/netip"
	"slices"
	"strings"
)

// opening is one rule of a security group or one allowance of it, whatever resource it is written in.
type opening struct {
	// in is the resource that it is written in, group that of its security group; the same where it is written inline.
	in Resource
	// group are the security groups in the graph that it may belong to.
	group []Resource
	// protocol is tcp, udp, icmp, icmpv6 or all; empty while it is not known.
	protocol string
	// from and to are ports; 0 to 65535 where it is for all of them.
	from, to int
	// known says whether protocol and ports are.
	known bool
	// ranges are the addresses that it is for, those of prefix lists in the graph included.
	ranges []netip.Prefix
	// description is what the rule says about itself.
	description value
}

// String is the opening as people write it.
func (o opening) String() string {
	switch {
	case !o.known:
		return "what is not known yet"
	case o.protocol == "all":
		return "everything"
	case o.protocol == "icmp" || o.protocol == "icmpv6":
		return o.protocol
	case o.from == 0 && o.to == lastPort:
		return "all of " + o.protocol
	}
	return o.protocol + " " + portRange(o.from, o.to)
}

// covers reports whether some packet of protocol to the port can pass.
func (o opening) covers(protocol string, from, to int) bool {
	return o.known && (o.protocol == "all" || o.protocol == protocol && o.from <= to && from <= o.to)
}

const (
	ingress  = "ingress"
	egress   = "egress"
	lastPort = 65535
)

// openings lists what the security groups of the graph let in or out.
func (g Graph) openings(direction string) []opening {
	standalone := "vpc/securityGroupIngressRule"
	if direction == egress {
		standalone = "vpc/securityGroupEgressRule"
	}
	var list []opening
	for _, r := range g.Resources {
		switch {
		case r.is(standalone):
			list = append(list, g.opening(r, r.get(), "ipProtocol", "cidrIpv4", "cidrIpv6", "prefixListId"))
		case r.is("ec2/securityGroupRule") && r.get("type").is(direction):
			list = append(list, g.opening(r, r.get(), "protocol", "cidrBlocks", "ipv6CidrBlocks", "prefixListIds"))
		case r.is("ec2/securityGroup", "ec2/defaultSecurityGroup"):
			for _, rule := range r.get(direction).list() {
				list = append(list, g.opening(r, rule, "protocol", "cidrBlocks", "ipv6CidrBlocks", "prefixListIds"))
			}
		}
	}
	for i, o := range list {
		if o.in.is("ec2/securityGroup", "ec2/defaultSecurityGroup") {
			list[i].group = []Resource{o.in}
			continue
		}
		list[i].group = g.referents(o.in, []string{"ec2/securityGroup", "ec2/defaultSecurityGroup"}, "securityGroupId")
	}
	return slices.DeleteFunc(slices.Clone(list), func(o opening) bool { return o.mirrors(list, direction) })
}

// mirrors reports whether an opening is inline only because the provider, at a refresh, lists all rules that a group has:
// the program did not ask for it, and standalone rules in list say the same. What somebody added by hand is in none.
func (o opening) mirrors(list []opening, direction string) bool {
	if !o.in.is("ec2/securityGroup") || o.in.Inputs == nil || !o.in.requested().get(direction).missing() {
		return false
	}
	var same []netip.Prefix
	found := false
	for _, other := range list {
		if other.in.URN != o.in.URN && other.protocol == o.protocol && other.from == o.from && other.to == o.to &&
			slices.ContainsFunc(other.group, func(g Resource) bool { return g.URN == o.in.URN }) {
			found, same = true, append(same, other.ranges...)
		}
	}
	return found && !slices.ContainsFunc(o.ranges, func(p netip.Prefix) bool { return !slices.Contains(same, p) })
}

// opening reads one rule. The names of some properties differ between the resources that have them.
func (g Graph) opening(in Resource, rule value, protocol, v4, v6, lists string) opening {
	o := opening{in: in, description: rule.get("description")}
	o.protocol, o.known = protocolOf(rule.get(protocol))
	o.from, o.to = 0, lastPort
	if o.protocol == "tcp" || o.protocol == "udp" {
		from, to := rule.get("fromPort"), rule.get("toPort")
		low, lowKnown := from.number()
		high, highKnown := to.number()
		switch {
		case from.opaque() || to.opaque():
			o.known = false
		case lowKnown && highKnown && low >= 0:
			o.from, o.to = int(low), int(high)
		}
	}
	for _, key := range []string{v4, v6} {
		o.ranges = append(o.ranges, prefixes(rule.get(key))...)
	}
	for _, list := range g.of("ec2/managedPrefixList") {
		named, _ := rule.get(lists).texts()
		if in.is("ec2/securityGroup", "ec2/defaultSecurityGroup") && !containsIdentity(list, named) ||
			!in.is("ec2/securityGroup", "ec2/defaultSecurityGroup") && !refers(in, list, lists) {
			continue
		}
		for _, entry := range list.get("entries").list() {
			o.ranges = append(o.ranges, prefixes(entry.get("cidr"))...)
		}
		for _, entry := range g.referrers(list, []string{"ec2/managedPrefixListEntry"}, "prefixListId") {
			o.ranges = append(o.ranges, prefixes(entry.get("cidr"))...)
		}
	}
	return o
}

func containsIdentity(r Resource, texts []string) bool {
	for _, text := range texts {
		if r.identifiedBy(text) {
			return true
		}
	}
	return false
}

// protocols are the names of IP protocols that AWS takes, and the one of each that we use.
// Source: Amazon EC2 API Reference, IpPermission; IANA, Assigned Internet Protocol Numbers.
var protocols = map[string]string{
	"-1": "all", "all": "all", "6": "tcp", "tcp": "tcp", "17": "udp", "udp": "udp", "1": "icmp", "icmp": "icmp", "58": "icmpv6", "icmpv6": "icmpv6",
}

func protocolOf(v value) (string, bool) {
	text, ok := v.text()
	if !ok {
		return "", false
	}
	if name, known := protocols[strings.ToLower(text)]; known {
		return name, true
	}
	return text, true
}

// prefixes are the IP ranges in a value; what cannot be seen, or is none, is left out.
func prefixes(v value) []netip.Prefix {
	texts, _ := v.texts()
	var list []netip.Prefix
	for _, text := range texts {
		if p, err := netip.ParsePrefix(text); err == nil {
			list = append(list, p.Masked())
		}
	}
	return list
}

// widestV4 and widestV6 are the shortest prefixes that can still be somebody's network: anything wider counts as the
// internet, so that two halves of it do not pass. IANA gives a registry at most a /8 and a /12.
// Source: IANA IPv4 Address Space Registry; IANA IPv6 Global Unicast Address Assignments.
const (
	widestV4 = 8
	widestV6 = 12
)

// internet reports whether p is the internet or a great part of it.
func internet(p netip.Prefix) bool {
	if p.Addr().Is4() {
		return p.Bits() < widestV4
	}
	return p.Bits() < widestV6
}

// privateRanges are addresses that no router of the internet forwards.
// Source: RFC 1918, RFC 6598 (shared address space), RFC 3927, RFC 4193, RFC 4291.
var privateRanges = []netip.Prefix{
	netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("172.16.0.0/12"), netip.MustParsePrefix("192.168.0.0/16"), netip.MustParsePrefix("100.64.0.0/10"),
	netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("169.254.0.0/16"), netip.MustParsePrefix("fc00::/7"), netip.MustParsePrefix("fe80::/10"),
}

// public reports whether p has addresses of the internet.
func public(p netip.Prefix) bool {
	for _, private := range privateRanges {
		if private.Bits() <= p.Bits() && private.Contains(p.Addr()) {
			return false
		}
	}
	return true
}

// first answers the first range for which match holds.
func first(ranges []netip.Prefix, match func(netip.Prefix) bool) (netip.Prefix, bool) {
	for _, p := range ranges {
		if match(p) {
			return p, true
		}
	}
	return netip.Prefix{}, false
}
