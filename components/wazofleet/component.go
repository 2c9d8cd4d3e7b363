package wazofleet

import (
	"encoding/base64"
	"fmt"
	"strconv"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/calldata/calldata-foundation/components/machineimage"
	"github.com/calldata/calldata-foundation/components/noderole"
)

// WazoFleet is a group of machines.
type WazoFleet struct {
	pulumi.ResourceState

	// GroupName is the name of the Auto Scaling group.
	GroupName pulumi.StringOutput
	// LaunchTemplateID is the launch template of its machines.
	LaunchTemplateID pulumi.StringOutput
}

// builder registers the children of one WazoFleet.
type builder struct {
	ctx    *pulumi.Context
	name   string
	args   Args
	self   *WazoFleet
	parent pulumi.ResourceOrInvokeOption
}

// NewWazoFleet registers a fleet. It fails before the first resource if args are not valid.
func NewWazoFleet(ctx *pulumi.Context, name string, args Args, opts ...pulumi.ResourceOption) (*WazoFleet, error) {
	if err := args.Validate(); err != nil {
		return nil, fmt.Errorf("fleet %s: %w", name, err)
	}
	self := &WazoFleet{}
	if err := ctx.RegisterComponentResource("calldata:wazofleet:WazoFleet", name, self, opts...); err != nil {
		return nil, fmt.Errorf("fleet %s: %w", name, err)
	}
	b := builder{ctx: ctx, name: name, args: args, self: self, parent: pulumi.Parent(self)}
	if err := b.build(); err != nil {
		return nil, fmt.Errorf("fleet %s: %w", name, err)
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
	_, profile, err := noderole.Register(b.ctx, b.name, noderole.Args{Role: b.args.Role, Grants: b.args.grants(), Tags: b.args.Tags}, b.self)
	if err != nil {
		return err
	}
	template, err := b.template(image, profile)
	if err != nil {
		return err
	}
	group, err := b.group(template)
	if err != nil {
		return err
	}
	if err := b.keepHooks(group); err != nil {
		return err
	}
	if err := b.scaling(group); err != nil {
		return err
	}
	b.self.GroupName, b.self.LaunchTemplateID = group.Name, template.ID().ToStringOutput()
	return b.ctx.RegisterResourceOutputs(b.self, pulumi.Map{"groupName": b.self.GroupName, "launchTemplateId": b.self.LaunchTemplateID})
}

// frozen is everything about a launch template that would make another version of it, and so replace the fleet's machines.
var frozen = []string{
	"blockDeviceMappings", "description", "ebsOptimized", "iamInstanceProfile", "imageId", "instanceType", "metadataOptions", "monitoring",
	"networkInterfaces", "tagSpecifications", "userData",
}

// template registers what a machine of the fleet is.
func (b *builder) template(image string, profile pulumi.StringInput) (*ec2.LaunchTemplate, error) {
	a := b.args
	var ignored []string
	switch {
	case a.Frozen:
		ignored = frozen
	case a.AMIID == "":
		// A newer Debian image appears every few weeks. It is no reason to replace a fleet: to move to it, set the AMI id.
		ignored = []string{"imageId"}
	}
	var key pulumi.StringPtrInput
	if a.VolumeKMSKeyARN != nil {
		key = a.VolumeKMSKeyARN.ToStringOutput().ToStringPtrOutput()
	}
	encoded := b.userData().ApplyT(func(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }).(pulumi.StringOutput)
	labelled := func(kind, name string) ec2.LaunchTemplateTagSpecificationArgs {
		return ec2.LaunchTemplateTagSpecificationArgs{ResourceType: pulumi.String(kind), Tags: b.tags(name)}
	}
	return ec2.NewLaunchTemplate(b.ctx, b.name, &ec2.LaunchTemplateArgs{
		Description: pulumi.String("Machine of the fleet " + a.group()), UpdateDefaultVersion: pulumi.Bool(true),
		ImageId: pulumi.String(image), InstanceType: pulumi.String(a.InstanceType), UserData: encoded,
		IamInstanceProfile: ec2.LaunchTemplateIamInstanceProfileArgs{Arn: profile},
		NetworkInterfaces: ec2.LaunchTemplateNetworkInterfaceArray{ec2.LaunchTemplateNetworkInterfaceArgs{
			DeviceIndex: pulumi.Int(0), SecurityGroups: b.args.SecurityGroupIDs, DeleteOnTermination: pulumi.String("true"),
			// A machine that is to claim an Elastic IP needs an address to ask for it with.
			AssociatePublicIpAddress: pulumi.String(strconv.FormatBool(a.public())),
		}},
		BlockDeviceMappings: ec2.LaunchTemplateBlockDeviceMappingArray{ec2.LaunchTemplateBlockDeviceMappingArgs{
			DeviceName: pulumi.String(machineimage.RootDevice),
			Ebs: ec2.LaunchTemplateBlockDeviceMappingEbsArgs{
				Encrypted: pulumi.String("true"), KmsKeyId: key, VolumeType: pulumi.String("gp3"), VolumeSize: pulumi.Int(a.RootVolumeGiB),
				DeleteOnTermination: pulumi.String("true"),
			},
		}},
		// Only IMDSv2, and not through a container's or a proxy's extra hop.
		MetadataOptions: ec2.LaunchTemplateMetadataOptionsArgs{
			HttpEndpoint: pulumi.String("enabled"), HttpTokens: pulumi.String("required"), HttpPutResponseHopLimit: pulumi.Int(1),
		},
		Monitoring:   ec2.LaunchTemplateMonitoringArgs{Enabled: pulumi.Bool(a.DetailedMonitoring)},
		EbsOptimized: pulumi.String("true"),
		// Permission to claim an address goes by the tags of the machine and of its network interface.
		TagSpecifications: ec2.LaunchTemplateTagSpecificationArray{
			labelled("instance", b.name), labelled("network-interface", b.name), labelled("volume", b.name+"-root"),
		},
		Tags: b.tags(b.name),
	}, b.parent, pulumi.IgnoreChanges(ignored))
}

func (b *builder) tags(name string) pulumi.StringMap {
	return pulumi.ToStringMap(b.args.Tags.Named(name))
}
