package vpc

import (
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/cloudwatch"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/iam"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/calldata/calldata-foundation/components/iamdoc"
)

// flowLogActions are what delivery to one log group needs; the group itself is ours to make.
// Source: Amazon VPC User Guide, "IAM role for publishing flow logs to CloudWatch Logs".
var flowLogActions = []string{"logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"}

// flowLog records all traffic, accepted and refused, into a log group of its own.
func (b *builder) flowLog(network *ec2.Vpc) error {
	name := b.name + "-flow-logs"
	args := &cloudwatch.LogGroupArgs{RetentionInDays: pulumi.Int(b.args.FlowLogRetentionDays), Tags: b.tags(name)}
	if b.args.FlowLogKMSKeyARN != nil {
		args.KmsKeyId = b.args.FlowLogKMSKeyARN.ToStringOutput()
	}
	group, err := cloudwatch.NewLogGroup(b.ctx, name, args, b.parent)
	if err != nil {
		return err
	}
	trust, err := iamdoc.Trust("vpc-flow-logs.amazonaws.com", b.account)
	if err != nil {
		return err
	}
	role, err := iam.NewRole(b.ctx, name, &iam.RoleArgs{
		Description: pulumi.String("Lets VPC flow logs of " + b.name + " into their log group"), AssumeRolePolicy: pulumi.String(trust), Tags: b.tags(name),
	}, b.parent)
	if err != nil {
		return err
	}
	policy := group.Arn.ApplyT(func(arn string) (string, error) {
		return iamdoc.Document(iamdoc.Statement{Actions: flowLogActions, Resources: []string{arn + ":*"}})
	}).(pulumi.StringOutput)
	write, err := iam.NewRolePolicy(b.ctx, name, &iam.RolePolicyArgs{Role: role.Name, Policy: policy}, b.parent)
	if err != nil {
		return err
	}
	_, err = ec2.NewFlowLog(b.ctx, name, &ec2.FlowLogArgs{
		VpcId: network.ID(), TrafficType: pulumi.String("ALL"), LogDestinationType: pulumi.String("cloud-watch-logs"),
		LogDestination: group.Arn, IamRoleArn: role.Arn, Tags: b.tags(name),
	}, b.parent, pulumi.DependsOn([]pulumi.Resource{write})) // else the first records are lost
	return err
}
