package vpc

import (
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/calldata/calldata-foundation/components/provider"
)

// routes are the route tables of a network.
type routes struct {
	public, intra *ec2.RouteTable
	private       map[string]*ec2.RouteTable // by zone
	internet      *ec2.Route
	all           pulumi.StringArray
}

// subnets registers the subnets and everything that makes them reach what their tier promises.
func (b *builder) subnets(self *Vpc, network *ec2.Vpc) error {
	made := map[string]*ec2.Subnet{}
	for _, s := range b.args.Subnets {
		name := b.name + "-" + s.Name
		tagged := b.tags(name)
		tagged["Tier"] = pulumi.String(string(s.Tier))
		subnet, err := ec2.NewSubnet(b.ctx, name, &ec2.SubnetArgs{
			VpcId: network.ID(), CidrBlock: pulumi.String(s.CIDR.String()), AvailabilityZone: pulumi.String(s.Zone),
			// Public addresses are given on purpose, as Elastic IPs.
			MapPublicIpOnLaunch: pulumi.Bool(false), Tags: tagged,
		}, b.parent)
		if err != nil {
			return err
		}
		made[s.Name] = subnet
	}
	tables, err := b.tables(network)
	if err != nil {
		return err
	}
	s3, err := b.s3Endpoint(network, tables)
	if err != nil {
		return err
	}
	self.S3EndpointID = s3.ID().ToStringOutput()
	acls, err := b.acls(network, made)
	if err != nil {
		return err
	}
	// ready makes the id of a subnet resolve when it is joined to its table, its ACL and S3, and what else it waits for is
	// there.
	ready := func(s SubnetArgs, table *ec2.RouteTable, route *ec2.Route) error {
		association, err := ec2.NewRouteTableAssociation(b.ctx, b.name+"-"+s.Name, &ec2.RouteTableAssociationArgs{SubnetId: made[s.Name].ID(), RouteTableId: table.ID()}, b.parent)
		if err != nil {
			return err
		}
		waits := []any{made[s.Name].ID(), association.ID(), acls[s.Tier].ID(), s3.ID()}
		if route != nil {
			waits = append(waits, route.ID())
		}
		self.SubnetIDs[s.Name] = pulumi.All(waits...).ApplyT(func(ids []any) string { return string(ids[0].(pulumi.ID)) }).(pulumi.StringOutput)
		return nil
	}
	for _, s := range b.args.of(Public) {
		if err := ready(s, tables.public, tables.internet); err != nil {
			return err
		}
	}
	for _, s := range b.args.of(Intra) {
		if err := ready(s, tables.intra, nil); err != nil {
			return err
		}
	}
	outward, err := b.privateRoutes(self, tables)
	if err != nil {
		return err
	}
	for _, s := range b.args.of(Private) {
		if err := ready(s, tables.private[s.Zone], outward[s.Zone]); err != nil {
			return err
		}
	}
	return nil
}

// tables registers the route tables: one for public subnets, one for intra ones, and one for the private ones of each
// zone, also where all of them go the same way, so that another NAT strategy changes routes alone.
func (b *builder) tables(network *ec2.Vpc) (*routes, error) {
	r := &routes{private: map[string]*ec2.RouteTable{}}
	table := func(name string) (*ec2.RouteTable, error) {
		t, err := ec2.NewRouteTable(b.ctx, b.name+"-"+name, &ec2.RouteTableArgs{VpcId: network.ID(), Tags: b.tags(b.name + "-" + name)}, b.parent)
		if err == nil {
			r.all = append(r.all, t.ID())
		}
		return t, err
	}
	var err error
	if len(b.args.of(Public)) > 0 {
		if r.public, err = table("public"); err != nil {
			return nil, err
		}
		if err := b.internet(network, r); err != nil {
			return nil, err
		}
	}
	for _, zone := range b.args.zones(Private) {
		if r.private[zone], err = table("private-" + zone); err != nil {
			return nil, err
		}
	}
	if len(b.args.of(Intra)) > 0 {
		if r.intra, err = table("intra"); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// internet registers the way from public subnets to the internet.
func (b *builder) internet(network *ec2.Vpc, r *routes) error {
	gateway, err := ec2.NewInternetGateway(b.ctx, b.name+"-igw", &ec2.InternetGatewayArgs{VpcId: network.ID(), Tags: b.tags(b.name + "-igw")}, b.parent)
	if err != nil {
		return err
	}
	r.internet, err = ec2.NewRoute(b.ctx, b.name+"-public-internet", &ec2.RouteArgs{
		RouteTableId: r.public.ID(), DestinationCidrBlock: pulumi.String(anywhere.String()), GatewayId: gateway.ID(),
	}, b.parent)
	return err
}

// privateRoutes registers the way from private subnets to the internet, and answers the routes by zone. Without NAT there
// are none.
func (b *builder) privateRoutes(self *Vpc, r *routes) (map[string]*ec2.Route, error) {
	gateways, err := b.natGateways(self)
	if err != nil {
		return nil, err
	}
	made := map[string]*ec2.Route{}
	for _, zone := range b.args.zones(Private) {
		gateway := b.natOf(zone, gateways)
		if gateway == nil {
			continue
		}
		if made[zone], err = ec2.NewRoute(b.ctx, b.name+"-private-"+zone+"-nat", &ec2.RouteArgs{
			RouteTableId: r.private[zone].ID(), DestinationCidrBlock: pulumi.String(anywhere.String()), NatGatewayId: gateway.ID(),
		}, b.parent); err != nil {
			return nil, err
		}
	}
	return made, nil
}

// s3Endpoint registers the way to S3 that leaves the network without passing NAT or the internet. It costs nothing.
// Subnets wait for it, because its routes cut the connections to S3 that are open when they appear.
// Source: AWS PrivateLink Guide, "Gateway endpoints for Amazon S3", considerations.
func (b *builder) s3Endpoint(network *ec2.Vpc, r *routes) (*ec2.VpcEndpoint, error) {
	region, err := provider.Region(b.ctx, b.parent)
	if err != nil {
		return nil, err
	}
	name := b.name + "-s3"
	return ec2.NewVpcEndpoint(b.ctx, name, &ec2.VpcEndpointArgs{
		VpcId: network.ID(), ServiceName: pulumi.String(serviceName(region, "s3")), VpcEndpointType: pulumi.String("Gateway"), RouteTableIds: r.all, Tags: b.tags(name),
	}, b.parent)
}
