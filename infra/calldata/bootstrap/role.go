package bootstrap

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/calldata/calldata-foundation/components/linkedrole"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/mend"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/awsapi"
)

// roleAPI is the part of IAM that this command uses.
type roleAPI interface {
	GetRole(context.Context, *iam.GetRoleInput, ...func(*iam.Options)) (*iam.GetRoleOutput, error)
	CreateRole(context.Context, *iam.CreateRoleInput, ...func(*iam.Options)) (*iam.CreateRoleOutput, error)
	UpdateAssumeRolePolicy(context.Context, *iam.UpdateAssumeRolePolicyInput, ...func(*iam.Options)) (*iam.UpdateAssumeRolePolicyOutput, error)
	GetRolePolicy(context.Context, *iam.GetRolePolicyInput, ...func(*iam.Options)) (*iam.GetRolePolicyOutput, error)
	PutRolePolicy(context.Context, *iam.PutRolePolicyInput, ...func(*iam.Options)) (*iam.PutRolePolicyOutput, error)
	CreateServiceLinkedRole(context.Context, *iam.CreateServiceLinkedRoleInput, ...func(*iam.Options)) (*iam.CreateServiceLinkedRoleOutput, error)
}

// inspectRoles looks for the roles of AWS's services that stacks name. Each is one setting: what it may do is AWS's to say.
func (f *foundation) inspectRoles(ctx context.Context) ([]mend.Setting, error) {
	var settings []mend.Setting
	var errs []error
	for _, role := range linkedrole.All() {
		s := mend.Setting{Resource: "role " + role.Name, Name: role.Service, Want: "for " + role.Needed}
		_, err := f.iam.GetRole(ctx, &iam.GetRoleInput{RoleName: aws.String(role.Name)})
		switch {
		case awsapi.Is(err, "NoSuchEntity"):
			s.Missing, s.Mend = true, func(ctx context.Context) error { return f.createRole(ctx, role) }
		case err != nil:
			errs = append(errs, fmt.Errorf("%s: %s", s.Resource, awsapi.Message(err)))
		default:
			s.Found = s.Want
		}
		settings = append(settings, s)
	}
	return settings, errors.Join(errs...)
}

// createRole makes a role, unless its service or somebody else was faster.
func (f *foundation) createRole(ctx context.Context, role linkedrole.Role) error {
	_, err := f.iam.CreateServiceLinkedRole(ctx, &iam.CreateServiceLinkedRoleInput{AWSServiceName: aws.String(role.Service)})
	if awsapi.Is(err, "InvalidInput") {
		if _, there := f.iam.GetRole(ctx, &iam.GetRoleInput{RoleName: aws.String(role.Name)}); there == nil {
			return nil
		}
	}
	return err
}
