package buckets

import (
	"errors"
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/s3"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/calldata/calldata-foundation/components/provider"
)

// Bucket is an S3 bucket with its settings.
type Bucket struct {
	pulumi.ResourceState

	// Name is the bucket's name, the component's and what makes it unique. It resolves once the bucket has its
	// policy and nothing in it can become public, so that whatever writes to it may and is safe.
	Name pulumi.StringOutput
	// ARN is the bucket's ARN. It resolves with Name.
	ARN pulumi.StringOutput
	// Ready is what must be there before the first object: versions, encryption, ownership, access.
	Ready []pulumi.Resource
}

// builder registers the children of one Bucket.
type builder struct {
	ctx    *pulumi.Context
	name   string
	args   Args
	parent pulumi.ResourceOrInvokeOption
	bucket *s3.BucketV2
}

// NewBucket registers a bucket. It fails before the first resource if the name or args are not valid.
func NewBucket(ctx *pulumi.Context, name string, args Args, opts ...pulumi.ResourceOption) (*Bucket, error) {
	if err := errors.Join(CheckName(name), args.Validate()); err != nil {
		return nil, fmt.Errorf("bucket %s: %w", name, err)
	}
	self := &Bucket{}
	if err := ctx.RegisterComponentResource("calldata:buckets:Bucket", name, self, opts...); err != nil {
		return nil, fmt.Errorf("bucket %s: %w", name, err)
	}
	b := builder{ctx: ctx, name: name, args: args, parent: pulumi.Parent(self)}
	if err := b.build(self); err != nil {
		return nil, fmt.Errorf("bucket %s: %w", name, err)
	}
	return self, nil
}

func (b *builder) build(self *Bucket) error {
	account, err := provider.Account(b.ctx, b.parent)
	if err != nil {
		return err
	}
	region, err := provider.Region(b.ctx, b.parent)
	if err != nil {
		return err
	}
	tagged := b.args.Tags.Named(b.name)
	tagged["Use"] = b.args.Use
	if b.bucket, err = s3.NewBucketV2(b.ctx, b.name, &s3.BucketV2Args{
		BucketPrefix: pulumi.String(b.name + "-"), // AWS completes it: the name must be unique in the world
		ForceDestroy: pulumi.Bool(b.args.ForceDestroy), ObjectLockEnabled: pulumi.Bool(b.args.ObjectLockDays > 0), Tags: pulumi.ToStringMap(tagged),
	}, b.parent, pulumi.Protect(b.args.Protect), b.retain()); err != nil {
		return err
	}
	versioning, err := b.settings(self)
	if err != nil {
		return err
	}
	closed, err := b.access(self, place{account: account, region: region})
	if err != nil {
		return err
	}
	if err := b.keeping(versioning); err != nil {
		return err
	}
	if err := b.logging(); err != nil {
		return err
	}
	self.Name = after(b.bucket.Bucket, closed)
	self.ARN = after(b.bucket.Arn, closed)
	return b.ctx.RegisterResourceOutputs(self, pulumi.Map{"name": self.Name, "arn": self.ARN})
}

// settings registers versions, encryption and ownership, and answers the versions.
func (b *builder) settings(self *Bucket) (pulumi.Resource, error) {
	versioning, err := s3.NewBucketVersioningV2(b.ctx, b.name, &s3.BucketVersioningV2Args{
		Bucket: b.bucket.Bucket, VersioningConfiguration: s3.BucketVersioningV2VersioningConfigurationArgs{Status: pulumi.String("Enabled")},
	}, b.parent, b.retain())
	if err != nil {
		return nil, err
	}
	rule := s3.BucketServerSideEncryptionConfigurationV2RuleArgs{
		ApplyServerSideEncryptionByDefault: s3.BucketServerSideEncryptionConfigurationV2RuleApplyServerSideEncryptionByDefaultArgs{SseAlgorithm: pulumi.String("AES256")},
	}
	if b.args.KMSKeyARN != nil {
		rule = s3.BucketServerSideEncryptionConfigurationV2RuleArgs{
			ApplyServerSideEncryptionByDefault: s3.BucketServerSideEncryptionConfigurationV2RuleApplyServerSideEncryptionByDefaultArgs{
				SseAlgorithm: pulumi.String("aws:kms"), KmsMasterKeyId: b.args.KMSKeyARN.ToStringOutput(),
			},
			BucketKeyEnabled: pulumi.Bool(true),
		}
	}
	encryption, err := s3.NewBucketServerSideEncryptionConfigurationV2(b.ctx, b.name, &s3.BucketServerSideEncryptionConfigurationV2Args{
		Bucket: b.bucket.Bucket, Rules: s3.BucketServerSideEncryptionConfigurationV2RuleArray{rule},
	}, b.parent, b.retain())
	if err != nil {
		return nil, err
	}
	ownership, err := s3.NewBucketOwnershipControls(b.ctx, b.name, &s3.BucketOwnershipControlsArgs{
		Bucket: b.bucket.Bucket, Rule: s3.BucketOwnershipControlsRuleArgs{ObjectOwnership: pulumi.String("BucketOwnerEnforced")},
	}, b.parent, b.retain())
	self.Ready = append(self.Ready, versioning, encryption, ownership)
	return versioning, err
}

// access registers the public access block and the policy, and answers the policy, which is the last.
func (b *builder) access(self *Bucket, p place) (*s3.BucketPolicy, error) {
	block, err := s3.NewBucketPublicAccessBlock(b.ctx, b.name, &s3.BucketPublicAccessBlockArgs{
		Bucket: b.bucket.Bucket, BlockPublicAcls: pulumi.Bool(true), BlockPublicPolicy: pulumi.Bool(true), IgnorePublicAcls: pulumi.Bool(true), RestrictPublicBuckets: pulumi.Bool(true),
	}, b.parent, b.retain())
	if err != nil {
		return nil, err
	}
	policy, err := s3.NewBucketPolicy(b.ctx, b.name, &s3.BucketPolicyArgs{
		Bucket: b.bucket.Bucket,
		Policy: b.bucket.Arn.ApplyT(func(arn string) (string, error) { return policyOf(arn, b.args.Writers, p) }).(pulumi.StringOutput),
	}, b.parent, b.retain(), pulumi.DependsOn([]pulumi.Resource{block})) // S3 refuses two changes of a bucket's access at a time
	self.Ready = append(self.Ready, block, policy)
	return policy, err
}

// keeping registers how long objects and their versions stay.
func (b *builder) keeping(versioning pulumi.Resource) error {
	// With a number of days, S3 takes away delete markers that hide nothing as well; without, it is told to.
	expiration := s3.BucketLifecycleConfigurationV2RuleExpirationArgs{ExpiredObjectDeleteMarker: pulumi.Bool(true)}
	if b.args.ExpireDays > 0 {
		expiration = s3.BucketLifecycleConfigurationV2RuleExpirationArgs{Days: pulumi.Int(b.args.ExpireDays)}
	}
	versions := pulumi.DependsOn([]pulumi.Resource{versioning})
	if _, err := s3.NewBucketLifecycleConfigurationV2(b.ctx, b.name, &s3.BucketLifecycleConfigurationV2Args{
		Bucket: b.bucket.Bucket,
		Rules: s3.BucketLifecycleConfigurationV2RuleArray{s3.BucketLifecycleConfigurationV2RuleArgs{
			Id: pulumi.String("keep"), Status: pulumi.String("Enabled"), Filter: s3.BucketLifecycleConfigurationV2RuleFilterArgs{}, Expiration: expiration,
			NoncurrentVersionExpiration:    s3.BucketLifecycleConfigurationV2RuleNoncurrentVersionExpirationArgs{NoncurrentDays: pulumi.Int(b.args.noncurrentDays())},
			AbortIncompleteMultipartUpload: s3.BucketLifecycleConfigurationV2RuleAbortIncompleteMultipartUploadArgs{DaysAfterInitiation: pulumi.Int(abortDays)},
		}},
	}, b.parent, b.retain(), versions); err != nil {
		return err
	}
	if b.args.ObjectLockDays == 0 {
		return nil
	}
	_, err := s3.NewBucketObjectLockConfigurationV2(b.ctx, b.name, &s3.BucketObjectLockConfigurationV2Args{
		Bucket: b.bucket.Bucket,
		Rule: s3.BucketObjectLockConfigurationV2RuleArgs{DefaultRetention: s3.BucketObjectLockConfigurationV2RuleDefaultRetentionArgs{
			Mode: pulumi.String("GOVERNANCE"), Days: pulumi.Int(b.args.ObjectLockDays),
		}},
	}, b.parent, b.retain(), versions)
	return err
}

// logging registers where S3 says who asked for what. A bucket that stays without its stack need not go on saying it.
func (b *builder) logging() error {
	if b.args.AccessLogsTo == nil {
		return nil
	}
	_, err := s3.NewBucketLoggingV2(b.ctx, b.name, &s3.BucketLoggingV2Args{
		Bucket: b.bucket.Bucket, TargetBucket: b.args.AccessLogsTo, TargetPrefix: pulumi.String("s3/" + b.name + "/"),
	}, b.parent)
	return err
}

// retain keeps a protected bucket's settings with it: forgotten by its stack, it must not become less private.
func (b *builder) retain() pulumi.ResourceOption { return pulumi.RetainOnDelete(b.args.Protect) }

// after answers value once policy is there.
func after(value pulumi.StringOutput, policy *s3.BucketPolicy) pulumi.StringOutput {
	return pulumi.All(value, policy.ID()).ApplyT(func(values []any) string { return values[0].(string) }).(pulumi.StringOutput)
}
