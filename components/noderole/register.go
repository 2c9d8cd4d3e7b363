package noderole

import (
	"fmt"
	"reflect"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/iam"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/calldata/calldata-foundation/components/iamdoc"
	"github.com/calldata/calldata-foundation/components/provider"
)

// ssmPolicy lets Systems Manager reach the machine, and nothing else.
// Source: AWS Systems Manager User Guide, "Configure instance permissions required for Systems Manager".
const ssmPolicy = "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore"

// Register registers a role called name and its instance profile as children of parent, and answers the profile's name
// and ARN. Both resolve once the role has its permissions. It fails before the first resource if args are not valid.
func Register(ctx *pulumi.Context, name string, args Args, parent pulumi.Resource) (profileName, profileARN pulumi.StringOutput, err error) {
	fail := func(err error) (pulumi.StringOutput, pulumi.StringOutput, error) {
		return pulumi.StringOutput{}, pulumi.StringOutput{}, fmt.Errorf("role of %s: %w", name, err)
	}
	if err := args.Validate(); err != nil {
		return fail(err)
	}
	child, labels := pulumi.Parent(parent), pulumi.ToStringMap(args.Tags.Named(name))
	trust, err := iamdoc.Trust("ec2.amazonaws.com", "")
	if err != nil {
		return fail(err)
	}
	permissions, err := args.permissions(ctx, child)
	if err != nil {
		return fail(err)
	}
	role, err := iam.NewRole(ctx, name, &iam.RoleArgs{
		Description: pulumi.String("Wazo node " + name), AssumeRolePolicy: pulumi.String(trust), Tags: labels,
	}, child)
	if err != nil {
		return fail(err)
	}
	ssm, err := iam.NewRolePolicyAttachment(ctx, name+"-ssm", &iam.RolePolicyAttachmentArgs{Role: role.Name, PolicyArn: pulumi.String(ssmPolicy)}, child)
	if err != nil {
		return fail(err)
	}
	attached := []pulumi.Resource{ssm}
	if permissions != nil {
		policy, err := iam.NewRolePolicy(ctx, name, &iam.RolePolicyArgs{Role: role.Name, Policy: permissions}, child)
		if err != nil {
			return fail(err)
		}
		attached = append(attached, policy)
	}
	profile, err := iam.NewInstanceProfile(ctx, name, &iam.InstanceProfileArgs{Role: role.Name, Tags: labels}, child, pulumi.DependsOn(attached))
	if err != nil {
		return fail(err)
	}
	return profile.Name, profile.Arn, nil
}

// permissions answers the document of the grants, or nil if there are none.
func (a Args) permissions(ctx *pulumi.Context, parent pulumi.InvokeOption) (pulumi.StringInput, error) {
	if reflect.ValueOf(a.Grants).IsZero() {
		return nil, nil
	}
	account, err := provider.Account(ctx, parent)
	if err != nil {
		return nil, err
	}
	region, err := provider.Region(ctx, parent)
	if err != nil {
		return nil, err
	}
	g := a.Grants
	one := func(arn pulumi.StringInput) pulumi.StringArrayInput {
		if arn == nil {
			return none
		}
		return pulumi.StringArray{arn}
	}
	return pulumi.All(one(g.ArtifactsBucketARN), one(g.BackupsBucketARN), orNone(g.SecretARNs), orNone(g.KMSKeyARNs), one(g.TopicKeyARN)).ApplyT(func(known []any) (string, error) {
		list := func(i int) []string { return known[i].([]string) }
		return iamdoc.Document(a.statements(place{region, account}, arns{list(0), list(1), list(2), list(3), list(4)})...)
	}).(pulumi.StringOutput), nil
}

var none = pulumi.StringArray{}

func orNone(list pulumi.StringArrayInput) pulumi.StringArrayInput {
	if list == nil {
		return none
	}
	return list
}
