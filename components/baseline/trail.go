package baseline

import (
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/cloudtrail"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/cloudwatch"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/iam"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/calldata/calldata-foundation/components/buckets"
	"github.com/calldata/calldata-foundation/components/iamdoc"
	"github.com/calldata/calldata-foundation/components/keys"
)

// trail registers the record of every change in every region: in S3 for ever or for as long as wanted, signed so that a
// change shows, and in CloudWatch for alarms. Reads of objects and the like (data events) are left out: they cost by the
// event.
func (b *builder) trail(self *Baseline) error {
	name := b.name + "-trail"
	bucket, err := b.records("trail", buckets.WriterCloudTrail, b.args.TrailLockDays)
	if err != nil {
		return err
	}
	self.TrailBucket = bucket.Name
	key, err := keys.NewKey(b.ctx, b.name+"-logs", keys.Args{Use: keys.UseLogs, Protect: b.args.Protect, Tags: b.args.Tags}, b.parent)
	if err != nil {
		return err
	}
	group, err := cloudwatch.NewLogGroup(b.ctx, name, &cloudwatch.LogGroupArgs{
		RetentionInDays: pulumi.Int(b.args.LogRetentionDays), KmsKeyId: key.ARN, Tags: b.tags(name),
	}, b.kept()...)
	if err != nil {
		return err
	}
	b.shared.trailGroup = group.Name
	role, permitted, err := b.trailRole(name, group)
	if err != nil {
		return err
	}
	_, err = cloudtrail.NewTrail(b.ctx, name, &cloudtrail.TrailArgs{
		S3BucketName: bucket.Name, KmsKeyId: b.shared.recordKey.ARN, CloudWatchLogsGroupArn: pulumi.Sprintf("%s:*", group.Arn), CloudWatchLogsRoleArn: role.Arn,
		IsMultiRegionTrail: pulumi.Bool(true), IncludeGlobalServiceEvents: pulumi.Bool(true), EnableLogFileValidation: pulumi.Bool(true), EnableLogging: pulumi.Bool(true), Tags: b.tags(name),
	}, append(b.kept(), pulumi.DependsOn([]pulumi.Resource{permitted}))...) // CloudTrail tries whether it may write
	return err
}

// trailRole lets CloudTrail into the log group, to the streams that it names after account and region.
// Source: AWS CloudTrail User Guide, "Role policy document for CloudTrail to use CloudWatch Logs for monitoring".
func (b *builder) trailRole(name string, group *cloudwatch.LogGroup) (*iam.Role, pulumi.Resource, error) {
	trust, err := iamdoc.Trust("cloudtrail.amazonaws.com", "")
	if err != nil {
		return nil, nil, err
	}
	role, err := iam.NewRole(b.ctx, name, &iam.RoleArgs{
		Description: pulumi.String("Lets CloudTrail into its log group"), AssumeRolePolicy: pulumi.String(trust), Tags: b.tags(name),
	}, b.parent)
	if err != nil {
		return nil, nil, err
	}
	policy := group.Arn.ApplyT(func(arn string) (string, error) {
		return iamdoc.Document(iamdoc.Statement{
			Actions: []string{"logs:CreateLogStream", "logs:PutLogEvents"}, Resources: []string{fmt.Sprintf("%s:log-stream:%s_CloudTrail_%s*", arn, b.account, b.region)},
		})
	}).(pulumi.StringOutput)
	permitted, err := iam.NewRolePolicy(b.ctx, name, &iam.RolePolicyArgs{Role: role.Name, Policy: policy}, b.parent)
	return role, permitted, err
}
