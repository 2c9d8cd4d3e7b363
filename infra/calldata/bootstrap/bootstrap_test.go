package bootstrap

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	kmstypes "github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/components/linkedrole"
	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/mend"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/awsapi"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/emulatortest"
	"github.com/calldata/calldata-foundation/infra/rehearsal/emulator"
	"github.com/calldata/calldata-foundation/infra/rehearsal/engine"
)

const (
	account   = "123456789012" // the emulator's
	elsewhere = "us-west-2"
	bucket    = "calldata-foundation-state-123456789012-us-east-1"
)

// world is an emulated account.
type world struct {
	emulator *emulator.Emulator
	clients  clients
	there    clients // of the second region
}

func newWorld(t *testing.T) *world {
	e := emulatortest.Start(t)
	in := func(region string) clients {
		settings := e.AWSConfig()
		settings.Region = region
		return clients{region: region, sts: sts.NewFromConfig(settings), kms: kms.NewFromConfig(settings), s3: awsapi.S3(settings), iam: iam.NewFromConfig(settings)}
	}
	return &world{e, in(emulator.Region), in(elsewhere)}
}

// bootstrap runs the command and answers its report, what it printed for a person, and its error.
func (w *world) bootstrap(t *testing.T, args ...string) (Report, string, error) {
	t.Helper()
	var out, said bytes.Buffer
	streams := &cli.IO{Out: &out, Err: &said}
	opts := &Options{IO: streams, connect: func(_ context.Context, _ *Options, region string) (clients, error) {
		if region == elsewhere {
			return w.there, nil
		}
		return w.clients, nil
	}}
	cmd := newCmd(opts)
	cmd.SetArgs(append(args, "--json"))
	cmd.SetContext(t.Context())
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	err := cmd.Execute()
	var report Report
	if out.Len() > 0 {
		require.NoError(t, json.Unmarshal(out.Bytes(), &report))
	}
	var text bytes.Buffer
	report.profile = opts.Profile
	require.NoError(t, report.writeTable(&text))
	return report, text.String(), err
}

func results(r Report) map[string]mend.Result {
	got := map[string]mend.Result{}
	for _, item := range r.Settings {
		kind, _, _ := strings.Cut(item.Resource, " ")
		got[kind+" "+item.Setting] = item.Result
	}
	return got
}

// every is the result of all settings, with exceptions.
func every(all mend.Result, but map[string]mend.Result) map[string]mend.Result {
	want := map[string]mend.Result{}
	for _, name := range []string{"key key", "key alias", "key rotation", "key tags", "bucket bucket", "bucket public access", "bucket ownership",
		"bucket encryption", "bucket policy", "bucket versioning", "bucket lifecycle", "bucket tags", "role autoscaling.amazonaws.com", "role config.amazonaws.com"} {
		want[name] = all
	}
	for name, result := range but {
		if want[name] = result; result == "" {
			delete(want, name)
		}
	}
	return want
}

func TestBootstrapMakesEverythingOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)

	report, text, err := w.bootstrap(t, "--dry-run")
	require.NoError(t, err)
	// A new key is made with its tags, and a new bucket without ACLs.
	assert.Equal(t, every(mend.ToMake, map[string]mend.Result{"key tags": "", "bucket ownership": mend.Found}), results(report))
	assert.Contains(t, text, "Nothing was changed.")
	assert.NotContains(t, text, "pulumi login")
	_, err = w.clients.s3.HeadBucket(t.Context(), &s3.HeadBucketInput{Bucket: aws.String(bucket)})
	require.Error(t, err)

	report, text, err = w.bootstrap(t)
	require.NoError(t, err)
	assert.Equal(t, every(mend.Made, map[string]mend.Result{"key tags": "", "bucket ownership": mend.Found}), results(report))
	assert.Equal(t, account, report.Account)
	assert.Equal(t, bucket, report.Bucket)
	assert.Contains(t, text, "  pulumi login 's3://"+bucket+"?region=us-east-1'\n")
	assert.Contains(t, text, "  pulumi stack init dev --secrets-provider='awskms://alias/calldata-foundation-secrets?region=us-east-1'\n")
	w.check(t, report.KeyARN)

	before := report
	report, text, err = w.bootstrap(t)
	require.NoError(t, err)
	assert.Equal(t, every(mend.Found, map[string]mend.Result{"key alias": ""}), results(report))
	assert.Zero(t, report.Changes)
	assert.Equal(t, before.KeyARN, report.KeyARN)
	assert.Contains(t, text, "All 13 settings are as they should be.")
	keys, err := w.clients.kms.ListKeys(t.Context(), &kms.ListKeysInput{})
	require.NoError(t, err)
	assert.Len(t, keys.Keys, 1)
}

// check reads bucket and key back.
func (w *world) check(t *testing.T, keyARN string) {
	t.Helper()
	ctx, name := t.Context(), aws.String(bucket)
	versioning, err := w.clients.s3.GetBucketVersioning(ctx, &s3.GetBucketVersioningInput{Bucket: name})
	require.NoError(t, err)
	assert.Equal(t, types.BucketVersioningStatusEnabled, versioning.Status)
	encryption, err := w.clients.s3.GetBucketEncryption(ctx, &s3.GetBucketEncryptionInput{Bucket: name})
	require.NoError(t, err)
	rule := encryption.ServerSideEncryptionConfiguration.Rules[0]
	assert.Equal(t, keyARN, aws.ToString(rule.ApplyServerSideEncryptionByDefault.KMSMasterKeyID))
	assert.True(t, aws.ToBool(rule.BucketKeyEnabled))
	public, err := w.clients.s3.GetPublicAccessBlock(ctx, &s3.GetPublicAccessBlockInput{Bucket: name})
	require.NoError(t, err)
	assert.Equal(t, allBlocked(), public.PublicAccessBlockConfiguration)
	policy, err := w.clients.s3.GetBucketPolicy(ctx, &s3.GetBucketPolicyInput{Bucket: name})
	require.NoError(t, err)
	assert.JSONEq(t, `{"Version":"2012-10-17","Statement":[
		{"Sid":"CalldataDenyPlainHttp","Effect":"Deny","Principal":{"AWS":["*"]},"Action":["s3:*"],"Resource":["arn:aws:s3:::`+bucket+`","arn:aws:s3:::`+bucket+`/*"],
			"Condition":{"Bool":{"aws:SecureTransport":["false"]}}},
		{"Sid":"CalldataDenyOldTls","Effect":"Deny","Principal":{"AWS":["*"]},"Action":["s3:*"],"Resource":["arn:aws:s3:::`+bucket+`","arn:aws:s3:::`+bucket+`/*"],
			"Condition":{"NumericLessThan":{"s3:TlsVersion":["1.2"]}}},
		{"Sid":"CalldataDenyOtherAccounts","Effect":"Deny","Principal":{"AWS":["*"]},"Action":["s3:*"],"Resource":["arn:aws:s3:::`+bucket+`","arn:aws:s3:::`+bucket+`/*"],
			"Condition":{"StringNotEquals":{"aws:PrincipalAccount":["123456789012"]},"BoolIfExists":{"aws:PrincipalIsAWSService":["false"]}}}]}`, aws.ToString(policy.Policy))
	rotation, err := w.clients.kms.GetKeyRotationStatus(ctx, &kms.GetKeyRotationStatusInput{KeyId: aws.String(keyARN)})
	require.NoError(t, err)
	assert.True(t, rotation.KeyRotationEnabled)
	for _, want := range linkedrole.All() {
		role, err := w.clients.iam.GetRole(ctx, &iam.GetRoleInput{RoleName: aws.String(want.Name)})
		require.NoError(t, err)
		assert.Equal(t, want.ARN(account), aws.ToString(role.Role.Arn))
	}
}

// hidden is an IAM that does not show roles at first, as when AWS makes one while we look.
type hidden struct {
	roleAPI
	looks *atomic.Int32
	deny  error
}

func (h hidden) GetRole(ctx context.Context, in *iam.GetRoleInput, opts ...func(*iam.Options)) (*iam.GetRoleOutput, error) {
	switch {
	case h.deny != nil:
		return nil, h.deny
	case h.looks.Add(1) <= int32(len(linkedrole.All())): //nolint:gosec // two
		return nil, &iamtypes.NoSuchEntityException{}
	}
	return h.roleAPI.GetRole(ctx, in, opts...)
}

func TestBootstrapTakesRolesThatOthersMade(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	whole := w.clients.iam
	_, err := whole.CreateServiceLinkedRole(t.Context(), &iam.CreateServiceLinkedRoleInput{AWSServiceName: aws.String("autoscaling.amazonaws.com")})
	require.NoError(t, err)
	w.clients.iam = hidden{roleAPI: whole, deny: &smithy.GenericAPIError{Code: "AccessDenied", Message: "iam:GetRole"}}
	_, _, err = w.bootstrap(t)
	require.ErrorContains(t, err, "role AWSServiceRoleForConfig: AccessDenied: iam:GetRole")
	assert.Equal(t, cli.ExitUsage, cli.Code(err))

	w.clients.iam = hidden{roleAPI: whole, looks: &atomic.Int32{}}
	report, text, err := w.bootstrap(t)
	require.NoError(t, err, "somebody was faster, and that is as good")
	assert.Equal(t, mend.Made, results(report)["role config.amazonaws.com"])
	assert.Contains(t, text, "role AWSServiceRoleForAutoScaling")

	w.clients.iam = whole
	report, _, err = w.bootstrap(t)
	require.NoError(t, err)
	assert.Zero(t, report.Changes)
}

func TestBootstrapMendsAndKeepsWhatOthersMade(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx, name, to := t.Context(), aws.String(bucket), w.clients.s3
	_, _, err := w.bootstrap(t, "--owner", "night-shift")
	require.NoError(t, err)

	_, err = to.PutBucketVersioning(ctx, &s3.PutBucketVersioningInput{Bucket: name, VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusSuspended}})
	require.NoError(t, err)
	_, err = to.PutPublicAccessBlock(ctx, &s3.PutPublicAccessBlockInput{Bucket: name, PublicAccessBlockConfiguration: &types.PublicAccessBlockConfiguration{BlockPublicAcls: aws.Bool(true)}})
	require.NoError(t, err)
	_, err = to.PutBucketEncryption(ctx, &s3.PutBucketEncryptionInput{Bucket: name, ServerSideEncryptionConfiguration: &types.ServerSideEncryptionConfiguration{
		Rules: []types.ServerSideEncryptionRule{{ApplyServerSideEncryptionByDefault: &types.ServerSideEncryptionByDefault{SSEAlgorithm: types.ServerSideEncryptionAes256}}}}})
	require.NoError(t, err)
	const foreign = `{"Sid":"Auditors","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:role/auditor"},"Action":"s3:ListBucket","Resource":"arn:aws:s3:::` + bucket + `"}`
	_, err = to.PutBucketPolicy(ctx, &s3.PutBucketPolicyInput{Bucket: name, Policy: aws.String(`{"Version":"2012-10-17","Statement":` + foreign + `}`)})
	require.NoError(t, err)
	_, err = to.PutBucketLifecycleConfiguration(ctx, &s3.PutBucketLifecycleConfigurationInput{Bucket: name, LifecycleConfiguration: &types.BucketLifecycleConfiguration{
		Rules: []types.LifecycleRule{{ID: aws.String("theirs"), Status: types.ExpirationStatusEnabled, Filter: &types.LifecycleRuleFilter{Prefix: aws.String("tmp/")},
			Expiration: &types.LifecycleExpiration{Days: aws.Int32(3)}}}}})
	require.NoError(t, err)
	_, err = to.PutBucketTagging(ctx, &s3.PutBucketTaggingInput{Bucket: name, Tagging: &types.Tagging{TagSet: []types.Tag{
		{Key: aws.String("Owner"), Value: aws.String("day-shift")}, {Key: aws.String("Theirs"), Value: aws.String("x")}}}})
	require.NoError(t, err)

	changed := map[string]mend.Result{"bucket versioning": mend.Mended, "bucket public access": mend.Mended, "bucket encryption": mend.Mended, "bucket policy": mend.Mended,
		"bucket lifecycle": mend.Mended, "bucket tags": mend.Mended, "key alias": ""}
	report, text, err := w.bootstrap(t)
	require.NoError(t, err)
	assert.Equal(t, every(mend.Found, changed), results(report))
	assert.Contains(t, text, "(was: Suspended)")
	assert.Contains(t, text, "(was: AES256 without a bucket key)")

	policy, err := to.GetBucketPolicy(ctx, &s3.GetBucketPolicyInput{Bucket: name})
	require.NoError(t, err)
	assert.Contains(t, aws.ToString(policy.Policy), `"Auditors"`)
	assert.Contains(t, aws.ToString(policy.Policy), sidTLS)
	rules, err := to.GetBucketLifecycleConfiguration(ctx, &s3.GetBucketLifecycleConfigurationInput{Bucket: name})
	require.NoError(t, err)
	assert.Len(t, rules.Rules, 3)
	tagging, err := to.GetBucketTagging(ctx, &s3.GetBucketTaggingInput{Bucket: name})
	require.NoError(t, err)
	got := map[string]string{}
	for _, tag := range tagging.TagSet {
		got[*tag.Key] = *tag.Value
	}
	assert.Equal(t, map[string]string{"Theirs": "x", "Owner": "day-shift", "CostCenter": "telephony", "Project": "calldata-foundation", "Environment": "account",
		"Role": "state", "Name": bucket, "ManagedBy": "calldata-bootstrap"}, got)

	report, _, err = w.bootstrap(t)
	require.NoError(t, err)
	assert.Zero(t, report.Changes)
	report, _, err = w.bootstrap(t, "--keep-days", "30", "--cost-center", "cc-9", "--dry-run")
	require.NoError(t, err)
	assert.Equal(t, every(mend.Found, map[string]mend.Result{"bucket lifecycle": mend.ToMend, "bucket tags": mend.ToMend, "key tags": mend.ToMend, "key alias": ""}), results(report))
}

// failing answers an error for one call of KMS.
type failing struct {
	keyAPI
	alias error
}

func (k failing) CreateAlias(ctx context.Context, in *kms.CreateAliasInput, opts ...func(*kms.Options)) (*kms.CreateAliasOutput, error) {
	if k.alias != nil {
		return nil, k.alias
	}
	return k.keyAPI.CreateAlias(ctx, in, opts...)
}

func TestBootstrapGoesOnWhereItWasBrokenOff(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	whole := w.clients.kms
	w.clients.kms = failing{whole, errors.New("the line is dead")}
	report, text, err := w.bootstrap(t)
	require.ErrorContains(t, err, "key alias/calldata-foundation-secrets, alias: the line is dead; run the command again")
	assert.Equal(t, mend.Made, results(report)["key key"])
	assert.Equal(t, mend.NotDone, results(report)["key alias"])
	assert.Equal(t, mend.NotDone, results(report)["bucket policy"])
	assert.NotContains(t, text, "pulumi login")

	w.clients.kms = whole
	again, _, err := w.bootstrap(t)
	require.NoError(t, err)
	assert.Equal(t, report.KeyARN, again.KeyARN, "the key of the first run is taken")
	assert.Equal(t, mend.Found, results(again)["key key"])
	assert.Equal(t, mend.Made, results(again)["key alias"])
}

// foreign is an S3 where the bucket is somebody else's.
type foreign struct{ bucketAPI }

func (foreign) HeadBucket(context.Context, *s3.HeadBucketInput, ...func(*s3.Options)) (*s3.HeadBucketOutput, error) {
	return nil, &smithyhttp.ResponseError{Response: &smithyhttp.Response{Response: &http.Response{StatusCode: http.StatusForbidden}}, Err: errors.New("Forbidden")}
}

func TestBootstrapNamesEverythingThatStandsInTheWay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	key, err := w.clients.kms.CreateKey(t.Context(), &kms.CreateKeyInput{KeySpec: kmstypes.KeySpecRsa2048, KeyUsage: kmstypes.KeyUsageTypeSignVerify})
	require.NoError(t, err)
	_, err = w.clients.kms.CreateAlias(t.Context(), &kms.CreateAliasInput{AliasName: aws.String(defaultAlias), TargetKeyId: key.KeyMetadata.KeyId})
	require.NoError(t, err)
	_, err = w.clients.kms.(*kms.Client).ScheduleKeyDeletion(t.Context(), &kms.ScheduleKeyDeletionInput{KeyId: key.KeyMetadata.KeyId})
	require.NoError(t, err)
	whole := w.clients.s3
	w.clients.s3 = foreign{whole}
	_, _, err = w.bootstrap(t)
	require.Error(t, err)
	assert.Equal(t, cli.ExitUsage, cli.Code(err))
	for _, want := range []string{"nothing was changed", "it is to be deleted", "cancel-key-deletion", "it is a RSA_2048 key for SIGN_VERIFY",
		"bucket " + bucket + ": it exists, but belongs to another account than 123456789012"} {
		assert.ErrorContains(t, err, want)
	}

	// A bucket in another region.
	w.clients.s3 = whole
	_, err = whole.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String("elsewhere"),
		CreateBucketConfiguration: &types.CreateBucketConfiguration{LocationConstraint: types.BucketLocationConstraintEuWest1}})
	require.NoError(t, err)
	_, _, err = w.bootstrap(t, "--bucket", "elsewhere", "--key-alias", "alias/other")
	assert.ErrorContains(t, err, "it is in eu-west-1, not in us-east-1: give --region eu-west-1, or choose another --bucket")
	assert.NotContains(t, err.Error(), "alias/other")
	keys, err := w.clients.kms.ListKeys(t.Context(), &kms.ListKeysInput{})
	require.NoError(t, err)
	assert.Len(t, keys.Keys, 1, "nothing was made")
}

func TestBootstrapRefusesWrongFlags(t *testing.T) {
	t.Parallel()
	_, _, err := (&world{}).bootstrap(t, "--region", "here", "--bucket", "No.Bucket", "--key-alias", "alias/aws/s3", "--keep-days", "0",
		"--keep-versions", "101", "--owner", "<>", "--copy-region", "there")
	require.Error(t, err)
	assert.Equal(t, cli.ExitUsage, cli.Code(err))
	for _, want := range []string{`--region: "here"`, `--bucket is "No.Bucket"`, "alias/aws/ is for AWS's own keys", "--keep-days is 0", "--keep-versions is 101", "--owner: ",
		`--copy-region: "there"`} {
		assert.ErrorContains(t, err, want)
	}
}

func TestCopyRegionIsAnother(t *testing.T) {
	t.Parallel()
	w := &world{clients: clients{region: "us-east-1"}}
	_, _, err := w.bootstrap(t, "--copy-region", "us-east-1")
	require.ErrorContains(t, err, "--copy-region is us-east-1, and so is the region of the state")
	assert.Equal(t, cli.ExitUsage, cli.Code(err))
	_, _, err = w.bootstrap(t, "--copy-region", elsewhere, "--bucket", strings.Repeat("b", 59))
	require.ErrorContains(t, err, "--bucket has 59 characters, and with --copy-region at most 58")
	assert.Equal(t, cli.ExitUsage, cli.Code(err))
}

func TestNoCredentials(t *testing.T) {
	t.Parallel()
	w := &world{clients: clients{region: "us-east-1", sts: nobody{}}}
	_, _, err := w.bootstrap(t)
	assert.ErrorContains(t, err, "no AWS credentials that work: expired; set AWS_PROFILE")
	assert.Equal(t, cli.ExitUsage, cli.Code(err))
}

type nobody struct{}

func (nobody) GetCallerIdentity(context.Context, *sts.GetCallerIdentityInput, ...func(*sts.Options)) (*sts.GetCallerIdentityOutput, error) {
	return nil, errors.New("expired")
}

func TestPoliciesInOtherSpellings(t *testing.T) {
	t.Parallel()
	f := &foundation{id: awsapi.Identity{Account: account, Partition: "aws"}, bucket: "b"}
	_, changed, err := mergePolicy(`{"Id":"x","Version":"2012-10-17","Statement":[
		{"Sid":"CalldataDenyOtherAccounts","Effect":"Deny","Principal":"*","Action":"s3:*","Resource":["arn:aws:s3:::b/*","arn:aws:s3:::b"],
			"Condition":{"BoolIfExists":{"aws:PrincipalIsAWSService":false},"StringNotEquals":{"aws:PrincipalAccount":"123456789012"}}},
		{"Sid":"CalldataDenyPlainHttp","Effect":"Deny","Principal":{"AWS":"*"},"Action":"s3:*","Resource":["arn:aws:s3:::b","arn:aws:s3:::b/*"],"Condition":{"Bool":{"aws:SecureTransport":"false"}}},
		{"Sid":"CalldataDenyOldTls","Effect":"Deny","Principal":"*","Action":"s3:*","Resource":["arn:aws:s3:::b","arn:aws:s3:::b/*"],"Condition":{"NumericLessThan":{"s3:TlsVersion":"1.2"}}}]}`,
		f.statements())
	require.NoError(t, err)
	assert.False(t, changed)
	for name, text := range map[string]string{
		"weakened": `{"Version":"2012-10-17","Statement":[{"Sid":"CalldataDenyPlainHttp","Effect":"Allow","Principal":"*","Action":"s3:*","Resource":"*"}]}`,
		"none":     `{"Version":"2012-10-17","Statement":[]}`,
		"old":      `{"Version":"2008-10-17","Statement":[]}`,
	} {
		merged, changed, err := mergePolicy(text, f.statements())
		require.NoError(t, err, name)
		assert.True(t, changed, name)
		assert.NotContains(t, merged, "Allow", name)
	}
	_, _, err = mergePolicy(`{`, f.statements())
	assert.Error(t, err)
}

func TestRulesOfOthersKeepTheirMeaning(t *testing.T) {
	t.Parallel()
	f := &foundation{Options: &Options{KeepDays: 90, KeepVersions: 50}}
	rules := f.lifecycleRules([]types.LifecycleRule{
		{ID: aws.String("older"), Status: types.ExpirationStatusEnabled, Prefix: aws.String("tmp/"), Expiration: &types.LifecycleExpiration{Days: aws.Int32(3)}}, //nolint:staticcheck // the older form
		{ID: aws.String(ruleOld), Status: types.ExpirationStatusDisabled},
	})
	require.Len(t, rules, 3)
	assert.Equal(t, "older", *rules[0].ID)
	assert.Equal(t, "tmp/", *rules[0].Filter.Prefix)
	for _, r := range rules {
		assert.Nil(t, r.Prefix, "S3 takes no mixture of forms") //nolint:staticcheck // the older form
		assert.Equal(t, types.ExpirationStatusEnabled, r.Status)
	}
	assert.Equal(t, rules, f.lifecycleRules(rules))
}

// TestPulumiUsesIt logs Pulumi in to the bucket and makes a stack with the key.
func TestPulumiUsesIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	report, _, err := w.bootstrap(t)
	require.NoError(t, err)
	// The emulator takes a denial for one whatever its conditions say.
	_, err = w.clients.s3.(*s3.Client).DeleteBucketPolicy(t.Context(), &s3.DeleteBucketPolicyInput{Bucket: aws.String(bucket)})
	require.NoError(t, err)
	prepared, err := engine.Prepare(t.Context(), engine.Options{Root: "../../.."})
	require.NoError(t, err)
	dir, home := t.TempDir(), t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "Pulumi.yaml"), []byte("name: calldata-foundation\nruntime: go\n"), 0o600))
	pulumi := func(command string) string {
		cmd := exec.CommandContext(t.Context(), "sh", "-c", command+" --non-interactive")
		cmd.Dir = dir
		cmd.Env = append(append(os.Environ(), prepared.Env(home)...), w.emulator.Env()...)
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, string(out))
		return string(out)
	}
	login := strings.Replace(report.Login, "?", "?s3ForcePathStyle=true&", 1) // AWS has a host name for each bucket, the emulator has not
	pulumi(login)
	pulumi(report.StackInit[0].Command)
	pulumi("pulumi config set --secret -s " + report.StackInit[0].Stack + " greeting hello")
	assert.Contains(t, pulumi("pulumi config get -s "+report.StackInit[0].Stack+" greeting"), "hello")
	settings, err := os.ReadFile(filepath.Join(dir, "Pulumi."+report.StackInit[0].Stack+".yaml"))
	require.NoError(t, err)
	assert.Contains(t, string(settings), "secretsprovider: awskms://alias/calldata-foundation-secrets?region=us-east-1")
	assert.NotContains(t, string(settings), "hello")

	object, err := w.clients.s3.(*s3.Client).HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: aws.String(bucket),
		Key: aws.String(".pulumi/stacks/calldata-foundation/" + report.StackInit[0].Stack + ".json")})
	require.NoError(t, err)
	assert.Equal(t, types.ServerSideEncryptionAwsKms, object.ServerSideEncryption)
}
