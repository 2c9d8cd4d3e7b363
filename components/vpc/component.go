package vpc

import (
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/calldata/calldata-foundation/components/provider"
)

// Vpc is a virtual private cloud.
type Vpc struct {
	pulumi.ResourceState

	// VpcID is the network's id.
	VpcID pulumi.StringOutput
	// SubnetIDs are the subnets' ids by name. They resolve once the subnet is joined to what its tier promises, the
	// internet, NAT and S3, and has its network ACL, so that whatever is put into one can reach and be reached at once.
	SubnetIDs map[string]pulumi.StringOutput
	// NatIPs are the addresses under which private subnets appear on the internet, in the order in which Subnets name the
	// zones of the NAT gateways.
	NatIPs []pulumi.StringOutput
	// S3EndpointID is the gateway endpoint through which every subnet reaches S3.
	S3EndpointID pulumi.StringOutput
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
	account, err := provider.Account(b.ctx, b.parent)
	if err != nil {
		return err
	}
	b.account = account
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
	nat := pulumi.StringArray{}
	for _, ip := range self.NatIPs {
		nat = append(nat, ip)
	}
	return b.ctx.RegisterResourceOutputs(self, pulumi.Map{"vpcId": self.VpcID, "subnetIds": ids, "natIps": nat, "s3EndpointId": self.S3EndpointID})
}

func (b *builder) tags(name string) pulumi.StringMap {
	return pulumi.ToStringMap(b.args.Tags.Named(name))
}
