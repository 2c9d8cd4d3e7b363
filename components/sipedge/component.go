package sipedge

import (
	"errors"
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/lb"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// SipEdge is how SIP comes into the platform.
type SipEdge struct {
	pulumi.ResourceState

	// CarrierDNS is AWS's name for the carriers' load balancer, and CarrierARNSuffix what CloudWatch knows it by; empty
	// without carriers.
	CarrierDNS       pulumi.StringOutput
	CarrierARNSuffix pulumi.StringOutput
	// CarrierIPs are its addresses, which carriers allow, in the order of the zones' names.
	CarrierIPs []pulumi.StringOutput
	// TargetGroupARNs are where a fleet of SBCs registers: one for SIP over UDP and TCP, one for TLS. Empty without carriers.
	TargetGroupARNs pulumi.StringArrayOutput
	// TargetGroupARNSuffix is what metrics call the first of them: the health check is the same for all.
	TargetGroupARNSuffix pulumi.StringOutput

	// PoolIPs are the addresses that phones reach, and PoolAllocationIDs those of them that were made here.
	PoolIPs           []pulumi.StringOutput
	PoolAllocationIDs []pulumi.StringOutput
	// Hosts are the names of the single addresses, in their order; none without a domain.
	Hosts []string

	groups []group
}

// group is a target group and the end of its targets' names.
type group struct {
	suffix string
	arn    pulumi.StringOutput
}

// builder registers the children of one SipEdge.
type builder struct {
	ctx    *pulumi.Context
	name   string
	args   Args
	parent pulumi.ResourceOption
	self   *SipEdge
}

// NewSipEdge registers an edge. It fails before the first resource if args are not valid.
func NewSipEdge(ctx *pulumi.Context, name string, args Args, opts ...pulumi.ResourceOption) (*SipEdge, error) {
	if err := args.Validate(); err != nil {
		return nil, fmt.Errorf("SIP edge %s: %w", name, err)
	}
	none := pulumi.String("").ToStringOutput()
	self := &SipEdge{CarrierDNS: none, CarrierARNSuffix: none}
	if err := ctx.RegisterComponentResource("calldata:sipedge:SipEdge", name, self, opts...); err != nil {
		return nil, fmt.Errorf("SIP edge %s: %w", name, err)
	}
	b := builder{ctx: ctx, name: name, args: args.withDefaults(), parent: pulumi.Parent(self), self: self}
	if err := b.build(); err != nil {
		return nil, fmt.Errorf("SIP edge %s: %w", name, err)
	}
	return self, ctx.RegisterResourceOutputs(self, pulumi.Map{
		"carrierDns": self.CarrierDNS, "carrierIps": array(self.CarrierIPs), "targetGroupArns": self.TargetGroupARNs,
		"poolIps": array(self.PoolIPs), "poolAllocationIds": array(self.PoolAllocationIDs), "hosts": pulumi.ToStringArray(self.Hosts),
	})
}

func (b *builder) build() error {
	if b.args.Carriers != nil {
		if err := b.carriers(*b.args.Carriers); err != nil {
			return err
		}
	}
	arns := pulumi.StringArray{}
	for _, g := range b.self.groups {
		arns = append(arns, g.arn)
	}
	b.self.TargetGroupARNs = arns.ToStringArrayOutput()
	if b.args.Phones != nil {
		return b.phones(*b.args.Phones)
	}
	return nil
}

// address registers an Elastic IP that outlives whatever uses it.
func (b *builder) address(name string, more map[string]string) (*ec2.Eip, error) {
	all := b.args.Tags.Named(name)
	for key, value := range more {
		all[key] = value
	}
	return ec2.NewEip(b.ctx, name, &ec2.EipArgs{Domain: pulumi.String("vpc"), Tags: pulumi.ToStringMap(all)},
		b.parent, pulumi.Protect(b.args.Protect), pulumi.RetainOnDelete(b.args.Protect))
}

// Attach registers a single SBC with the carriers' load balancer, under a name of its own; after is what must be there
// before calls may come. Fleets register themselves, by TargetGroupARNs.
func (e *SipEdge) Attach(ctx *pulumi.Context, name string, instanceID pulumi.StringInput, after []pulumi.Resource) error {
	if len(e.groups) == 0 {
		return fmt.Errorf("attach %s: this SIP edge has no load balancer for carriers", name)
	}
	if instanceID == nil {
		return fmt.Errorf("attach %s: %w", name, errors.New("the instance id is missing"))
	}
	for _, g := range e.groups {
		_, err := lb.NewTargetGroupAttachment(ctx, name+g.suffix, &lb.TargetGroupAttachmentArgs{TargetGroupArn: g.arn, TargetId: instanceID},
			pulumi.Parent(e), pulumi.DependsOn(after))
		if err != nil {
			return err
		}
	}
	return nil
}

func (b *builder) tags(name string) pulumi.StringMap {
	return pulumi.ToStringMap(b.args.Tags.Named(name))
}

func array(outputs []pulumi.StringOutput) pulumi.StringArray {
	all := make(pulumi.StringArray, len(outputs))
	for i, o := range outputs {
		all[i] = o
	}
	return all
}
