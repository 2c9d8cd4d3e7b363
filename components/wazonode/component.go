package wazonode

import (
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// WazoNode is one machine of the platform.
type WazoNode struct {
	pulumi.ResourceState

	// InstanceID is the EC2 instance id.
	InstanceID pulumi.StringOutput
	// PrivateIP is the address inside the VPC.
	PrivateIP pulumi.StringOutput
	// PublicIP is the Elastic IP, empty without one. It stays the same when the machine is replaced.
	PublicIP pulumi.StringOutput
	// SecurityGroupID is the machine's firewall.
	SecurityGroupID pulumi.StringOutput
	// Reachable is what must be there before the machine can be reached: the machine, its firewall's rules, its address.
	// It is a list because the Go SDK adds a component's children to it in the background: depending on the component
	// itself misses those that are not there yet.
	Reachable []pulumi.Resource
}

// builder registers the children of one WazoNode.
type builder struct {
	ctx    *pulumi.Context
	name   string
	args   Args
	parent pulumi.ResourceOrInvokeOption
}

// NewWazoNode registers a machine. It fails before the first resource if args are not valid.
func NewWazoNode(ctx *pulumi.Context, name string, args Args, opts ...pulumi.ResourceOption) (*WazoNode, error) {
	if err := args.Validate(); err != nil {
		return nil, fmt.Errorf("node %s: %w", name, err)
	}
	self := &WazoNode{}
	if err := ctx.RegisterComponentResource("calldata:wazonode:WazoNode", name, self, opts...); err != nil {
		return nil, fmt.Errorf("node %s: %w", name, err)
	}
	b := builder{ctx: ctx, name: name, args: args, parent: pulumi.Parent(self)}
	if err := b.build(self); err != nil {
		return nil, fmt.Errorf("node %s: %w", name, err)
	}
	return self, nil
}

func (b *builder) build(self *WazoNode) error {
	image := b.args.AMIID
	if image == "" {
		var err error
		if image, err = newestDebian(b.ctx, b.parent); err != nil {
			return err
		}
	}
	group, rules, err := b.firewall()
	if err != nil {
		return err
	}
	profile, err := b.profile()
	if err != nil {
		return err
	}
	instance, err := b.instance(image, group, profile)
	if err != nil {
		return err
	}
	self.InstanceID = instance.ID().ToStringOutput()
	self.PrivateIP = instance.PrivateIp
	self.SecurityGroupID = group.ID().ToStringOutput()
	self.PublicIP = pulumi.String("").ToStringOutput()
	self.Reachable = append(rules, instance)
	if b.args.Public {
		eip, association, err := b.address(instance)
		if err != nil {
			return err
		}
		self.PublicIP = eip.PublicIp
		self.Reachable = append(self.Reachable, association)
	}
	return b.ctx.RegisterResourceOutputs(self, pulumi.Map{
		"instanceId": self.InstanceID, "privateIp": self.PrivateIP, "publicIp": self.PublicIP, "securityGroupId": self.SecurityGroupID,
	})
}

func (b *builder) instance(image string, group *ec2.SecurityGroup, profile pulumi.StringInput) (*ec2.Instance, error) {
	key, err := ec2.NewKeyPair(b.ctx, b.name, &ec2.KeyPairArgs{
		KeyNamePrefix: pulumi.String(b.name + "-"), PublicKey: pulumi.String(b.args.SSHPublicKey), Tags: b.tags(b.name),
	}, b.parent)
	if err != nil {
		return nil, err
	}
	// The key is written at the first boot. EC2 could change it only with the machine, and a rotated key is no reason to
	// lose an engine and its data.
	ignored := []string{"keyName"}
	if b.args.AMIID == "" {
		// A newer Debian image appears every few weeks. It is for the next machine, not a reason to replace this one and
		// drop its calls: to move to a newer image, set amiId.
		ignored = append(ignored, "ami")
	}
	return ec2.NewInstance(b.ctx, b.name, &ec2.InstanceArgs{
		Ami:          pulumi.String(image),
		InstanceType: pulumi.String(b.args.InstanceType),
		SubnetId:     b.args.SubnetID,
		// No word about a public address here: attaching the Elastic IP changes what AWS says about it, and a fixed
		// answer would replace the machine on the next run.
		VpcSecurityGroupIds: pulumi.StringArray{group.ID()},
		KeyName:             key.KeyName,
		IamInstanceProfile:  profile,
		UserData:            pulumi.String(userData(b.args.HostName, b.args.Domain)),
		// cloud-init acts on the first boot alone, so changed user data means a new machine.
		UserDataReplaceOnChange: pulumi.Bool(true),
		// Only IMDSv2, and not through a container's or a proxy's extra hop.
		MetadataOptions: ec2.InstanceMetadataOptionsArgs{
			HttpEndpoint: pulumi.String("enabled"), HttpTokens: pulumi.String("required"), HttpPutResponseHopLimit: pulumi.Int(1),
		},
		RootBlockDevice: ec2.InstanceRootBlockDeviceArgs{
			Encrypted: pulumi.Bool(true), VolumeType: pulumi.String("gp3"), VolumeSize: pulumi.Int(b.args.RootVolumeGiB),
			DeleteOnTermination: pulumi.Bool(true), Tags: b.tags(b.name + "-root"),
		},
		Monitoring:            pulumi.Bool(true),
		EbsOptimized:          pulumi.Bool(true),
		DisableApiTermination: pulumi.Bool(b.args.Protect),
		Tags:                  b.tags(b.name),
	}, b.parent, pulumi.IgnoreChanges(ignored))
}

// address registers the Elastic IP and attaches it. The two are apart so that the address, which phones and carriers
// know, stays when the machine is replaced.
func (b *builder) address(instance *ec2.Instance) (*ec2.Eip, *ec2.EipAssociation, error) {
	eip, err := ec2.NewEip(b.ctx, b.name, &ec2.EipArgs{Domain: pulumi.String("vpc"), Tags: b.tags(b.name)}, b.parent, pulumi.Protect(b.args.Protect))
	if err != nil {
		return nil, nil, err
	}
	// A replacement is attached while the old machine still holds the address.
	association, err := ec2.NewEipAssociation(b.ctx, b.name, &ec2.EipAssociationArgs{
		AllocationId: eip.AllocationId, InstanceId: instance.ID(), AllowReassociation: pulumi.Bool(true),
	}, b.parent)
	return eip, association, err
}

func (b *builder) tags(name string) pulumi.StringMap {
	return pulumi.ToStringMap(b.args.Tags.Named(name))
}
