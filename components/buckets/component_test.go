package buckets

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

const (
	key    = "arn:aws:kms:us-east-1:123456789012:key/k"
	bucket = "arn:aws:s3:::dev-artifacts"
)

func args() Args {
	return Args{
		Use: "artifacts", KMSKeyARN: pulumi.String(key),
		Tags: tags.Tags{Project: "p", Environment: "dev", Role: "storage", Owner: "o", CostCenter: "c"},
	}
}

// register registers the bucket dev-artifacts, with a child that uses its name.
func register(t *testing.T, a Args) (*componenttest.Recorder, *Bucket) {
	t.Helper()
	rec := &componenttest.Recorder{}
	var made *Bucket
	require.NoError(t, rec.Run(func(ctx *pulumi.Context) (err error) {
		if made, err = NewBucket(ctx, "dev-artifacts", a); err != nil {
			return err
		}
		pulumi.All(made.Name, made.ARN).ApplyT(func(got []any) error {
			assert.Equal(t, []any{"dev-artifacts", bucket}, got)
			return nil
		})
		return ctx.RegisterResource("test:index:Child", "child", pulumi.Map{"bucket": made.Name}, &componenttest.Child{})
	}))
	return rec, made
}

func TestBucket(t *testing.T) {
	t.Parallel()
	rec, made := register(t, args())
	children := 0
	for _, r := range rec.Resources() {
		if strings.HasPrefix(r.Type, "aws:") {
			assert.Equal(t, "calldata:buckets:Bucket dev-artifacts", r.Parent, r.Type)
			assert.False(t, r.Protect || r.RetainOnDelete, r.Type)
			children++
		}
	}
	assert.Equal(t, 7, children)
	assert.Len(t, made.Ready, 5)

	b := rec.One(t, "aws:s3/bucketV2:BucketV2")
	assert.NotContains(t, b.Inputs, "bucket", "the name must be unique in the world")
	assert.Equal(t, "dev-artifacts-", b.Inputs["bucketPrefix"])
	assert.Equal(t, false, b.Inputs["forceDestroy"])
	assert.Equal(t, false, b.Inputs["objectLockEnabled"])
	assert.Equal(t, map[string]any{
		"Name": "dev-artifacts", "Project": "p", "Environment": "dev", "Role": "storage", "Owner": "o", "CostCenter": "c", "ManagedBy": "pulumi", "Use": "artifacts",
	}, b.Inputs["tags"])

	assert.Equal(t, map[string]any{"status": "Enabled"}, rec.One(t, "aws:s3/bucketVersioningV2:BucketVersioningV2").Inputs["versioningConfiguration"])
	assert.Equal(t, map[string]any{"objectOwnership": "BucketOwnerEnforced"}, rec.One(t, "aws:s3/bucketOwnershipControls:BucketOwnershipControls").Inputs["rule"])
	assert.Equal(t, []any{map[string]any{
		"applyServerSideEncryptionByDefault": map[string]any{"sseAlgorithm": "aws:kms", "kmsMasterKeyId": key}, "bucketKeyEnabled": true,
	}}, rec.One(t, "aws:s3/bucketServerSideEncryptionConfigurationV2:BucketServerSideEncryptionConfigurationV2").Inputs["rules"])
	block := rec.One(t, "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock")
	for _, flag := range []string{"blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets"} {
		assert.Equal(t, true, block.Inputs[flag], flag)
	}
	assert.Equal(t, map[string]any{
		"id": "keep", "status": "Enabled", "filter": map[string]any{}, "expiration": map[string]any{"expiredObjectDeleteMarker": true},
		"noncurrentVersionExpiration": map[string]any{"noncurrentDays": 30.0}, "abortIncompleteMultipartUpload": map[string]any{"daysAfterInitiation": 7.0},
	}, lifecycle(t, rec))
	assert.Empty(t, rec.OfType("aws:s3/bucketLoggingV2:BucketLoggingV2"))
	assert.Empty(t, rec.OfType("aws:s3/bucketObjectLockConfigurationV2:BucketObjectLockConfigurationV2"))

	assert.Contains(t, rec.One(t, "aws:s3/bucketPolicy:BucketPolicy").Dependencies, "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock dev-artifacts")
	assert.Contains(t, rec.One(t, "test:index:Child").Dependencies, "aws:s3/bucketPolicy:BucketPolicy dev-artifacts", "whoever uses the bucket comes after its policy")
}

func lifecycle(t *testing.T, rec *componenttest.Recorder) map[string]any {
	t.Helper()
	rules := rec.One(t, "aws:s3/bucketLifecycleConfigurationV2:BucketLifecycleConfigurationV2").Inputs["rules"].([]any)
	require.Len(t, rules, 1)
	return rules[0].(map[string]any)
}

func TestOptions(t *testing.T) {
	t.Parallel()
	a := args()
	a.Use, a.AccessLogsTo, a.ExpireDays, a.NoncurrentDays, a.ObjectLockDays, a.Protect = "backups", pulumi.String("dev-access-logs-1"), 400, 90, 14, true
	rec, _ := register(t, a)
	assert.Equal(t, map[string]any{"days": 400.0}, lifecycle(t, rec)["expiration"])
	assert.Equal(t, map[string]any{"noncurrentDays": 90.0}, lifecycle(t, rec)["noncurrentVersionExpiration"])
	logging := rec.One(t, "aws:s3/bucketLoggingV2:BucketLoggingV2")
	assert.Equal(t, "dev-access-logs-1", logging.Inputs["targetBucket"])
	assert.Equal(t, "s3/dev-artifacts/", logging.Inputs["targetPrefix"])
	assert.Equal(t, true, rec.One(t, "aws:s3/bucketV2:BucketV2").Inputs["objectLockEnabled"])
	lock := rec.One(t, "aws:s3/bucketObjectLockConfigurationV2:BucketObjectLockConfigurationV2")
	assert.Equal(t, map[string]any{"defaultRetention": map[string]any{"mode": "GOVERNANCE", "days": 14.0}}, lock.Inputs["rule"])
	assert.Contains(t, lock.Dependencies, "aws:s3/bucketVersioningV2:BucketVersioningV2 dev-artifacts", "a lock needs versions")
	for _, r := range rec.Resources() {
		if strings.HasPrefix(r.Type, "aws:") {
			assert.Equal(t, r.Type == "aws:s3/bucketV2:BucketV2", r.Protect, r.Type)
			assert.Equal(t, r.Type != "aws:s3/bucketLoggingV2:BucketLoggingV2", r.RetainOnDelete, "%s: a bucket that stays keeps its settings", r.Type)
		}
	}

	a = args()
	a.KMSKeyARN, a.ForceDestroy = nil, true
	rec, _ = register(t, a)
	assert.Equal(t, true, rec.One(t, "aws:s3/bucketV2:BucketV2").Inputs["forceDestroy"])
	assert.Equal(t, []any{map[string]any{"applyServerSideEncryptionByDefault": map[string]any{"sseAlgorithm": "AES256"}}},
		rec.One(t, "aws:s3/bucketServerSideEncryptionConfigurationV2:BucketServerSideEncryptionConfigurationV2").Inputs["rules"])
}

// statement is one statement of a policy as AWS would read it.
type statement struct {
	Sid, Effect string
	Principal   map[string][]string
	Action      []string
	Resource    []string
	Condition   map[string]map[string][]string
}

func policy(t *testing.T, writers ...Writer) []statement {
	t.Helper()
	a := args()
	a.KMSKeyARN, a.Writers = nil, writers
	rec, _ := register(t, a)
	var document struct{ Statement []statement }
	require.NoError(t, json.Unmarshal([]byte(rec.One(t, "aws:s3/bucketPolicy:BucketPolicy").Inputs["policy"].(string)), &document))
	return document.Statement
}

func TestPolicyRefusesPlainTextAndOldTLS(t *testing.T) {
	t.Parallel()
	everything := []string{bucket, bucket + "/*"}
	assert.Equal(t, []statement{
		{"OnlyTLS", "Deny", map[string][]string{"AWS": {"*"}}, []string{"s3:*"}, everything, map[string]map[string][]string{"Bool": {"aws:SecureTransport": {"false"}}}},
		{"OnlyTLS12", "Deny", map[string][]string{"AWS": {"*"}}, []string{"s3:*"}, everything, map[string]map[string][]string{"NumericLessThan": {"s3:TlsVersion": {"1.2"}}}},
	}, policy(t))
}

func TestWriters(t *testing.T) {
	t.Parallel()
	logs := []string{bucket + "/AWSLogs/123456789012/*", bucket + "/*/AWSLogs/123456789012/*"}
	for writer, want := range map[Writer]struct {
		principal string
		looks     []string // what it may do with the bucket
		writes    []string // where it may put objects
		condition string   // under which it may write
	}{
		WriterELB: {"logdelivery.elasticloadbalancing.amazonaws.com", nil, logs, `null`},
		WriterNLB: {"delivery.logs.amazonaws.com", []string{"s3:GetBucketAcl", "s3:ListBucket"}, logs,
			`{"StringEquals":{"s3:x-amz-acl":["bucket-owner-full-control"],"aws:SourceAccount":["123456789012"]},"ArnLike":{"aws:SourceArn":["arn:aws:logs:us-east-1:123456789012:*"]}}`},
		WriterS3AccessLogs: {"logging.s3.amazonaws.com", nil, []string{bucket + "/*"},
			`{"StringEquals":{"aws:SourceAccount":["123456789012"]},"ArnLike":{"aws:SourceArn":["arn:aws:s3:::*"]}}`},
		WriterCloudTrail: {"cloudtrail.amazonaws.com", []string{"s3:GetBucketAcl"}, logs,
			`{"StringEquals":{"s3:x-amz-acl":["bucket-owner-full-control"]},"ArnLike":{"aws:SourceArn":["arn:aws:cloudtrail:*:123456789012:trail/*"]}}`},
		WriterConfig: {"config.amazonaws.com", []string{"s3:GetBucketAcl", "s3:ListBucket"}, logs,
			`{"StringEquals":{"s3:x-amz-acl":["bucket-owner-full-control"],"aws:SourceAccount":["123456789012"]}}`},
	} {
		statements := policy(t, writer)[2:]
		last := statements[len(statements)-1]
		for _, s := range statements {
			assert.Equal(t, "Allow", s.Effect, writer)
			assert.Equal(t, map[string][]string{"Service": {want.principal}}, s.Principal, writer)
		}
		assert.Equal(t, []string{"s3:PutObject"}, last.Action, writer)
		assert.Equal(t, want.writes, last.Resource, writer)
		condition, err := json.Marshal(last.Condition)
		require.NoError(t, err)
		assert.JSONEq(t, want.condition, string(condition), writer)
		if want.looks == nil {
			assert.Len(t, statements, 1, writer)
			continue
		}
		require.Len(t, statements, 2, writer)
		assert.Equal(t, want.looks, statements[0].Action, writer)
		assert.Equal(t, []string{bucket}, statements[0].Resource, writer)
		assert.NotEmpty(t, statements[0].Condition, writer)
		assert.NotContains(t, statements[0].Condition["StringEquals"], "s3:x-amz-acl", "%s: only writing has an ACL", writer)
	}
	all := policy(t, AllWriters()...)
	sids := make([]string, len(all))
	for i, s := range all {
		sids[i] = s.Sid
	}
	assert.Len(t, slices.Compact(slices.Sorted(slices.Values(sids))), len(all), "a Sid is there once")
	assert.Len(t, all, 10)
}

func TestArgsAreCheckedBeforeTheFirstResource(t *testing.T) {
	t.Parallel()
	rec := &componenttest.Recorder{}
	err := rec.Run(func(ctx *pulumi.Context) error {
		_, err := NewBucket(ctx, "Dev_Logs", Args{
			Use: "Access Logs", KMSKeyARN: pulumi.String(key), Writers: []Writer{WriterELB, WriterS3AccessLogs, WriterConfig, WriterNLB, WriterNLB, "ftp"},
			AccessLogsTo: pulumi.String("logs"), ExpireDays: -1, NoncurrentDays: -2, ObjectLockDays: 3, ForceDestroy: true, Protect: true,
		})
		return err
	})
	require.Error(t, err)
	for _, want := range []string{
		`bucket Dev_Logs: name: "Dev_Logs" is not lower case letters, digits and hyphens`, `use: "Access Logs" is not lower case words`,
		"KMS key: elb can write to buckets with SSE-S3 alone", "KMS key: s3-access-logs can write to buckets with SSE-S3 alone",
		"object lock: s3-access-logs cannot write to a bucket with default retention", "object lock: config cannot write to a bucket with default retention",
		`writers: "nlb" is there twice`, `writers: "ftp" is none of [elb nlb s3-access-logs cloudtrail config]`, "access logs: a bucket of access logs is not logged itself",
		"expire: -1 days", "noncurrent: -2 days", "force destroy: the bucket is protected", "tags: tag CostCenter: the value is empty",
	} {
		assert.ErrorContains(t, err, want)
	}
	for _, r := range rec.Resources() {
		assert.Equal(t, "pulumi:pulumi:Stack", r.Type, "nothing may be registered")
	}
	assert.ErrorContains(t, Args{ObjectLockDays: -1}.Validate(), "object lock: -1 days")
	assert.NoError(t, CheckName(strings.Repeat("a", 36)))
	assert.ErrorContains(t, CheckName(strings.Repeat("a", 37)), "has 37 characters, a bucket's allows 36 before its suffix")
}

func TestPreviewWorksWithoutAnswersFromAWS(t *testing.T) {
	t.Parallel()
	rec := &componenttest.Recorder{Preview: true}
	require.NoError(t, rec.Run(func(ctx *pulumi.Context) error {
		_, err := NewBucket(ctx, "dev-artifacts", args())
		return err
	}))
	full, _ := register(t, args())
	assert.Len(t, rec.Resources(), len(full.Resources())-1, "a preview must show every resource but the test's own child")
}
