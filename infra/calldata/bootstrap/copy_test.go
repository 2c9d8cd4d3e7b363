package bootstrap

import (
	"context"
	"errors"
	"io"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/mend"
)

const copyBucket = bucket + "-copy"

// ofCopy are the results of what belongs to the copy, by resource and setting.
func ofCopy(r Report) map[string]mend.Result {
	got := map[string]mend.Result{}
	for _, item := range r.Settings {
		if strings.Contains(item.Resource, copyBucket) || strings.Contains(item.Resource, "in "+elsewhere) || item.Setting == "copies" {
			kind, _, _ := strings.Cut(item.Resource, " ")
			got[kind+" "+item.Setting] = item.Result
		}
	}
	return got
}

// put writes objects into the bucket of the state.
func (w *world) put(t *testing.T, content string, keys ...string) {
	t.Helper()
	for _, key := range keys {
		_, err := w.clients.s3.(*s3.Client).PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String(bucket), Key: aws.String(key), Body: strings.NewReader(content)})
		require.NoError(t, err)
	}
}

// copied reads an object of the copy.
func (w *world) copied(t *testing.T, key string) string {
	t.Helper()
	out, err := w.there.s3.(*s3.Client).GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String(copyBucket), Key: aws.String(key)})
	require.NoError(t, err)
	data, err := io.ReadAll(out.Body)
	require.NoError(t, err)
	return string(data)
}

// unlock takes the policies away: the emulator takes a denial for one whatever its conditions say.
func (w *world) unlock(t *testing.T) {
	t.Helper()
	for name, client := range map[string]bucketAPI{bucket: w.clients.s3, copyBucket: w.there.s3} {
		_, err := client.(*s3.Client).DeleteBucketPolicy(t.Context(), &s3.DeleteBucketPolicyInput{Bucket: aws.String(name)})
		require.NoError(t, err)
	}
}

func TestCopyOfTheStateInASecondRegion(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	_, _, err := w.bootstrap(t)
	require.NoError(t, err)
	_, err = w.clients.s3.(*s3.Client).DeleteBucketPolicy(ctx, &s3.DeleteBucketPolicyInput{Bucket: aws.String(bucket)})
	require.NoError(t, err)
	const state = ".pulumi/stacks/calldata-foundation/dev (1).json"
	w.put(t, "old", ".pulumi/meta.yaml", state, ".pulumi/locks/organization/calldata-foundation/dev/1.json")

	report, text, err := w.bootstrap(t, "--copy-region", elsewhere, "--dry-run")
	require.NoError(t, err)
	assert.Equal(t, mend.ToMake, ofCopy(report)["bucket objects"])
	assert.NotContains(t, text, "pulumi login")
	_, err = w.there.s3.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: aws.String(copyBucket)})
	require.Error(t, err)

	report, text, err = w.bootstrap(t, "--copy-region", elsewhere)
	require.NoError(t, err)
	want := map[string]mend.Result{"bucket ownership": mend.Found}
	for _, name := range []string{"key key", "key alias", "key rotation", "bucket bucket", "bucket public access", "bucket encryption", "bucket policy", "bucket versioning",
		"bucket lifecycle", "bucket tags", "role role", "role permissions", "bucket copies", "bucket objects"} {
		want[name] = mend.Made
	}
	assert.Equal(t, want, ofCopy(report))
	assert.Equal(t, &Copy{Region: elsewhere, Bucket: copyBucket, KeyARN: report.Copy.KeyARN, Login: "pulumi login 's3://" + copyBucket + "?region=us-west-2'"}, report.Copy)
	assert.Contains(t, report.Copy.KeyARN, "arn:aws:kms:us-west-2:")
	assert.Contains(t, text, "When us-east-1 is lost, to the copy in us-west-2:\n\n  "+report.Copy.Login+"\n")
	w.checkCopies(t, report)

	// Everything is right now, and stays. What S3 has yet to copy is no matter of this command's twice.
	report, _, err = w.bootstrap(t, "--copy-region", elsewhere)
	require.NoError(t, err)
	assert.Zero(t, report.Changes, report.Settings)
	w.unlock(t)
	assert.Equal(t, "old", w.copied(t, state))
	objects, err := w.there.s3.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: aws.String(copyBucket)})
	require.NoError(t, err)
	assert.Len(t, objects.Contents, 2, "a lock is no state")
}

// checkCopies reads rule, role and bucket back.
func (w *world) checkCopies(t *testing.T, report Report) {
	t.Helper()
	ctx := t.Context()
	out, err := w.clients.s3.GetBucketReplication(ctx, &s3.GetBucketReplicationInput{Bucket: aws.String(bucket)})
	require.NoError(t, err)
	assert.Equal(t, "arn:aws:iam::123456789012:role/"+copyBucket, aws.ToString(out.ReplicationConfiguration.Role))
	require.Len(t, out.ReplicationConfiguration.Rules, 1)
	rule := out.ReplicationConfiguration.Rules[0]
	assert.Equal(t, types.DeleteMarkerReplicationStatusEnabled, rule.DeleteMarkerReplication.Status)
	assert.Equal(t, types.SseKmsEncryptedObjectsStatusEnabled, rule.SourceSelectionCriteria.SseKmsEncryptedObjects.Status)
	assert.Equal(t, "arn:aws:s3:::"+copyBucket, aws.ToString(rule.Destination.Bucket))
	assert.Equal(t, report.Copy.KeyARN, aws.ToString(rule.Destination.EncryptionConfiguration.ReplicaKmsKeyID))
	policy, err := w.clients.iam.GetRolePolicy(ctx, &iam.GetRolePolicyInput{RoleName: aws.String(copyBucket), PolicyName: aws.String(ruleCopy)})
	require.NoError(t, err)
	text, err := url.QueryUnescape(aws.ToString(policy.PolicyDocument))
	require.NoError(t, err)
	for _, part := range []string{`"arn:aws:s3:::` + bucket + `/*"`, `"arn:aws:s3:::` + copyBucket + `/*"`, report.KeyARN, report.Copy.KeyARN, "s3.us-east-1.amazonaws.com",
		"s3.us-west-2.amazonaws.com", "s3:ReplicateDelete"} {
		assert.Contains(t, text, part)
	}
	encryption, err := w.there.s3.GetBucketEncryption(ctx, &s3.GetBucketEncryptionInput{Bucket: aws.String(copyBucket)})
	require.NoError(t, err)
	assert.Equal(t, report.Copy.KeyARN, aws.ToString(encryption.ServerSideEncryptionConfiguration.Rules[0].ApplyServerSideEncryptionByDefault.KMSMasterKeyID))
	public, err := w.there.s3.GetPublicAccessBlock(ctx, &s3.GetPublicAccessBlockInput{Bucket: aws.String(copyBucket)})
	require.NoError(t, err)
	assert.Equal(t, allBlocked(), public.PublicAccessBlockConfiguration)
	closed, err := w.there.s3.GetBucketPolicy(ctx, &s3.GetBucketPolicyInput{Bucket: aws.String(copyBucket)})
	require.NoError(t, err)
	assert.Contains(t, aws.ToString(closed.Policy), `"arn:aws:s3:::`+copyBucket+`/*"`)
	assert.Contains(t, aws.ToString(closed.Policy), sidTLS)
}

func TestCopyIsMended(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	_, _, err := w.bootstrap(t, "--copy-region", elsewhere)
	require.NoError(t, err)
	_, err = w.clients.iam.UpdateAssumeRolePolicy(ctx, &iam.UpdateAssumeRolePolicyInput{RoleName: aws.String(copyBucket), PolicyDocument: aws.String(
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":["ec2.amazonaws.com"]},"Action":["sts:AssumeRole"]}]}`)})
	require.NoError(t, err)
	_, err = w.clients.iam.PutRolePolicy(ctx, &iam.PutRolePolicyInput{RoleName: aws.String(copyBucket), PolicyName: aws.String(ruleCopy), PolicyDocument: aws.String(
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}`)})
	require.NoError(t, err)
	has, err := w.clients.s3.GetBucketReplication(ctx, &s3.GetBucketReplicationInput{Bucket: aws.String(bucket)})
	require.NoError(t, err)
	off := has.ReplicationConfiguration
	off.Rules[0].Status = types.ReplicationRuleStatusDisabled
	_, err = w.clients.s3.PutBucketReplication(ctx, &s3.PutBucketReplicationInput{Bucket: aws.String(bucket), ReplicationConfiguration: off})
	require.NoError(t, err)
	w.unlock(t)
	w.put(t, "new", ".pulumi/meta.yaml") // while nothing was copied

	report, _, err := w.bootstrap(t, "--copy-region", elsewhere)
	require.NoError(t, err)
	changed := map[string]mend.Result{}
	for name, result := range ofCopy(report) {
		if result != mend.Found {
			changed[name] = result
		}
	}
	assert.Equal(t, map[string]mend.Result{"role role": mend.Mended, "role permissions": mend.Mended, "bucket copies": mend.Mended, "bucket objects": mend.Made, "bucket policy": mend.Made},
		changed)
	assert.True(t, slices.ContainsFunc(report.Settings, func(i mend.Item) bool { return strings.Contains(i.Detail, "calldata-copy Disabled") }), "how it was is told")
	w.checkCopies(t, report)
	w.unlock(t)
	assert.Equal(t, "new", w.copied(t, ".pulumi/meta.yaml"))

	// Without the flag nothing of it is looked at, or changed.
	report, _, err = w.bootstrap(t)
	require.NoError(t, err)
	assert.Empty(t, ofCopy(report))
	assert.Nil(t, report.Copy)
	_, err = w.clients.s3.GetBucketReplication(ctx, &s3.GetBucketReplicationInput{Bucket: aws.String(bucket)})
	require.NoError(t, err)
}

// late is an S3 that cannot copy yet.
type late struct{ bucketAPI }

func (late) CopyObject(context.Context, *s3.CopyObjectInput, ...func(*s3.Options)) (*s3.CopyObjectOutput, error) {
	return nil, errors.New("the line is dead")
}

func TestCopyGoesOnWhereItWasBrokenOff(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, _, err := w.bootstrap(t)
	require.NoError(t, err)
	_, err = w.clients.s3.(*s3.Client).DeleteBucketPolicy(t.Context(), &s3.DeleteBucketPolicyInput{Bucket: aws.String(bucket)})
	require.NoError(t, err)
	w.put(t, "old", ".pulumi/meta.yaml", ".pulumi/stacks/a.json", ".pulumi/stacks/b.json", ".pulumi/stacks/c.json") // the first one is told
	whole := w.there.s3
	w.there.s3 = late{whole}
	report, _, err := w.bootstrap(t, "--copy-region", elsewhere)
	require.ErrorContains(t, err, "objects: .pulumi/meta.yaml: the line is dead; run the command again")
	assert.Equal(t, mend.NotDone, ofCopy(report)["bucket objects"])
	w.there.s3 = whole
	report, _, err = w.bootstrap(t, "--copy-region", elsewhere)
	require.NoError(t, err)
	assert.Equal(t, 1, report.Changes)
	assert.Equal(t, mend.Made, ofCopy(report)["bucket objects"])
}

func TestCopiesOfSomebodyElse(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	_, _, err := w.bootstrap(t)
	require.NoError(t, err)
	for _, name := range []string{"theirs", copyBucket} {
		require.NoError(t, w.emulator.CreateBackend(ctx, name))
	}
	_, err = w.clients.s3.PutBucketReplication(ctx, &s3.PutBucketReplicationInput{Bucket: aws.String(bucket), ReplicationConfiguration: &types.ReplicationConfiguration{
		Role: aws.String("arn:aws:iam::123456789012:role/theirs"), Rules: []types.ReplicationRule{{
			ID: aws.String("archive"), Status: types.ReplicationRuleStatusEnabled, Priority: aws.Int32(1), Filter: &types.ReplicationRuleFilter{Prefix: aws.String("")},
			DeleteMarkerReplication: &types.DeleteMarkerReplication{Status: types.DeleteMarkerReplicationStatusDisabled},
			Destination:             &types.Destination{Bucket: aws.String("arn:aws:s3:::theirs")},
		}},
	}})
	require.NoError(t, err)
	_, _, err = w.bootstrap(t, "--copy-region", elsewhere)
	assert.Equal(t, cli.ExitUsage, cli.Code(err))
	for _, part := range []string{"nothing was changed", `somebody else's rule "archive" copies it already`,
		"bucket " + copyBucket + ": it is in us-east-1, not in us-west-2: give --copy-region us-east-1"} {
		require.ErrorContains(t, err, part)
	}
}
