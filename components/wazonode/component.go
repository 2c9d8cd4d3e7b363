package wazonode

import (
	"fmt"
	"slices"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/calldata/calldata-foundation/components/machineimage"
	"github.com/calldata/calldata-foundation/components/noderole"
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
	// DataVolumeID is the data volume, empty without one. It stays the same when the machine is replaced.
	DataVolumeID pulumi.StringOutput
	// Reachable is what must be there before the machine can be reached and worked on: the machine, its firewall's rules,
	// its address, its data volume.
	// It is a list because the Go SDK adds a component's children to it in the background: depending on the component
	// itself misses those that are not there yet.
	Reachable []pulumi.Resource
}

// builder registers the children of one WazoNode.
type builder struct {
	ctx    *pulumi.Context
	name   string
	args   Args
	self   *WazoNode
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
	b := builder{ctx: ctx, name: name, args: args, self: self, parent: pulumi.Parent(self)}
	if err := b.build(); err != nil {
		return nil, fmt.Errorf("node %s: %w", name, err)
	}
	return self, nil
}

func (b *builder) build() error {
	image := b.args.AMIID
	if image == "" {
		var err error
		if image, err = machineimage.NewestDebian(b.ctx, b.parent); err != nil {
			return err
		}
	}
	profile, _, err := noderole.Register(b.ctx, b.name, noderole.Args{Role: b.args.Tags.Role, Grants: b.args.Grants, Tags: b.args.Tags}, b.self)
	if err != nil {
		return err
	}
	self := b.self
	self.DataVolumeID, self.PublicIP = pulumi.String("").ToStringOutput(), pulumi.String("").ToStringOutput()
	if b.args.DataVolume.GiB > 0 {
		volume, err := b.dataVolume()
		if err != nil {
			return err
		}
		self.DataVolumeID = volume.ID().ToStringOutput()
	}
	instance, err := b.instance(image, profile)
	if err != nil {
		return err
	}
	self.InstanceID = instance.ID().ToStringOutput()
	self.PrivateIP = instance.PrivateIp
	self.Reachable = append(slices.Clone(b.args.Firewall), instance)
	if b.args.DataVolume.GiB > 0 {
		attachment, err := b.attach(instance)
		if err != nil {
			return err
		}
		self.Reachable = append(self.Reachable, attachment)
	}
	if b.args.Public {
		eip, association, err := b.address(instance)
		if err != nil {
			return err
		}
		self.PublicIP = eip.PublicIp
		self.Reachable = append(self.Reachable, association)
	}
	if b.args.AutoRecovery {
		if err := b.recovery(instance); err != nil {
			return err
		}
	}
	return b.ctx.RegisterResourceOutputs(self, pulumi.Map{
		"instanceId": self.InstanceID, "privateIp": self.PrivateIP, "publicIp": self.PublicIP, "dataVolumeId": self.DataVolumeID,
	})
}

func (b *builder) instance(image string, profile pulumi.StringInput) (*ec2.Instance, error) {
	userData, err := b.userData()
	if err != nil {
		return nil, err
	}
	var ignored []string
	if b.args.AMIID == "" {
		// A newer Debian image appears every few weeks. It is for the next machine, not a reason to replace this one and
		// drop its calls: to move to a newer image, set amiId.
		ignored = append(ignored, "ami")
	}
	args := &ec2.InstanceArgs{
		Ami:          pulumi.String(image),
		InstanceType: pulumi.String(b.args.InstanceType),
		SubnetId:     b.args.SubnetID,
		// No word about a public address here: attaching the Elastic IP changes what AWS says about it, and a fixed
		// answer would replace the machine on the next run.
		VpcSecurityGroupIds: b.args.SecurityGroupIDs,
		IamInstanceProfile:  profile,
		UserData:            userData,
		// cloud-init acts on the first boot alone, so changed user data means a new machine.
		UserDataReplaceOnChange: pulumi.Bool(true),
		// Only IMDSv2, and not through a container's or a proxy's extra hop.
		MetadataOptions: ec2.InstanceMetadataOptionsArgs{
			HttpEndpoint: pulumi.String("enabled"), HttpTokens: pulumi.String("required"), HttpPutResponseHopLimit: pulumi.Int(1),
		},
		RootBlockDevice: ec2.InstanceRootBlockDeviceArgs{
			Encrypted: pulumi.Bool(true), KmsKeyId: optional(b.args.VolumeKMSKeyARN), VolumeType: pulumi.String("gp3"), VolumeSize: pulumi.Int(b.args.RootVolumeGiB),
			DeleteOnTermination: pulumi.Bool(true), Tags: b.tags(b.name + "-root"),
		},
		Monitoring:            pulumi.Bool(b.args.DetailedMonitoring),
		EbsOptimized:          pulumi.Bool(true),
		DisableApiTermination: pulumi.Bool(b.args.Protect),
		Tags:                  b.tags(b.name),
	}
	if !b.args.InstallSSMAgent {
		key, err := ec2.NewKeyPair(b.ctx, b.name, &ec2.KeyPairArgs{
			KeyNamePrefix: pulumi.String(b.name + "-"), PublicKey: pulumi.String(b.args.SSHPublicKey), Tags: b.tags(b.name),
		}, b.parent)
		if err != nil {
			return nil, err
		}
		args.KeyName = key.KeyName
		// The key is written at the first boot. EC2 could change it only with the machine, and a rotated key is no reason
		// to lose an engine and its data.
		ignored = append([]string{"keyName"}, ignored...)
	}
	return ec2.NewInstance(b.ctx, b.name, args, b.parent, pulumi.IgnoreChanges(ignored))
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

// optional is value as an input that may be left out.
func optional(value pulumi.StringInput) pulumi.StringPtrInput {
	if value == nil {
		return nil
	}
	return value.ToStringOutput().ToStringPtrOutput()
}
