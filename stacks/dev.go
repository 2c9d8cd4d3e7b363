package stacks

import (
	"net/netip"

	"github.com/calldata/calldata-foundation/components/ports"
)

// dev is one UC Engine with an Elastic IP in a public subnet of the first zone: the smallest thing that takes a call.
// With c4, Router and SBC have machines of their own beside it: all three listen on the port of SIP, and phones keep the
// engine's address. The Router's database is on its machine. What machines save goes to a bucket; nothing copies their disks.
func dev(stack string, c Config) (Topology, error) {
	t := base(stack, c)
	network, err := network(stack, c, TierPublic)
	if err != nil {
		return Topology{}, err
	}
	network.AdminCIDRs = c.Access.AdminCIDRs
	t.Network, t.Keys = network, []KeyUse{KeyVolumes, KeyStorage}
	t.Buckets = backupBuckets(c)
	engine := node(stack, c, "uc-1", RoleUCEngine, c.Machines.InstanceType, network.Subnets[0].Name)
	engine.Public, engine.Access, engine.DataVolumeGiB = true, AccessSSH, c.Machines.DataVolumeGiB
	t.Nodes = []NodeSpec{engine}
	if c.Machines.C4 {
		for _, n := range []NodeSpec{
			node(stack, c, "router-1", RoleC4Router, c.Fleets.RouterInstanceType, network.Subnets[0].Name),
			node(stack, c, "sbc-1", RoleC4SBC, c.Fleets.SBCInstanceType, network.Subnets[0].Name),
		} {
			// Without NAT, only a public address leads to package archives.
			n.Public, n.Access = true, AccessSSH
			t.Nodes = append(t.Nodes, n)
		}
	}
	watch(&t, c)
	operators := map[ports.Exposure][]netip.Prefix{ports.Admin: c.Access.AdminCIDRs, ports.VPC: {c.Network.CIDR}}
	public := map[ports.Exposure][]netip.Prefix{
		ports.Admin: c.Access.AdminCIDRs, ports.VPC: {c.Network.CIDR}, ports.Phones: c.Access.SIPCIDRs, ports.Media: c.Access.MediaCIDRs,
	}
	t.Firewall = firewall(t, map[ports.Group]map[ports.Exposure][]netip.Prefix{
		ports.GroupUCEngine: public, ports.GroupC4SBC: public, ports.GroupC4Router: operators, ports.GroupEndpoints: operators,
	})
	return t, nil
}
