package preflight

import (
	"maps"
	"slices"

	"github.com/calldata/calldata-foundation/stacks"
)

// needs are what a topology takes from an account's quotas at its largest.
type needs struct {
	// addresses are the Elastic IPs that it makes.
	addresses int
	// natGateways are its NAT gateways by zone.
	natGateways map[string]int
	// vcpus are the virtual processors of its machines, fleets at their greatest.
	vcpus int
	// rules is the number of rules of its largest firewall group, group its name.
	rules int
	group string
	// types are its instance types, each with the zones where it may run.
	types map[string][]string
}

func needsOf(t *stacks.Topology) needs {
	n := needs{natGateways: map[string]int{}, types: map[string][]string{}}
	runsIn := func(instanceType string, zones ...string) {
		all := append(n.types[instanceType], zones...)
		slices.Sort(all)
		n.types[instanceType] = slices.Compact(all)
	}
	for _, node := range t.Nodes {
		n.vcpus += node.Type.VCPU
		if node.Public {
			n.addresses++
		}
		runsIn(node.Type.Name, t.Zone(node.Subnet))
	}
	for _, fleet := range t.Fleets {
		n.vcpus += fleet.Size.Max * fleet.Type.VCPU
		for _, subnet := range t.Network.Of(fleet.Tier) {
			runsIn(fleet.Type.Name, subnet.Zone)
		}
	}
	if t.Network != nil {
		gateways := map[stacks.Nat][]string{stacks.NatOnePerAz: t.Network.Zones}
		if len(t.Network.Zones) > 0 {
			gateways[stacks.NatSingle] = t.Network.Zones[:1]
		}
		for _, zone := range gateways[t.Network.Nat] {
			n.natGateways[zone]++
		}
		n.addresses += max(0, len(gateways[t.Network.Nat])-len(t.Network.NatAllocationIDs))
	}
	if t.SIPEdge != nil {
		n.addresses += t.SIPEdge.Pool
		if t.SIPEdge.Carriers {
			n.addresses += len(t.Network.Of(stacks.TierPublic))
		}
	}
	for _, group := range t.Firewall {
		if rules := len(group.Ingress); rules > n.rules {
			n.rules, n.group = rules, string(group.Name)
		}
	}
	return n
}

// typeNames are the instance types in alphabetical order.
func (n needs) typeNames() []string { return slices.Sorted(maps.Keys(n.types)) }
