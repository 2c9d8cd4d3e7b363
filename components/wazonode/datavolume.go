package wazonode

import (
	"maps"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ebs"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// BackupKey is the key of the tag that AWS Backup selects by. Its value is the environment.
const BackupKey = "Backup"

// dataVolume registers the data volume. It depends on nothing of the machine, so that replacing that leaves it alone.
func (b *builder) dataVolume() (*ebs.Volume, error) {
	name := b.name + "-data"
	tags := b.args.Tags.Named(name)
	maps.Copy(tags, map[string]string{BackupKey: b.args.Tags.Environment})
	return ebs.NewVolume(b.ctx, name, &ebs.VolumeArgs{
		AvailabilityZone: pulumi.String(b.args.Zone), Size: pulumi.Int(b.args.DataVolume.GiB), Type: pulumi.String("gp3"),
		Encrypted: pulumi.Bool(true), KmsKeyId: optional(b.args.VolumeKMSKeyARN),
		FinalSnapshot: pulumi.Bool(b.args.Protect), Tags: pulumi.ToStringMap(tags),
	}, b.parent, pulumi.Protect(b.args.Protect))
}

// attach registers the attachment of the data volume to instance.
func (b *builder) attach(instance *ec2.Instance) (*ec2.VolumeAttachment, error) {
	return ec2.NewVolumeAttachment(b.ctx, b.name+"-data", &ec2.VolumeAttachmentArgs{
		DeviceName: pulumi.String(b.args.DataVolume.withDefaults().Device), VolumeId: b.self.DataVolumeID, InstanceId: instance.ID(),
		// Its database must have written everything before the disk goes.
		StopInstanceBeforeDetaching: pulumi.Bool(true),
		// A volume is attached to one machine: it has to leave the old one before the new one gets it.
	}, b.parent, pulumi.DeleteBeforeReplace(true))
}
