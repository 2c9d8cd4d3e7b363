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

func TestMain(m *testing.M) { os.Exit(componenttest.Main(m)) }

func TestApply(t *testing.T) {
	t.Parallel()
	const arn = "arn:aws:iam::123456789012:policy/calldata-foundation-dev-workload-boundary"
	rec := &componenttest.Recorder{}
	require.NoError(t, rec.Run(func(ctx *pulumi.Context) error {
		if err := Apply(ctx, arn); err != nil {
			return err
		}
		if _, err := iam.NewRole(ctx, "plain", &iam.RoleArgs{AssumeRolePolicy: pulumi.String("{}")}); err != nil {
			return err
		}
		_, err := iam.NewRole(ctx, "own", &iam.RoleArgs{AssumeRolePolicy: pulumi.String("{}"), PermissionsBoundary: pulumi.String("another")})
		return err
	}))
	roles := rec.OfType("aws:iam/role:Role")
	assert.Equal(t, arn, roles["plain"].Inputs["permissionsBoundary"])
	assert.Equal(t, "another", roles["own"].Inputs["permissionsBoundary"], "a role's own boundary stays")
}

func TestApplyRefusesWhatIsNoPolicy(t *testing.T) {
	t.Parallel()
	rec := &componenttest.Recorder{}
	err := rec.Run(func(ctx *pulumi.Context) error { return Apply(ctx, "boundary") })
	assert.ErrorContains(t, err, `permissions boundary: "boundary" is not the ARN of a policy of the account`)
}
