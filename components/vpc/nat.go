package vpc

import (
	"slices"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// natZones are the zones with a NAT gateway. The single one is in the first zone that would have one of its own, so that
// it stays where it is, with its address, when the others come.
func (a Args) natZones() []string {
	private, public := a.zones(Private), a.zones(Public)
	switch {
	case len(private) == 0 || len(public) == 0:
		return nil
	case a.Nat == NatOnePerAz:
		return private
	case a.Nat == NatSingle:
		for _, zone := range private {
			if slices.Contains(public, zone) {
				return []string{zone}
			}
		}
		return public[:1]
	}
	return nil
}

// natGateways registers the gateways through which private subnets reach the internet, and answers them by zone.
func (b *builder) natGateways(self *Vpc) (map[string]*ec2.NatGateway, error) {
	gateways := map[string]*ec2.NatGateway{}
	for i, zone := range b.args.natZones() {
		name := b.name + "-nat-" + zone
		address, err := b.natAddress(name, i)
		if err != nil {
			return nil, err
		}
		home, _ := b.args.subnet(Public, zone)
		gateway, err := ec2.NewNatGateway(b.ctx, name, &ec2.NatGatewayArgs{
			AllocationId: address, SubnetId: self.SubnetIDs[home.Name], ConnectivityType: pulumi.String("public"), Tags: b.tags(name),
		}, b.parent)
		if err != nil {
			return nil, err
		}
		gateways[zone] = gateway
		self.NatIPs = append(self.NatIPs, gateway.PublicIp)
	}
	return gateways, nil
}

// natAddress is the allocation id of the i-th gateway's Elastic IP.
func (b *builder) natAddress(name string, i int) (pulumi.StringPtrInput, error) {
	if len(b.args.NatAllocationIDs) > 0 {
		return pulumi.String(b.args.NatAllocationIDs[i]), nil
	}
	eip, err := ec2.NewEip(b.ctx, name, &ec2.EipArgs{Domain: pulumi.String("vpc"), Tags: b.tags(name)},
		b.parent, pulumi.Protect(b.args.ProtectAddresses), pulumi.RetainOnDelete(b.args.ProtectAddresses))
	if err != nil {
		return nil, err
	}
	return eip.AllocationId, nil
}

// natOf is the gateway that serves a zone: its own, or the single one.
func (b *builder) natOf(zone string, gateways map[string]*ec2.NatGateway) *ec2.NatGateway {
	if own, found := gateways[zone]; found {
		return own
	}
	if zones := b.args.natZones(); len(zones) > 0 {
		return gateways[zones[0]]
	}
	return nil
}
