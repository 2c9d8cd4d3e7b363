package replica

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/components/componenttest"
	"github.com/calldata/calldata-foundation/components/tags"
)

const (
	bucketType      = "aws:s3/bucketV2:BucketV2"
	vaultType       = "aws:backup/vault:Vault"
	keyType         = "aws:kms/key:Key"
	replicationType = "aws:s3/bucketReplicationConfig:BucketReplicationConfig"

	sourceKey  = "arn:aws:kms:us-east-1:123456789012:key/1"
	replicaKey = "arn:aws:kms:us-east-1:123456789012:prod-copies"
)

func TestMain(m *testing.M) { os.Exit(componenttest.Main(m)) }

// run registers the copies of a bucket in us-east-1, in eu-central-1.
func run(t *testing.T, change func(*Args)) *componenttest.Recorder {
	t.Helper()
	rec := &componenttest.Recorder{}
	require.NoError(t, rec.Run(func(ctx *pulumi.Context) error {
		elsewhere, err := aws.NewProvider(ctx, "elsewhere", &aws.ProviderArgs{Region: pulumi.String("eu-central-1")})
		if err != nil {
			return err
		}
		versions := &componenttest.Child{}
		if err := ctx.RegisterResource("test:index:Child", "versions", pulumi.Map{}, versions); err != nil {
			return err
		}
		args := Args{
			Provider: elsewhere, Region: "eu-central-1", SourceBucket: pulumi.String("prod-backups-1"), SourceBucketARN: pulumi.String("arn:aws:s3:::prod-backups-1"),
			SourceKMSKeyARN: pulumi.String(sourceKey), SourceReady: []pulumi.Resource{versions}, Days: 35,
			Tags: tags.Tags{Project: "p", Environment: "prod", Role: "backup", Owner: "o", CostCenter: "c"},
		}
		if change != nil {
			change(&args)
		}
		got, err := NewReplica(ctx, "prod-copies", args)
		if err != nil {
			return err
		}
		pulumi.All(got.BucketName, got.KeyARN, got.VaultARN).ApplyT(func(outputs []any) error {
			assert.Equal(t, []any{"prod-copies", replicaKey, "arn:aws:backup:us-east-1:123456789012:prod-copies"}, outputs)
			return nil
		})
		return nil
	}))
	return rec
}

func TestWhereThingsAre(t *testing.T) {
	t.Parallel()
	rec := run(t, func(a *Args) { a.Lock = true })
	near := map[string]bool{"aws:iam/role:Role": true, "aws:iam/rolePolicy:RolePolicy": true, replicationType: true}
	far := 0
	for _, r := range rec.Resources() {
		if len(r.Type) < 4 || r.Type[:4] != "aws:" {
			continue
		}
		if near[r.Type] {
			assert.Empty(t, r.Provider, "%s %s is of the stack's own region", r.Type, r.Name)
			continue
		}
		far++
		assert.Equal(t, "elsewhere", r.Provider, "%s %s", r.Type, r.Name)
	}
	assert.Greater(t, far, 12)
	assert.Contains(t, rec.One(t, keyType).Inputs["policy"], "s3.eu-central-1.amazonaws.com", "the key serves the services of its own region")
	assert.NotContains(t, rec.One(t, keyType).Inputs["policy"], "us-east-1")
}

func TestRule(t *testing.T) {
	t.Parallel()
	config := run(t, nil).One(t, replicationType)
	assert.Equal(t, "prod-backups-1", config.Inputs["bucket"])
	assert.Equal(t, "arn:aws:iam::123456789012:role/prod-copies", config.Inputs["role"])
	assert.Equal(t, []any{map[string]any{
		"id": "copy", "status": "Enabled", "priority": 1.0, "filter": map[string]any{}, "deleteMarkerReplication": map[string]any{"status": "Disabled"},
		"sourceSelectionCriteria": map[string]any{"sseKmsEncryptedObjects": map[string]any{"status": "Enabled"}},
		"destination": map[string]any{
			"bucket": "arn:aws:s3:::prod-copies", "storageClass": "STANDARD", "metrics": map[string]any{"status": "Enabled"}, "encryptionConfiguration": map[string]any{"replicaKmsKeyId": replicaKey},
		},
	}}, config.Inputs["rules"])
	for _, first := range []string{
		"test:index:Child versions", "aws:s3/bucketVersioningV2:BucketVersioningV2 prod-copies", "aws:iam/rolePolicy:RolePolicy prod-copies",
	} {
		assert.Contains(t, config.Dependencies, first, "S3 refuses a rule before that, or copies nothing")
	}
}

// The role reads what it copies and writes copies. It can delete nothing, and use no key for anything else.
func TestRole(t *testing.T) {
	t.Parallel()
	rec := run(t, nil)
	assert.Contains(t, rec.One(t, "aws:iam/role:Role").Inputs["assumeRolePolicy"], `"Service":["s3.amazonaws.com"]`)
	var document struct {
		Statement []struct {
			Sid, Effect      string
			Action, Resource []string
			Condition        map[string]map[string][]string
		}
	}
	require.NoError(t, json.Unmarshal([]byte(rec.One(t, "aws:iam/rolePolicy:RolePolicy").Inputs["policy"].(string)), &document))
	allowed := map[string][]string{} // actions by resource
	for _, s := range document.Statement {
		assert.Equal(t, "Allow", s.Effect, s.Sid)
		for _, r := range s.Resource {
			allowed[r] = append(allowed[r], s.Action...)
		}
		switch s.Sid {
		case "Decrypt":
			assert.Equal(t, []string{"s3.us-east-1.amazonaws.com"}, s.Condition["StringEquals"]["kms:ViaService"])
			assert.Equal(t, []string{"arn:aws:s3:::prod-backups-1", "arn:aws:s3:::prod-backups-1/*"}, s.Condition["StringLike"]["kms:EncryptionContext:aws:s3:arn"])
		case "Encrypt":
			assert.Equal(t, []string{"s3.eu-central-1.amazonaws.com"}, s.Condition["StringEquals"]["kms:ViaService"])
			assert.Equal(t, []string{"arn:aws:s3:::prod-copies", "arn:aws:s3:::prod-copies/*"}, s.Condition["StringLike"]["kms:EncryptionContext:aws:s3:arn"])
		}
	}
	assert.Equal(t, map[string][]string{
		"arn:aws:s3:::prod-backups-1": {"s3:GetReplicationConfiguration", "s3:ListBucket"},
		"arn:aws:s3:::prod-backups-1/*": {
			"s3:GetObjectVersionForReplication", "s3:GetObjectVersionAcl", "s3:GetObjectVersionTagging", "s3:GetObjectRetention", "s3:GetObjectLegalHold",
		},
		"arn:aws:s3:::prod-copies/*": {"s3:ReplicateObject", "s3:ReplicateTags"},
		sourceKey:                    {"kms:Decrypt"},
		replicaKey:                   {"kms:Encrypt"},
	}, allowed)
}

func TestCopiesAreKeptAsTheOriginals(t *testing.T) {
	t.Parallel()
	const lockType, vaultLockType = "aws:s3/bucketObjectLockConfigurationV2:BucketObjectLockConfigurationV2", "aws:backup/vaultLockConfiguration:VaultLockConfiguration"
	open := run(t, nil)
	assert.Empty(t, open.OfType(lockType))
	assert.Empty(t, open.OfType(vaultLockType))
	assert.Equal(t, true, open.OfType(bucketType)["prod-copies"].Inputs["forceDestroy"])
	rule := open.OfType("aws:s3/bucketLifecycleConfigurationV2:BucketLifecycleConfigurationV2")["prod-copies"].Inputs["rules"].([]any)[0].(map[string]any)
	assert.Equal(t, map[string]any{"days": 35.0}, rule["expiration"])
	assert.Equal(t, replicaKey, open.One(t, vaultType).Inputs["kmsKeyArn"])
	assert.NotEqual(t, "backup", open.OfType(bucketType)["prod-copies-logs"].Inputs["tags"].(map[string]any)["Role"], "S3's records are no backups")
	assert.Equal(t, "prod-copies-logs", open.One(t, "aws:s3/bucketLoggingV2:BucketLoggingV2").Inputs["targetBucket"])

	kept := run(t, func(a *Args) { a.Lock, a.Protect = true, true })
	assert.Equal(t, map[string]any{"defaultRetention": map[string]any{"mode": "GOVERNANCE", "days": 35.0}}, kept.One(t, lockType).Inputs["rule"])
	kept.One(t, vaultLockType)
	for _, r := range []componenttest.Resource{kept.One(t, keyType), kept.One(t, vaultType), kept.OfType(bucketType)["prod-copies"]} {
		assert.True(t, r.Protect, r.Type)
		assert.True(t, r.RetainOnDelete, r.Type)
	}
	assert.False(t, kept.One(t, replicationType).Protect, "the rule can be made again")
}

func TestArgsAreCheckedBeforeTheFirstResource(t *testing.T) {
	t.Parallel()
	rec := &componenttest.Recorder{}
	err := rec.Run(func(ctx *pulumi.Context) error {
		_, err := NewReplica(ctx, "prod-with-a-name-that-is-long-copies", Args{})
		return err
	})
	for _, want := range []string{
		"replica prod-with-a-name-that-is-long-copies: name: ", "a bucket's allows 36", "provider: it is missing", "region: it is empty", "source bucket: its name or ARN is missing",
		"source KMS key ARN: it is missing", "days: 0, want 1 or more", "tags: tag CostCenter: the value is empty",
	} {
		require.ErrorContains(t, err, want)
	}
	for _, r := range rec.Resources() {
		assert.Equal(t, "pulumi:pulumi:Stack", r.Type, "nothing may be registered")
	}
}
