package wazonode

import (
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/iam"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/calldata/calldata-foundation/components/iamdoc"
)

// ssmPolicy lets Systems Manager reach the machine, and nothing else.
// Source: AWS Systems Manager User Guide, "Configure instance permissions required for Systems Manager".
const ssmPolicy = "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore"

// profile registers the role that the machine has towards AWS, and answers its profile's name. The name resolves once
// the role has its permissions.
func (b *builder) profile() (pulumi.StringOutput, error) {
	trust, err := iamdoc.Trust("ec2.amazonaws.com", "")
	if err != nil {
		return pulumi.StringOutput{}, err
	}
	role, err := iam.NewRole(b.ctx, b.name, &iam.RoleArgs{
		Description: pulumi.String("Wazo node " + b.name), AssumeRolePolicy: pulumi.String(trust), Tags: b.tags(b.name),
	}, b.parent)
	if err != nil {
		return pulumi.StringOutput{}, err
	}
	ssm, err := iam.NewRolePolicyAttachment(b.ctx, b.name+"-ssm", &iam.RolePolicyAttachmentArgs{Role: role.Name, PolicyArn: pulumi.String(ssmPolicy)}, b.parent)
	if err != nil {
		return pulumi.StringOutput{}, err
	}
	profile, err := iam.NewInstanceProfile(b.ctx, b.name, &iam.InstanceProfileArgs{Role: role.Name, Tags: b.tags(b.name)}, b.parent, pulumi.DependsOn([]pulumi.Resource{ssm}))
	if err != nil {
		return pulumi.StringOutput{}, err
	}
	return profile.Name, nil
}
