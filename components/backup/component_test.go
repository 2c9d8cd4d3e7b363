package backup

import (
	"os"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/components/componenttest"
	"github.com/calldata/calldata-foundation/components/tags"
)

const (
	vaultType     = "aws:backup/vault:Vault"
	lockType      = "aws:backup/vaultLockConfiguration:VaultLockConfiguration"
	planType      = "aws:backup/plan:Plan"
	selectionType = "aws:backup/selection:Selection"
)

func TestMain(m *testing.M) { os.Exit(componenttest.Main(m)) }

func args() Args {
	return Args{
		KMSKeyARN: pulumi.String("arn:aws:kms:us-east-1:123456789012:key/1"), TagValue: "prod", Start: "05:07", DailyRetentionDays: 35,
		Tags: tags.Tags{Project: "p", Environment: "prod", Role: "backup", Owner: "o", CostCenter: "c"},
	}
}

func run(t *testing.T, change func(*Args)) *componenttest.Recorder {
	t.Helper()
	rec := &componenttest.Recorder{}
	require.NoError(t, rec.Run(func(ctx *pulumi.Context) error {
		a := args()
		if change != nil {
			change(&a)
		}
		got, err := NewBackup(ctx, "prod-backup", a)
		if err != nil {
			return err
		}
		pulumi.All(got.VaultName, got.PlanID, got.RoleARN).ApplyT(func(outputs []any) error {
			assert.Equal(t, []any{"prod-backup", "prod-backup-id", "arn:aws:iam::123456789012:role/prod-backup"}, outputs)
			return nil
		})
		return nil
	}))
	return rec
}

func TestPlan(t *testing.T) {
	t.Parallel()
	rec := run(t, nil)
	rules := rec.One(t, planType).Inputs["rules"].([]any)
	require.Len(t, rules, 1)
	rule := rules[0].(map[string]any)
	assert.Equal(t, "cron(7 5 ? * * *)", rule["schedule"])
	assert.Equal(t, "Etc/UTC", rule["scheduleExpressionTimezone"])
	assert.Equal(t, "prod-backup", rule["targetVaultName"])
	assert.Equal(t, map[string]any{"deleteAfter": 35.0}, rule["lifecycle"])
	assert.InDelta(t, 60, rule["startWindow"], 0)
	assert.Greater(t, rule["completionWindow"], rule["startWindow"])
	assert.NotContains(t, rule, "copyActions")
	assert.Equal(t, "backup", rule["recoveryPointTags"].(map[string]any)["Role"], "copies are paid for by somebody")

	selection := rec.One(t, selectionType)
	assert.Equal(t, []any{map[string]any{"type": "STRINGEQUALS", "key": "Backup", "value": "prod"}}, selection.Inputs["selectionTags"])
	assert.Contains(t, selection.Dependencies, "aws:iam/rolePolicyAttachment:RolePolicyAttachment prod-backup-backup")
	assert.Contains(t, selection.Dependencies, "aws:iam/rolePolicyAttachment:RolePolicyAttachment prod-backup-restore")
	assert.Contains(t, rec.One(t, "aws:iam/role:Role").Inputs["assumeRolePolicy"], "backup.amazonaws.com")

	parents := map[string]string{vaultType: "calldata:backup:Vault prod-backup", "calldata:backup:Backup": "", "pulumi:pulumi:Stack": ""}
	for _, r := range rec.Resources() {
		want, given := parents[r.Type]
		if !given {
			want = "calldata:backup:Backup prod-backup"
		}
		assert.Equal(t, want, r.Parent, r.Type)
		assert.False(t, r.Protect, r.Type)
	}
}

func TestVault(t *testing.T) {
	t.Parallel()
	open := run(t, nil)
	assert.Equal(t, "arn:aws:kms:us-east-1:123456789012:key/1", open.One(t, vaultType).Inputs["kmsKeyArn"])
	assert.Empty(t, open.OfType(lockType))

	governed := run(t, func(a *Args) { a.Lock = true })
	lock := governed.One(t, lockType)
	assert.InDelta(t, 7, lock.Inputs["minRetentionDays"], 0)
	assert.NotContains(t, lock.Inputs, "changeableForDays", "a lock that nobody can open needs protection to be asked for")
	assert.False(t, lock.Protect)

	sealed := run(t, func(a *Args) { a.Lock, a.Protect = true, true })
	assert.InDelta(t, 7, sealed.One(t, lockType).Inputs["changeableForDays"], 0)
	for _, token := range []string{vaultType, lockType} {
		r := sealed.One(t, token)
		assert.True(t, r.Protect, token)
		assert.True(t, r.RetainOnDelete, token)
	}
	assert.False(t, sealed.One(t, planType).Protect, "the plan can be made again")
}

func TestPlanWaitsForTheLock(t *testing.T) {
	t.Parallel()
	plan := run(t, func(a *Args) { a.Lock = true }).One(t, planType)
	assert.Contains(t, plan.Dependencies, lockType+" prod-backup")
}

func TestCopyToAnotherVault(t *testing.T) {
	t.Parallel()
	rec := &componenttest.Recorder{}
	require.NoError(t, rec.Run(func(ctx *pulumi.Context) error {
		a := args()
		far, err := NewVault(ctx, "prod-backup-far", VaultArgs{KMSKeyARN: pulumi.String("arn:aws:kms:us-west-2:123456789012:key/2"), Tags: a.Tags})
		if err != nil {
			return err
		}
		a.CopyToVaultARN = far.ARN
		_, err = NewBackup(ctx, "prod-backup", a)
		return err
	}))
	rule := rec.One(t, planType).Inputs["rules"].([]any)[0].(map[string]any)
	assert.Equal(t, []any{map[string]any{
		"destinationVaultArn": "arn:aws:backup:us-east-1:123456789012:prod-backup-far", "lifecycle": map[string]any{"deleteAfter": 35.0},
	}}, rule["copyActions"])
}

func TestArgsAreCheckedBeforeTheFirstResource(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		program func(*pulumi.Context) error
		want    []string
	}{
		{func(ctx *pulumi.Context) error {
			_, err := NewBackup(ctx, "prod_backup", Args{Start: "5:30", Lock: true, DailyRetentionDays: 6})
			return err
		}, []string{
			"backup prod_backup: ", `name: "prod_backup" is not 1 to 42 letters`, "KMS key ARN: it is missing", "tag value: it is empty", `start: "5:30"`, "daily retention: 6 days, want at least 7",
			"tags: tag CostCenter: the value is empty",
		}},
		{func(ctx *pulumi.Context) error {
			a := args()
			a.TagValue, a.DailyRetentionDays = "<", 0
			_, err := NewBackup(ctx, "prod-backup", a)
			return err
		}, []string{`tag value: "<" has a character`, "daily retention: 0 days, want 1 to 36500"}},
		{func(ctx *pulumi.Context) error {
			_, err := NewVault(ctx, "this-name-is-too-long-for-a-vault-of-aws-backup", VaultArgs{})
			return err
		}, []string{"backup vault this-name-", "is not 1 to 42 letters", "KMS key ARN: it is missing", "tags: tag"}},
	} {
		rec := &componenttest.Recorder{}
		err := rec.Run(tc.program)
		require.Error(t, err)
		for _, want := range tc.want {
			assert.ErrorContains(t, err, want)
		}
		for _, r := range rec.Resources() {
			assert.Equal(t, "pulumi:pulumi:Stack", r.Type, "nothing may be registered")
		}
	}
}
