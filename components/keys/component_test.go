package keys

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/components/componenttest"
	"github.com/calldata/calldata-foundation/components/tags"
)

func TestMain(m *testing.M) { os.Exit(componenttest.Main(m)) }

func args(u Use) Args {
	return Args{Use: u, Tags: tags.Tags{Project: "p", Environment: "dev", Role: "keys", Owner: "o", CostCenter: "c"}}
}

// statement is one statement of a policy as AWS would read it.
type statement struct {
	Sid, Effect string
	Principal   map[string][]string
	Action      []string
	Resource    []string
	Condition   map[string]map[string][]string
}

// policy registers a key and answers the statements of its policy by name.
func policy(t *testing.T, a Args) map[string]statement {
	t.Helper()
	rec := &componenttest.Recorder{}
	require.NoError(t, rec.Run(func(ctx *pulumi.Context) error {
		_, err := NewKey(ctx, "dev-"+string(a.Use), a)
		return err
	}))
	var document struct {
		Version   string
		Statement []statement
	}
	require.NoError(t, json.Unmarshal([]byte(rec.One(t, "aws:kms/key:Key").Inputs["policy"].(string)), &document))
	assert.Equal(t, "2012-10-17", document.Version)
	byName := map[string]statement{}
	for _, s := range document.Statement {
		assert.NotContains(t, byName, s.Sid, "a Sid is there once")
		byName[s.Sid] = s
	}
	return byName
}

func TestKey(t *testing.T) {
	t.Parallel()
	rec := &componenttest.Recorder{}
	require.NoError(t, rec.Run(func(ctx *pulumi.Context) error {
		k, err := NewKey(ctx, "dev-volumes", args(UseVolumes))
		if err != nil {
			return err
		}
		pulumi.All(k.ARN, k.ID).ApplyT(func(got []any) error {
			assert.Equal(t, []any{"arn:aws:kms:us-east-1:123456789012:dev-volumes", "dev-volumes-key-id"}, got)
			return nil
		})
		return ctx.RegisterResource("test:index:Child", "child", pulumi.Map{"key": k.ARN}, &componenttest.Child{})
	}))
	key := rec.One(t, "aws:kms/key:Key")
	assert.Equal(t, "calldata:keys:Key dev-volumes", key.Parent)
	assert.Equal(t, true, key.Inputs["enableKeyRotation"])
	assert.InDelta(t, 30, key.Inputs["deletionWindowInDays"], 0)
	assert.Equal(t, "dev-volumes", key.Inputs["tags"].(map[string]any)["Name"])
	assert.False(t, key.Protect)
	assert.False(t, key.RetainOnDelete)
	alias := rec.One(t, "aws:kms/alias:Alias")
	assert.Equal(t, "calldata:keys:Key dev-volumes", alias.Parent)
	assert.Equal(t, "alias/dev-volumes", alias.Inputs["name"])
	assert.Equal(t, "dev-volumes-key-id", alias.Inputs["targetKeyId"])
	assert.Contains(t, rec.One(t, "test:index:Child").Dependencies, "aws:kms/alias:Alias dev-volumes", "whoever uses the key comes after its alias")
}

func TestProtectedKeysStay(t *testing.T) {
	t.Parallel()
	rec := &componenttest.Recorder{}
	require.NoError(t, rec.Run(func(ctx *pulumi.Context) error {
		a := args(UseDatabase)
		a.Protect, a.DeletionWindowDays = true, 14
		_, err := NewKey(ctx, "prod-database", a)
		return err
	}))
	key := rec.One(t, "aws:kms/key:Key")
	assert.True(t, key.Protect)
	assert.True(t, key.RetainOnDelete)
	assert.InDelta(t, 14, key.Inputs["deletionWindowInDays"], 0)
	assert.False(t, rec.One(t, "aws:kms/alias:Alias").RetainOnDelete, "an alias left behind would block its name")
}

// A key that anybody could use, or that the account could not mend, would be worse than none.
func TestEveryPolicy(t *testing.T) {
	t.Parallel()
	for _, u := range AllUses() {
		t.Run(string(u), func(t *testing.T) {
			t.Parallel()
			a := args(u)
			a.AutoScaling = u == UseVolumes
			statements := policy(t, a)
			for sid, s := range statements {
				assert.Equal(t, "Allow", s.Effect, sid)
				assert.Equal(t, []string{"*"}, s.Resource, sid)
				require.Len(t, s.Principal, 1, sid)
				for kind, names := range s.Principal {
					require.NotEmpty(t, names, sid)
					for _, name := range names {
						assert.NotContains(t, name, "*", "%s: %s", sid, kind)
						if kind == "AWS" {
							assert.Contains(t, name, ":"+componenttest.Account+":", sid)
						}
					}
				}
				assert.NotContains(t, s.Action, "kms:*", sid)
				byAccount := slices.Equal(s.Principal["AWS"], []string{"arn:aws:iam::123456789012:root"})
				if byAccount && sid != "AccountAdministers" {
					assert.NotEmpty(t, s.Condition["StringEquals"]["kms:ViaService"], "%s: the account uses the key through services alone", sid)
				}
			}
			admin := statements["AccountAdministers"]
			assert.Contains(t, admin.Action, "kms:Put*", "the account must be able to mend the policy")
			for _, action := range admin.Action {
				for _, secret := range []string{"kms:Decrypt", "kms:Encrypt", "kms:ReEncryptFrom", "kms:GenerateDataKey", "kms:CreateGrant"} {
					assert.False(t, covers(action, secret), "%s of the administrators covers %s", action, secret)
				}
			}
		})
	}
}

// covers reports whether the pattern of an action matches it.
func covers(pattern, action string) bool {
	if prefix, ok := strings.CutSuffix(pattern, "*"); ok {
		return strings.HasPrefix(action, prefix)
	}
	return pattern == action
}

func TestServicesOfEachUse(t *testing.T) {
	t.Parallel()
	for u, want := range map[Use]struct {
		through  []string
		services map[string]string // by service principal, a condition that it is under
	}{
		UseVolumes:  {through: []string{"ec2.us-east-1.amazonaws.com"}},
		UseDatabase: {through: []string{"rds.us-east-1.amazonaws.com", "secretsmanager.us-east-1.amazonaws.com"}},
		UseStorage: {through: []string{"s3.us-east-1.amazonaws.com"}, services: map[string]string{
			"delivery.logs.amazonaws.com": "arn:aws:logs:us-east-1:123456789012:*", "config.amazonaws.com": "123456789012",
		}},
		UseLogs:    {services: map[string]string{"logs.us-east-1.amazonaws.com": "arn:aws:logs:us-east-1:123456789012:log-group:*"}},
		UseSecrets: {through: []string{"secretsmanager.us-east-1.amazonaws.com", "ssm.us-east-1.amazonaws.com", "rds.us-east-1.amazonaws.com"}},
		UseNotices: {through: []string{"sns.us-east-1.amazonaws.com"}, services: map[string]string{
			"cloudwatch.amazonaws.com": "123456789012", "budgets.amazonaws.com": "123456789012", "costalerts.amazonaws.com": "123456789012", "events.amazonaws.com": "",
		}},
		UseBackups: {through: []string{"backup.us-east-1.amazonaws.com", "ec2.us-east-1.amazonaws.com", "rds.us-east-1.amazonaws.com", "s3.us-east-1.amazonaws.com"}},
		UseTrail: {through: []string{"s3.us-east-1.amazonaws.com"}, services: map[string]string{
			"cloudtrail.amazonaws.com": "arn:aws:cloudtrail:*:123456789012:trail/*", "config.amazonaws.com": "123456789012",
		}},
	} {
		statements := policy(t, args(u))
		assert.Equal(t, want.through, statements["UseThroughServices"].Condition["StringEquals"]["kms:ViaService"], u)
		if want.through != nil {
			grant := statements["GrantThroughServices"]
			assert.Equal(t, []string{"kms:CreateGrant"}, grant.Action, u)
			assert.Equal(t, []string{"true"}, grant.Condition["Bool"]["kms:GrantIsForAWSResource"], u)
			assert.Equal(t, want.through, grant.Condition["StringEquals"]["kms:ViaService"], u)
		}
		services := map[string]bool{}
		for sid, s := range statements {
			for _, name := range s.Principal["Service"] {
				services[name] = true
				wantCondition, known := want.services[name]
				require.True(t, known, "%s: %s has no business with a key for %s", sid, name, u)
				text, err := json.Marshal(s.Condition)
				require.NoError(t, err)
				assert.Contains(t, string(text), wantCondition, "%s: %s", u, sid)
			}
		}
		assert.Len(t, services, len(want.services), u)
	}
}

func TestAutoScalingIsAskedFor(t *testing.T) {
	t.Parallel()
	assert.NotContains(t, policy(t, args(UseVolumes)), "AutoScalingUses", "KMS refuses a policy that names a role that the account has not")
	a := args(UseVolumes)
	a.AutoScaling = true
	statements := policy(t, a)
	role := []string{"arn:aws:iam::123456789012:role/aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling"}
	assert.Equal(t, role, statements["AutoScalingUses"].Principal["AWS"])
	assert.Contains(t, statements["AutoScalingUses"].Action, "kms:GenerateDataKey*")
	assert.Equal(t, role, statements["AutoScalingGrants"].Principal["AWS"])
	assert.Equal(t, []string{"kms:CreateGrant"}, statements["AutoScalingGrants"].Action)
	assert.Equal(t, []string{"true"}, statements["AutoScalingGrants"].Condition["Bool"]["kms:GrantIsForAWSResource"])
}

func TestArgsAreCheckedBeforeTheFirstResource(t *testing.T) {
	t.Parallel()
	rec := &componenttest.Recorder{}
	err := rec.Run(func(ctx *pulumi.Context) error {
		_, err := NewKey(ctx, "dev-key", Args{Use: "everything", AutoScaling: true, DeletionWindowDays: 7})
		return err
	})
	require.Error(t, err)
	for _, want := range []string{
		`key dev-key: use: "everything" is none of [volumes database storage logs secrets notices backups trail]`,
		"auto scaling: a key for everything has no machines to start", "deletion window: 7 days, want 14 to 30", "tags: tag CostCenter: the value is empty",
	} {
		assert.ErrorContains(t, err, want)
	}
	for _, r := range rec.Resources() {
		assert.Equal(t, "pulumi:pulumi:Stack", r.Type, "nothing may be registered")
	}
	assert.ErrorContains(t, Args{DeletionWindowDays: 31}.Validate(), "deletion window: 31 days")
}
