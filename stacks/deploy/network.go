package deploy

import (
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/calldata/calldata-foundation/components/firewall"
	"github.com/calldata/calldata-foundation/components/ports"
	"github.com/calldata/calldata-foundation/components/vpc"
	"github.com/calldata/calldata-foundation/stacks"
)

// ssmServices are what Systems Manager needs inside a network.
// Source: AWS Systems Manager User Guide, "Improve the security of EC2 instances by using VPC endpoints".
var ssmServices = []string{"ssm", "ssmmessages", "ec2messages"}

func (d *deployment) network() error {
	network, err := vpc.NewVpc(d.ctx, d.topology.Network.Name, d.networkArgs())
	if err != nil {
		return err
	}
	d.made.vpc, d.made.vpcID, d.made.subnets = network, network.VpcID, network.SubnetIDs
	return nil
}

func (d *deployment) networkArgs() vpc.Args {
	n := d.topology.Network
	subnets := make([]vpc.SubnetArgs, len(n.Subnets))
	for i, s := range n.Subnets {
		subnets[i] = vpc.SubnetArgs{Name: s.Name, Tier: vpc.Tier(s.Tier), Zone: s.Zone, CIDR: s.CIDR}
	}
	return vpc.Args{
		CIDR: n.CIDR, Subnets: subnets, Nat: vpc.NatStrategy(n.Nat), NatAllocationIDs: n.NatAllocationIDs, ProtectAddresses: d.topology.Protect,
		AdminCIDRs: n.AdminCIDRs, FlowLogRetentionDays: d.topology.LogRetentionDays, FlowLogKMSKeyARN: input(d.made.keys, stacks.KeyLogs),
		Tags: d.tags("network"),
	}
}

func (d *deployment) firewall() error {
	f, err := firewall.NewFirewall(d.ctx, d.topology.Stack, d.firewallArgs())
	if err != nil {
		return err
	}
	d.made.groups, d.made.rules = f.IDs, f.Rules
	return nil
}

func (d *deployment) firewallArgs() firewall.Args {
	args := firewall.Args{VpcID: d.made.vpcID, Tags: d.tags("network")}
	for _, g := range d.topology.Firewall {
		args.Groups = append(args.Groups, firewall.GroupArgs{Name: g.Name, Ingress: g.Ingress})
	}
	return args
}

func (d *deployment) endpoints() error {
	if !d.topology.Network.SSMEndpoints {
		return nil
	}
	_, err := vpc.NewEndpoints(d.ctx, d.topology.Stack+"-ssm", d.endpointArgs())
	return err
}

func (d *deployment) endpointArgs() vpc.EndpointsArgs {
	tier := stacks.TierPrivate
	if len(d.topology.Network.Of(tier)) == 0 {
		tier = stacks.TierPublic
	}
	return vpc.EndpointsArgs{
		VpcID: d.made.vpcID, Services: ssmServices, SubnetIDs: d.subnetIDs(tier), SecurityGroupID: d.made.groups[ports.GroupEndpoints],
		Region: d.topology.Region, Tags: d.tags("network"),
	}
}

// subnetIDs are the ids of a tier's subnets, in the order of their zones.
func (d *deployment) subnetIDs(tier string) pulumi.StringArray {
	var ids pulumi.StringArray
	for _, s := range d.topology.Network.Of(tier) {
		ids = append(ids, d.made.subnets[s.Name])
	}
	return ids
}
