package replica

import (
	"errors"
	"fmt"
	"slices"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/iam"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/s3"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/calldata/calldata-foundation/components/backup"
	"github.com/calldata/calldata-foundation/components/buckets"
	"github.com/calldata/calldata-foundation/components/iamdoc"
	"github.com/calldata/calldata-foundation/components/keys"
	"github.com/calldata/calldata-foundation/components/provider"
	"github.com/calldata/calldata-foundation/components/s3copy"
)

// Rule is the id of the rule that copies, by which CloudWatch has its metrics.
const Rule = "copy"

// accessLogDays is how long S3's record of who asked for a copy is of use.
const accessLogDays = 90

// Replica is a bucket and a vault in a second region, and what copies to the first.
type Replica struct {
	pulumi.ResourceState

	// BucketName is the bucket of copies, KeyARN the key that encrypts all that is in the second region.
	BucketName, KeyARN pulumi.StringOutput
	// VaultARN is a vault for a plan of AWS Backup to copy to.
	VaultARN pulumi.StringOutput
}

// builder registers the children of one Replica: those of the second region with far, the others with near.
type builder struct {
	ctx  *pulumi.Context
	name string
	args Args
	near pulumi.ResourceOrInvokeOption
	far  []pulumi.ResourceOption
}

// NewReplica registers the copies. It fails before the first resource if the name or args are not valid.
func NewReplica(ctx *pulumi.Context, name string, args Args, opts ...pulumi.ResourceOption) (*Replica, error) {
	if err := errors.Join(buckets.CheckName(logsOf(name)), args.Validate()); err != nil {
		return nil, fmt.Errorf("replica %s: %w", name, err)
	}
	self := &Replica{}
	if err := ctx.RegisterComponentResource("calldata:replica:Replica", name, self, opts...); err != nil {
		return nil, fmt.Errorf("replica %s: %w", name, err)
	}
	parent := pulumi.Parent(self)
	b := builder{ctx: ctx, name: name, args: args, near: parent, far: []pulumi.ResourceOption{parent, pulumi.Provider(args.Provider)}}
	if err := b.build(self); err != nil {
		return nil, fmt.Errorf("replica %s: %w", name, err)
	}
	return self, nil
}

// logsOf names the bucket of access logs. It is the longest name.
func logsOf(name string) string { return name + "-logs" }

func (b *builder) build(self *Replica) error {
	key, err := keys.NewKey(b.ctx, b.name, keys.Args{Use: keys.UseBackups, Protect: b.args.Protect, Tags: b.args.Tags}, b.far...)
	if err != nil {
		return err
	}
	bucket, err := b.bucket(key)
	if err != nil {
		return err
	}
	vault, err := backup.NewVault(b.ctx, b.name, backup.VaultArgs{KMSKeyARN: key.ARN, Lock: b.args.Lock, Protect: b.args.Protect, Tags: b.args.Tags}, b.far...)
	if err != nil {
		return err
	}
	if err := b.copying(key, bucket); err != nil {
		return err
	}
	self.BucketName, self.KeyARN, self.VaultARN = bucket.Name, key.ARN, vault.ARN
	return b.ctx.RegisterResourceOutputs(self, pulumi.Map{"bucketName": self.BucketName, "keyArn": self.KeyARN, "vaultArn": self.VaultARN})
}

// bucket registers the bucket of copies. S3 delivers a bucket's access logs in its own region alone. By its role a bucket is
// known as one of backups, which policies want locked and protected; S3 cannot write access logs to a bucket with a lock.
func (b *builder) bucket(key *keys.Key) (*buckets.Bucket, error) {
	noBackups := b.args.Tags
	noBackups.Role = "storage"
	logs, err := buckets.NewBucket(b.ctx, logsOf(b.name), buckets.Args{
		Use: "access-logs", Writers: []buckets.Writer{buckets.WriterS3AccessLogs}, ExpireDays: accessLogDays, ForceDestroy: true, Tags: noBackups,
	}, b.far...)
	if err != nil {
		return nil, err
	}
	return buckets.NewBucket(b.ctx, b.name, buckets.Args{
		Use: "backups", KMSKeyARN: key.ARN, AccessLogsTo: logs.Name, ExpireDays: b.args.Days, ObjectLockDays: b.args.lockDays(),
		Protect: b.args.Protect, ForceDestroy: !b.args.Protect, Tags: b.args.Tags,
	}, b.far...)
}

// copying registers the rule by which S3 copies every new object, and the role that it takes on for that.
func (b *builder) copying(key *keys.Key, bucket *buckets.Bucket) error {
	role, permission, err := b.role(key, bucket)
	if err != nil {
		return err
	}
	_, err = s3.NewBucketReplicationConfig(b.ctx, b.name, &s3.BucketReplicationConfigArgs{
		Bucket: b.args.SourceBucket, Role: role.Arn,
		Rules: s3.BucketReplicationConfigRuleArray{s3.BucketReplicationConfigRuleArgs{
			Id: pulumi.String(Rule), Status: pulumi.String("Enabled"), Priority: pulumi.Int(1), Filter: s3.BucketReplicationConfigRuleFilterArgs{},
			DeleteMarkerReplication: s3.BucketReplicationConfigRuleDeleteMarkerReplicationArgs{Status: pulumi.String("Disabled")},
			SourceSelectionCriteria: s3.BucketReplicationConfigRuleSourceSelectionCriteriaArgs{
				SseKmsEncryptedObjects: s3.BucketReplicationConfigRuleSourceSelectionCriteriaSseKmsEncryptedObjectsArgs{Status: pulumi.String("Enabled")},
			},
			Destination: s3.BucketReplicationConfigRuleDestinationArgs{
				Bucket: bucket.ARN, StorageClass: pulumi.String("STANDARD"),
				// Alarms go by what is counted of the rule.
				Metrics:                 s3.BucketReplicationConfigRuleDestinationMetricsArgs{Status: pulumi.String("Enabled")},
				EncryptionConfiguration: s3.BucketReplicationConfigRuleDestinationEncryptionConfigurationArgs{ReplicaKmsKeyId: key.ARN},
			},
		}},
	}, b.near, pulumi.DependsOn(slices.Concat(b.args.SourceReady, bucket.Ready, []pulumi.Resource{permission})))
	return err
}

// role registers the role that S3 copies with, and answers it with what gives it its permissions.
func (b *builder) role(key *keys.Key, bucket *buckets.Bucket) (*iam.Role, pulumi.Resource, error) {
	region, err := provider.Region(b.ctx, b.near)
	if err != nil {
		return nil, nil, err
	}
	// Only who may pass the role can have S3 use it: there is no deputy to confuse.
	trust, err := iamdoc.Trust("s3.amazonaws.com", "")
	if err != nil {
		return nil, nil, err
	}
	role, err := iam.NewRole(b.ctx, b.name, &iam.RoleArgs{
		Description: pulumi.String("Lets S3 copy backups to " + b.args.Region), AssumeRolePolicy: pulumi.String(trust), Tags: pulumi.ToStringMap(b.args.Tags.Named(b.name)),
	}, b.near)
	if err != nil {
		return nil, nil, err
	}
	document := pulumi.All(b.args.SourceBucketARN, b.args.SourceKMSKeyARN, bucket.ARN, key.ARN).ApplyT(func(arns []any) (string, error) {
		arn := func(i int) string { return arns[i].(string) }
		return s3copy.Permissions(s3copy.End{Bucket: arn(0), Key: arn(1), Region: region}, s3copy.End{Bucket: arn(2), Key: arn(3), Region: b.args.Region}, s3copy.LeaveDeletions)
	}).(pulumi.StringOutput)
	permission, err := iam.NewRolePolicy(b.ctx, b.name, &iam.RolePolicyArgs{Role: role.Name, Policy: document}, b.near)
	return role, permission, err
}
