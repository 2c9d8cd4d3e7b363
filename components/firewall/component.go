package firewall

import (
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/vpc"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/calldata/calldata-foundation/components/ports"
)

// Firewall is the security groups of a network.
type Firewall struct {
	pulumi.ResourceState

	// IDs are the security groups' ids.
	IDs map[ports.Group]pulumi.StringOutput
	// Rules are what must be there before the members of a group can reach and be reached.
	Rules map[ports.Group][]pulumi.Resource
}

// builder registers the children of one Firewall.
type builder struct {
	ctx    *pulumi.Context
	name   string
	args   Args
	parent pulumi.ResourceOption
	self   *Firewall
}

// NewFirewall registers the security groups. It fails before the first resource if args are not valid.
func NewFirewall(ctx *pulumi.Context, name string, args Args, opts ...pulumi.ResourceOption) (*Firewall, error) {
	if err := args.Validate(); err != nil {
		return nil, fmt.Errorf("firewall %s: %w", name, err)
	}
	self := &Firewall{IDs: map[ports.Group]pulumi.StringOutput{}, Rules: map[ports.Group][]pulumi.Resource{}}
	if err := ctx.RegisterComponentResource("calldata:firewall:Firewall", name, self, opts...); err != nil {
		return nil, fmt.Errorf("firewall %s: %w", name, err)
	}
	b := builder{ctx: ctx, name: name, args: args, parent: pulumi.Parent(self), self: self}
	if err := b.build(); err != nil {
		return nil, fmt.Errorf("firewall %s: %w", name, err)
	}
	ids := pulumi.StringMap{}
	for group, id := range self.IDs {
		ids[string(group)] = id
	}
	return self, ctx.RegisterResourceOutputs(self, pulumi.Map{"securityGroupIds": ids})
}

func (b *builder) build() error {
	for _, g := range b.args.Groups {
		group, err := ec2.NewSecurityGroup(b.ctx, b.of(g.Name), &ec2.SecurityGroupArgs{
			VpcId: b.args.VpcID, Description: pulumi.String("Members of " + string(g.Name)), Tags: b.tags(g.Name, b.of(g.Name)),
		}, b.parent)
		if err != nil {
			return err
		}
		b.self.IDs[g.Name] = group.ID().ToStringOutput()
	}
	for _, g := range b.args.Groups {
		if g.Name.Machines() {
			if err := b.toAnywhere(g.Name); err != nil {
				return err
			}
		}
		for _, r := range g.Ingress {
			if err := b.ingress(g.Name, r); err != nil {
				return err
			}
			if r.Peer != "" && !r.Peer.Machines() {
				if err := b.egress(r.Peer, g.Name, r.Port); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// ingress lets packets in. Every rule is a resource of its own, so that a preview names the rule that changes, and the
// others are never taken away and put back.
func (b *builder) ingress(group ports.Group, r ports.Rule) error {
	name := b.of(group) + "-" + r.Name()
	args := &vpc.SecurityGroupIngressRuleArgs{
		SecurityGroupId: b.self.IDs[group], IpProtocol: pulumi.String(string(r.Port.Protocol)), FromPort: pulumi.Int(r.Port.From), ToPort: pulumi.Int(r.Port.To),
		Description: pulumi.String(r.Port.Description), Tags: b.tags(group, name),
	}
	if r.Peer != "" {
		args.ReferencedSecurityGroupId = b.self.IDs[r.Peer]
	} else {
		args.CidrIpv4 = pulumi.String(r.Source.String())
	}
	rule, err := vpc.NewSecurityGroupIngressRule(b.ctx, name, args, b.parent)
	return b.add(group, rule, err)
}

// egress lets an AWS service's interfaces reach what they serve, and nothing else.
func (b *builder) egress(from, to ports.Group, p ports.Port) error {
	name := fmt.Sprintf("%s-%s-to-%s", b.of(from), p.Name, to)
	rule, err := vpc.NewSecurityGroupEgressRule(b.ctx, name, &vpc.SecurityGroupEgressRuleArgs{
		SecurityGroupId: b.self.IDs[from], IpProtocol: pulumi.String(string(p.Protocol)), FromPort: pulumi.Int(p.From), ToPort: pulumi.Int(p.To),
		ReferencedSecurityGroupId: b.self.IDs[to], Description: pulumi.String(p.Description), Tags: b.tags(from, name),
	}, b.parent)
	return b.add(from, rule, err)
}

// toAnywhere is for machines: packages, time, carriers and phones are anywhere.
func (b *builder) toAnywhere(group ports.Group) error {
	name := b.of(group) + "-to-anywhere"
	rule, err := vpc.NewSecurityGroupEgressRule(b.ctx, name, &vpc.SecurityGroupEgressRuleArgs{
		SecurityGroupId: b.self.IDs[group], IpProtocol: pulumi.String("-1"), CidrIpv4: pulumi.String("0.0.0.0/0"),
		Description: pulumi.String("All traffic to anywhere"), Tags: b.tags(group, name),
	}, b.parent)
	return b.add(group, rule, err)
}

func (b *builder) add(group ports.Group, rule pulumi.Resource, err error) error {
	if err == nil {
		b.self.Rules[group] = append(b.self.Rules[group], rule)
	}
	return err
}

// of is the resource name of a group.
func (b *builder) of(group ports.Group) string { return b.name + "-" + string(group) }

func (b *builder) tags(group ports.Group, name string) pulumi.StringMap {
	return pulumi.ToStringMap(b.args.Tags.WithRole(string(group)).Named(name))
}
