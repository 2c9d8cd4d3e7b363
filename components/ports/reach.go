package ports

import (
	"net/netip"
	"slices"
)

// Members are the addresses of groups: those of their machines, or the ranges that an AWS service's interfaces are in.
type Members map[Group][]netip.Prefix

// Firewall is the rules of security groups.
type Firewall map[Group][]Rule

// Reaches reports whether a packet from an address reaches p on a machine of the groups, by the rules of their security
// groups. An address is in those groups whose Members have it; a carrier also comes by way of the carriers' load balancer,
// which leaves its address in the packet, where that lets it in at the same port.
func (f Firewall) Reaches(from netip.Addr, members Members, to []Group, p Port) bool {
	var of []Group
	for g, ranges := range members {
		if contain(ranges, from) {
			of = append(of, g)
		}
	}
	if f.lets(from, nil, []Group{GroupNLB}, p) {
		of = append(of, GroupNLB)
	}
	return f.lets(from, of, to, p)
}

func (f Firewall) lets(from netip.Addr, of, to []Group, p Port) bool {
	for _, g := range to {
		for _, r := range f[g] {
			if r.Port.covers(p) && (slices.Contains(of, r.Peer) || r.Peer == "" && r.Source.Contains(from)) {
				return true
			}
		}
	}
	return false
}

// ThroughBalancer adds to the rules of a machine those of the carriers' load balancer for the ports that it serves there:
// the packets come with the carriers' addresses, and the machine's own firewall, unlike a security group, knows a packet by
// nothing else. Source: User Guide for Network Load Balancers, "Client IP preservation".
func (f Firewall) ThroughBalancer(rules []Rule) []Rule {
	var all []Rule
	for _, r := range rules {
		all = append(all, r)
		if r.Peer != GroupNLB {
			continue
		}
		for _, outer := range f[GroupNLB] {
			if outer.Port.covers(r.Port) && outer.Source.IsValid() {
				all = append(all, Rule{Port: r.Port, Source: outer.Source})
			}
		}
	}
	return all
}

// Admits reports whether a machine's own firewall lets a packet from an address through at p.
func (o Opening) Admits(from netip.Addr, members Members, p Port) bool {
	if !(Port{Protocol: o.Protocol, From: o.From, To: o.To}).covers(p) {
		return false
	}
	return contain(o.Sources, from) || slices.ContainsFunc(o.Peers, func(g Group) bool { return contain(members[g], from) })
}

// Admitted reports whether one of the openings admits the packet.
func Admitted(openings []Opening, from netip.Addr, members Members, p Port) bool {
	return slices.ContainsFunc(openings, func(o Opening) bool { return o.Admits(from, members, p) })
}

// covers reports whether every packet that matches other matches p.
func (p Port) covers(other Port) bool {
	if p.Protocol != other.Protocol {
		return false
	}
	if p.Protocol == ICMP {
		return p.From == other.From && (p.To == AnyCode || p.To == other.To)
	}
	return p.From <= other.From && other.To <= p.To
}

func contain(ranges []netip.Prefix, a netip.Addr) bool {
	return slices.ContainsFunc(ranges, func(r netip.Prefix) bool { return r.Contains(a) })
}
