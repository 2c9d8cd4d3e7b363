package stacks

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/calldata/calldata-foundation/components/cidr"
	"github.com/calldata/calldata-foundation/components/ports"
)

// dev is one UC Engine with an Elastic IP in a public subnet of the first zone: the smallest thing that takes a call.
func dev(stack string, c Config) (Topology, error) {
	subnets, err := publicSubnets(c.VPCCIDR, c.Zones)
	if err != nil {
		return Topology{}, err
	}
	return Topology{
		Stack: stack, Region: c.Region, Owner: c.Owner, CostCenter: c.CostCenter,
		Network: Network{Name: stack + "-vpc", CIDR: c.VPCCIDR, Subnets: subnets, FlowLogRetentionDays: c.LogRetentionDays},
		Nodes: []NodeSpec{{
			Name: stack + "-uc-1", Domain: Domain, Roles: []Role{RoleUCEngine}, Type: c.InstanceType, Subnet: subnets[0].Name,
			VolumeGiB: c.RootVolumeGiB, AMIID: c.AMIID, Public: true, Protect: c.Protect, User: DebianUser, SSHPublicKey: c.SSHPublicKey,
			Ingress: ports.Rules(ports.UCEngine(), map[ports.Exposure][]netip.Prefix{
				ports.Admin: c.AdminCIDRs, ports.Phones: c.SIPCIDRs, ports.VPC: {c.VPCCIDR},
			}),
		}},
		Configuration: Configuration{Enabled: c.Configure, Timeout: c.ConfigureTimeout},
	}, nil
}

// publicSubnets gives each zone the next part of the network.
func publicSubnets(network netip.Prefix, zones []string) ([]Subnet, error) {
	if len(zones) == 0 {
		return nil, errors.New("it has no availability zone")
	}
	ranges, err := cidr.Split(network, len(zones))
	if err != nil {
		return nil, fmt.Errorf("network: %w", err)
	}
	subnets := make([]Subnet, len(zones))
	for i, zone := range zones {
		subnets[i] = Subnet{Name: "public-" + zone, Zone: zone, CIDR: ranges[i]}
	}
	return subnets, nil
}
