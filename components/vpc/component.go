package vpc

import (
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// Vpc is a virtual private cloud with public subnets.
type Vpc struct {
	pulumi.ResourceState

	// VpcID is the network's id.
	VpcID pulumi.StringOutput
	// SubnetIDs are the subnets' ids by name. They resolve once the subnet has its route to the internet, so that
	// whatever is put into one can reach and be reached at once.
	SubnetIDs map[string]pulumi.StringOutput
}

// builder registers the children of one Vpc.
type builder struct {
	ctx     *pulumi.Context
	name    string
	args    Args
	parent  pulumi.ResourceOrInvokeOption
	account string
}

// NewVpc registers a network. It fails before the first resource if args are not valid.
func NewVpc(ctx *pulumi.Context, name string, args Args, opts ...pulumi.ResourceOption) (*Vpc, error) {
	if err := args.Validate(); err != nil {
		return nil, fmt.Errorf("vpc %s: %w", name, err)
	}
	self := &Vpc{SubnetIDs: map[string]pulumi.StringOutput{}}
	if err := ctx.RegisterComponentResource("calldata:vpc:Vpc", name, self, opts...); err != nil {
		return nil, fmt.Errorf("vpc %s: %w", name, err)
	}
	b := builder{ctx: ctx, name: name, args: args, parent: pulumi.Parent(self)}
	if err := b.build(self); err != nil {
		return nil, fmt.Errorf("vpc %s: %w", name, err)
	}
	return self, nil
}

func (b *builder) build(self *Vpc) error {
	identity, err := aws.GetCallerIdentity(b.ctx, &aws.GetCallerIdentityArgs{}, b.parent)
	if err != nil {
		return fmt.Errorf("ask AWS which account this is; are the credentials set and not expired? %w", err)
	}
	b.account = identity.AccountId
	network, err := ec2.NewVpc(b.ctx, b.name, &ec2.VpcArgs{
		CidrBlock: pulumi.String(b.args.CIDR.String()), EnableDnsSupport: pulumi.Bool(true), EnableDnsHostnames: pulumi.Bool(true), Tags: b.tags(b.name),
	}, b.parent)
	if err != nil {
		return err
	}
	self.VpcID = network.ID().ToStringOutput()
	// Without rules in the code, the provider takes away those that AWS puts there: whatever lands in this group by
	// mistake reaches nothing.
	if _, err := ec2.NewDefaultSecurityGroup(b.ctx, b.name+"-default", &ec2.DefaultSecurityGroupArgs{VpcId: network.ID(), Tags: b.tags(b.name + "-default-closed")}, b.parent); err != nil {
		return err
	}
	if err := b.subnets(self, network); err != nil {
		return err
	}
	if err := b.flowLog(network); err != nil {
		return err
	}
	ids := pulumi.StringMap{}
	for name, id := range self.SubnetIDs {
		ids[name] = id
	}
	return b.ctx.RegisterResourceOutputs(self, pulumi.Map{"vpcId": self.VpcID, "subnetIds": ids})
}

// subnets registers the public subnets and their way to the internet.
func (b *builder) subnets(self *Vpc, network *ec2.Vpc) error {
	gateway, err := ec2.NewInternetGateway(b.ctx, b.name+"-igw", &ec2.InternetGatewayArgs{VpcId: network.ID(), Tags: b.tags(b.name + "-igw")}, b.parent)
	if err != nil {
		return err
	}
	table, err := ec2.NewRouteTable(b.ctx, b.name+"-public", &ec2.RouteTableArgs{VpcId: network.ID(), Tags: b.tags(b.name + "-public")}, b.parent)
	if err != nil {
		return err
	}
	route, err := ec2.NewRoute(b.ctx, b.name+"-public-internet", &ec2.RouteArgs{
		RouteTableId: table.ID(), DestinationCidrBlock: pulumi.String("0.0.0.0/0"), GatewayId: gateway.ID(),
	}, b.parent)
	if err != nil {
		return err
	}
	for _, s := range b.args.Subnets {
		name := b.name + "-" + s.Name
		subnet, err := ec2.NewSubnet(b.ctx, name, &ec2.SubnetArgs{
			VpcId: network.ID(), CidrBlock: pulumi.String(s.CIDR.String()), AvailabilityZone: pulumi.String(s.Zone),
			// Public addresses are given on purpose, as Elastic IPs.
			MapPublicIpOnLaunch: pulumi.Bool(false), Tags: b.tags(name),
		}, b.parent)
		if err != nil {
			return err
		}
		association, err := ec2.NewRouteTableAssociation(b.ctx, name, &ec2.RouteTableAssociationArgs{SubnetId: subnet.ID(), RouteTableId: table.ID()}, b.parent)
		if err != nil {
			return err
		}
		self.SubnetIDs[s.Name] = pulumi.All(subnet.ID(), association.ID(), route.ID()).ApplyT(func(ids []any) string {
			return string(ids[0].(pulumi.ID))
		}).(pulumi.StringOutput)
	}
	return nil
}

func (b *builder) tags(name string) pulumi.StringMap {
	return pulumi.ToStringMap(b.args.Tags.Named(name))
}
