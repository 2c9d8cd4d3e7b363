// Package boundary gives every IAM role of a stack the same permissions boundary.
package boundary

import (
	"fmt"
	"regexp"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/iam"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// arnForm is a customer managed policy.
var arnForm = regexp.MustCompile(`^arn:aws:iam::\d{12}:policy/[A-Za-z0-9+=,.@_/-]+$`)

// Check reports what keeps arn from being the ARN of a policy that can be a boundary.
func Check(arn string) error {
	if !arnForm.MatchString(arn) {
		return fmt.Errorf("%q is not the ARN of a policy of the account, like arn:aws:iam::123456789012:policy/name", arn)
	}
	return nil
}

// Apply limits every role that the program registers from now on to what the policy arn allows. Deployments from GitHub may
// make no role without: who could make one with any permission could give it to a machine and use it there.
// Source: AWS IAM User Guide, "Permissions boundaries for IAM entities", "Delegating responsibility to others".
func Apply(ctx *pulumi.Context, arn string) error {
	if err := Check(arn); err != nil {
		return fmt.Errorf("permissions boundary: %w", err)
	}
	return ctx.RegisterStackTransformation(func(args *pulumi.ResourceTransformationArgs) *pulumi.ResourceTransformationResult {
		if role, ok := args.Props.(*iam.RoleArgs); ok && role.PermissionsBoundary == nil {
			role.PermissionsBoundary = pulumi.String(arn)
		}
		return &pulumi.ResourceTransformationResult{Props: args.Props, Opts: args.Opts}
	})
}
