package boundary

import (
	"os"
	"testing"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/iam"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/components/componenttest"
)

const policy = "arn:aws:iam::123456789012:policy/calldata-foundation-dev-workload-boundary"

func TestMain(m *testing.M) { os.Exit(componenttest.Main(m)) }

// program registers a role below a component, and a policy.
func program(arn string, own pulumi.StringPtrInput) pulumi.RunFunc {
	return func(ctx *pulumi.Context) error {
		if err := Enforce(ctx, arn); err != nil {
			return err
		}
		parent := &struct{ pulumi.ResourceState }{}
		if err := ctx.RegisterComponentResource("test:index:Parent", "p", parent); err != nil {
			return err
		}
		if _, err := iam.NewRole(ctx, "dev-role", &iam.RoleArgs{AssumeRolePolicy: pulumi.String("{}"), PermissionsBoundary: own}, pulumi.Parent(parent)); err != nil {
			return err
		}
		_, err := iam.NewPolicy(ctx, "dev-policy", &iam.PolicyArgs{Policy: pulumi.String("{}")})
		return err
	}
}

func TestEnforce(t *testing.T) {
	t.Parallel()
	for name, own := range map[string]pulumi.StringPtrInput{"none": nil, "the same": pulumi.String(policy)} {
		rec := &componenttest.Recorder{}
		require.NoError(t, rec.Run(program(policy, own)), name)
		role := rec.One(t, "aws:iam/role:Role")
		assert.Equal(t, policy, role.Inputs["permissionsBoundary"], name)
		assert.Equal(t, "{}", role.Inputs["assumeRolePolicy"])
		assert.Equal(t, "test:index:Parent p", role.Parent)
		assert.NotContains(t, rec.One(t, "aws:iam/policy:Policy").Inputs, "permissionsBoundary")
	}
}

func TestAnotherBoundaryIsAnError(t *testing.T) {
	t.Parallel()
	rec := &componenttest.Recorder{}
	require.ErrorContains(t, rec.Run(program(policy, pulumi.String("arn:aws:iam::aws:policy/ReadOnlyAccess"))), "role dev-role: it has a permissions boundary already")
	assert.Empty(t, rec.OfType("aws:iam/role:Role"))
}

func TestBadARN(t *testing.T) {
	t.Parallel()
	rec := &componenttest.Recorder{}
	require.ErrorContains(t, rec.Run(program("dev-workload-boundary", nil)), `permissions boundary: "dev-workload-boundary" is not the ARN`)
	assert.Empty(t, rec.OfType("aws:iam/role:Role"))
}
