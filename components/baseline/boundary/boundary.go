package boundary

import (
	"fmt"
	"regexp"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/iam"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// Source: AWS IAM User Guide, "IAM identifiers".
var arnForm = regexp.MustCompile(`^arn:aws:iam::(\d{12}|aws):policy/[A-Za-z0-9_+=,.@/-]+$`)

// roleType is the token of IAM roles.
const roleType = "aws:iam/role:Role"

// Enforce gives the managed policy to every role that ctx's program registers from now on as its permissions boundary. A
// role that has another boundary is an error: it would be refused in the middle of a deployment.
func Enforce(ctx *pulumi.Context, policyARN string) error {
	if !arnForm.MatchString(policyARN) {
		return fmt.Errorf("permissions boundary: %q is not the ARN of a managed policy", policyARN)
	}
	return ctx.RegisterStackTransformation(func(args *pulumi.ResourceTransformationArgs) *pulumi.ResourceTransformationResult {
		if args.Type != roleType {
			return nil
		}
		role, ok := args.Props.(*iam.RoleArgs)
		if !ok {
			return nil
		}
		bounded := *role
		switch role.PermissionsBoundary {
		case nil:
			bounded.PermissionsBoundary = pulumi.String(policyARN)
		case pulumi.String(policyARN):
		default:
			// A transformation cannot answer an error, an output can.
			name := args.Name
			bounded.PermissionsBoundary = pulumi.String(policyARN).ToStringOutput().ApplyT(func(string) (string, error) {
				return "", fmt.Errorf("role %s: it has a permissions boundary already, and the stack's is %s: leave its own out", name, policyARN)
			}).(pulumi.StringOutput).ToStringPtrOutput()
		}
		return &pulumi.ResourceTransformationResult{Props: &bounded, Opts: args.Opts}
	})
}
