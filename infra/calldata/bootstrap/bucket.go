package bootstrap

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/calldata/calldata-foundation/infra/calldata/cli/mend"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/awsapi"
)

// bucketAPI is the part of S3 that this command uses.
type bucketAPI interface {
	HeadBucket(context.Context, *s3.HeadBucketInput, ...func(*s3.Options)) (*s3.HeadBucketOutput, error)
	CreateBucket(context.Context, *s3.CreateBucketInput, ...func(*s3.Options)) (*s3.CreateBucketOutput, error)
	GetBucketLocation(context.Context, *s3.GetBucketLocationInput, ...func(*s3.Options)) (*s3.GetBucketLocationOutput, error)
	GetBucketOwnershipControls(context.Context, *s3.GetBucketOwnershipControlsInput, ...func(*s3.Options)) (*s3.GetBucketOwnershipControlsOutput, error)
	PutBucketOwnershipControls(context.Context, *s3.PutBucketOwnershipControlsInput, ...func(*s3.Options)) (*s3.PutBucketOwnershipControlsOutput, error)
	GetPublicAccessBlock(context.Context, *s3.GetPublicAccessBlockInput, ...func(*s3.Options)) (*s3.GetPublicAccessBlockOutput, error)
	PutPublicAccessBlock(context.Context, *s3.PutPublicAccessBlockInput, ...func(*s3.Options)) (*s3.PutPublicAccessBlockOutput, error)
	GetBucketVersioning(context.Context, *s3.GetBucketVersioningInput, ...func(*s3.Options)) (*s3.GetBucketVersioningOutput, error)
	PutBucketVersioning(context.Context, *s3.PutBucketVersioningInput, ...func(*s3.Options)) (*s3.PutBucketVersioningOutput, error)
	GetBucketEncryption(context.Context, *s3.GetBucketEncryptionInput, ...func(*s3.Options)) (*s3.GetBucketEncryptionOutput, error)
	PutBucketEncryption(context.Context, *s3.PutBucketEncryptionInput, ...func(*s3.Options)) (*s3.PutBucketEncryptionOutput, error)
	GetBucketPolicy(context.Context, *s3.GetBucketPolicyInput, ...func(*s3.Options)) (*s3.GetBucketPolicyOutput, error)
	PutBucketPolicy(context.Context, *s3.PutBucketPolicyInput, ...func(*s3.Options)) (*s3.PutBucketPolicyOutput, error)
	GetBucketLifecycleConfiguration(context.Context, *s3.GetBucketLifecycleConfigurationInput, ...func(*s3.Options)) (*s3.GetBucketLifecycleConfigurationOutput, error)
	PutBucketLifecycleConfiguration(context.Context, *s3.PutBucketLifecycleConfigurationInput, ...func(*s3.Options)) (*s3.PutBucketLifecycleConfigurationOutput, error)
	GetBucketTagging(context.Context, *s3.GetBucketTaggingInput, ...func(*s3.Options)) (*s3.GetBucketTaggingOutput, error)
	PutBucketTagging(context.Context, *s3.PutBucketTaggingInput, ...func(*s3.Options)) (*s3.PutBucketTaggingOutput, error)
	GetBucketReplication(context.Context, *s3.GetBucketReplicationInput, ...func(*s3.Options)) (*s3.GetBucketReplicationOutput, error)
	PutBucketReplication(context.Context, *s3.PutBucketReplicationInput, ...func(*s3.Options)) (*s3.PutBucketReplicationOutput, error)
	ListObjectsV2(context.Context, *s3.ListObjectsV2Input, ...func(*s3.Options)) (*s3.ListObjectsV2Output, error)
	CopyObject(context.Context, *s3.CopyObjectInput, ...func(*s3.Options)) (*s3.CopyObjectOutput, error)
}

func (f *foundation) bucketName() string { return "bucket " + f.bucket }

func (f *foundation) bucketARN() string {
	return fmt.Sprintf("arn:%s:s3:::%s", f.id.Partition, f.bucket)
}

// inspectBucket compares the bucket, in the order in which a new one is locked up.
func (f *foundation) inspectBucket(ctx context.Context) ([]mend.Setting, error) {
	there, err := f.bucketThere(ctx)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.bucketName(), err)
	}
	settings := []mend.Setting{{Resource: f.bucketName(), Name: "bucket", Found: "in " + f.region, Want: "in " + f.region}}
	if !there {
		settings[0].Missing, settings[0].Mend = true, f.createBucket
	}
	var errs []error
	for _, part := range []struct {
		name    string
		inspect func(context.Context, bool) (mend.Setting, error)
	}{
		{"public access", f.publicAccess}, {"ownership", f.ownership}, {"encryption", f.encryption}, {"policy", f.policy},
		{"versioning", f.versioning}, {"lifecycle", f.lifecycle}, {"tags", f.bucketTags},
	} {
		s, err := part.inspect(ctx, there)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s, %s: %s", f.bucketName(), part.name, awsapi.Message(err)))
		}
		s.Resource, s.Name = f.bucketName(), part.name
		settings = append(settings, s)
	}
	return settings, errors.Join(errs...)
}

// bucketThere tells whether the bucket exists, in this account and this region.
func (f *foundation) bucketThere(ctx context.Context) (bool, error) {
	_, err := f.s3.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: aws.String(f.bucket), ExpectedBucketOwner: aws.String(f.id.Account)})
	if awsapi.Is(err, "NotFound", "NoSuchBucket") {
		return false, nil
	}
	var answer *smithyhttp.ResponseError
	if errors.As(err, &answer) {
		where := answer.Response.Header.Get("X-Amz-Bucket-Region")
		switch status := answer.HTTPStatusCode(); {
		case status == http.StatusForbidden:
			return false, fmt.Errorf("it exists, but belongs to another account than %s, or keeps %s out: choose another --bucket, or ask for s3:ListBucket on it",
				f.id.Account, f.id.ARN)
		case status == http.StatusMovedPermanently && where != "":
			return false, f.elsewhere(where)
		}
	}
	if err != nil {
		return false, errors.New(awsapi.Message(err))
	}
	location, err := f.s3.GetBucketLocation(ctx, &s3.GetBucketLocationInput{Bucket: aws.String(f.bucket), ExpectedBucketOwner: aws.String(f.id.Account)})
	if err != nil {
		return false, errors.New(awsapi.Message(err))
	}
	// Source: Amazon S3 API Reference, GetBucketLocation: us-east-1 is null, and EU was the first name of eu-west-1.
	where := cmp.Or(string(location.LocationConstraint), "us-east-1")
	if where == "EU" {
		where = "eu-west-1"
	}
	if where != f.region {
		return false, f.elsewhere(where)
	}
	return true, nil
}

func (f *foundation) elsewhere(where string) error {
	return fmt.Errorf("it is in %s, not in %s: give %s %s, or choose another --bucket", where, f.region, f.regionFlag, where)
}

func (f *foundation) createBucket(ctx context.Context) error {
	in := &s3.CreateBucketInput{Bucket: aws.String(f.bucket), ObjectOwnership: types.ObjectOwnershipBucketOwnerEnforced}
	if f.region != "us-east-1" { // which has no name here, see above
		in.CreateBucketConfiguration = &types.CreateBucketConfiguration{LocationConstraint: types.BucketLocationConstraint(f.region)}
	}
	_, err := f.s3.CreateBucket(ctx, in)
	var owned *types.BucketAlreadyOwnedByYou
	if errors.As(err, &owned) {
		return nil
	}
	return err
}

// allBlocked closes every way to make objects public.
// Source: Amazon S3 User Guide, "Blocking public access to your Amazon S3 storage".
func allBlocked() *types.PublicAccessBlockConfiguration {
	on := aws.Bool(true)
	return &types.PublicAccessBlockConfiguration{BlockPublicAcls: on, BlockPublicPolicy: on, IgnorePublicAcls: on, RestrictPublicBuckets: on}
}

func (f *foundation) publicAccess(ctx context.Context, there bool) (mend.Setting, error) {
	s := mend.Setting{Want: "blocked in all four ways", Missing: true}
	s.Mend = func(ctx context.Context) error {
		_, err := f.s3.PutPublicAccessBlock(ctx, &s3.PutPublicAccessBlockInput{Bucket: aws.String(f.bucket), PublicAccessBlockConfiguration: allBlocked()})
		return err
	}
	if !there {
		return s, nil
	}
	out, err := f.s3.GetPublicAccessBlock(ctx, &s3.GetPublicAccessBlockInput{Bucket: aws.String(f.bucket)})
	switch {
	case awsapi.Is(err, "NoSuchPublicAccessBlockConfiguration"):
		return s, nil
	case err != nil:
		return s, err
	}
	var open []string
	if has := out.PublicAccessBlockConfiguration; has != nil {
		s.Missing = false
		for _, way := range []struct {
			name    string
			blocked *bool
		}{{"BlockPublicAcls", has.BlockPublicAcls}, {"BlockPublicPolicy", has.BlockPublicPolicy}, {"IgnorePublicAcls", has.IgnorePublicAcls},
			{"RestrictPublicBuckets", has.RestrictPublicBuckets}} {
			if !aws.ToBool(way.blocked) {
				open = append(open, way.name+" is off")
			}
		}
		if len(open) == 0 {
			s.Mend = nil
		}
		s.Found = strings.Join(open, ", ")
	}
	return s, nil
}

// ownership without ACLs: everything in the bucket is the account's, and policies alone decide.
func (f *foundation) ownership(ctx context.Context, there bool) (mend.Setting, error) {
	want := types.ObjectOwnershipBucketOwnerEnforced
	s := mend.Setting{Want: string(want), Missing: true}
	s.Mend = func(ctx context.Context) error {
		_, err := f.s3.PutBucketOwnershipControls(ctx, &s3.PutBucketOwnershipControlsInput{Bucket: aws.String(f.bucket),
			OwnershipControls: &types.OwnershipControls{Rules: []types.OwnershipControlsRule{{ObjectOwnership: want}}}})
		return err
	}
	if !there {
		s.Mend = nil // it is made so
		return s, nil
	}
	out, err := f.s3.GetBucketOwnershipControls(ctx, &s3.GetBucketOwnershipControlsInput{Bucket: aws.String(f.bucket)})
	switch {
	case awsapi.Is(err, "OwnershipControlsNotFoundError"):
		return s, nil
	case err != nil:
		return s, err
	}
	for _, rule := range out.OwnershipControls.Rules {
		s.Found, s.Missing = string(rule.ObjectOwnership), false
		if rule.ObjectOwnership == want {
			s.Mend = nil
		}
	}
	return s, nil
}

func (f *foundation) versioning(ctx context.Context, there bool) (mend.Setting, error) {
	s := mend.Setting{Want: "on", Missing: true}
	s.Mend = func(ctx context.Context) error {
		_, err := f.s3.PutBucketVersioning(ctx, &s3.PutBucketVersioningInput{Bucket: aws.String(f.bucket),
			VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled}})
		return err
	}
	if !there {
		return s, nil
	}
	out, err := f.s3.GetBucketVersioning(ctx, &s3.GetBucketVersioningInput{Bucket: aws.String(f.bucket)})
	if err != nil {
		return s, err
	}
	if s.Found, s.Missing = string(out.Status), out.Status == ""; out.Status == types.BucketVersioningStatusEnabled {
		s.Mend = nil
	}
	return s, nil
}

// encryption is with the key of the secrets, through a bucket key: without that, each object would cost a call of KMS.
// Source: Amazon S3 User Guide, "Reducing the cost of SSE-KMS with Amazon S3 Bucket Keys".
func (f *foundation) encryption(ctx context.Context, there bool) (mend.Setting, error) {
	s := mend.Setting{Want: "aws:kms with " + f.KeyAlias + " and a bucket key", Missing: true}
	s.Mend = func(ctx context.Context) error {
		_, err := f.s3.PutBucketEncryption(ctx, &s3.PutBucketEncryptionInput{Bucket: aws.String(f.bucket),
			ServerSideEncryptionConfiguration: &types.ServerSideEncryptionConfiguration{Rules: []types.ServerSideEncryptionRule{{
				BucketKeyEnabled: aws.Bool(true),
				ApplyServerSideEncryptionByDefault: &types.ServerSideEncryptionByDefault{
					SSEAlgorithm: types.ServerSideEncryptionAwsKms, KMSMasterKeyID: aws.String(f.keyARN)},
			}}}})
		return err
	}
	if !there {
		return s, nil
	}
	out, err := f.s3.GetBucketEncryption(ctx, &s3.GetBucketEncryptionInput{Bucket: aws.String(f.bucket)})
	switch {
	case awsapi.Is(err, "ServerSideEncryptionConfigurationNotFoundError"):
		return s, nil
	case err != nil:
		return s, err
	}
	for _, rule := range out.ServerSideEncryptionConfiguration.Rules {
		by := rule.ApplyServerSideEncryptionByDefault
		if by == nil {
			continue
		}
		key := aws.ToString(by.KMSMasterKeyID)
		s.Missing = false
		s.Found = strings.TrimSpace(fmt.Sprintf("%s %s", by.SSEAlgorithm, key))
		if !aws.ToBool(rule.BucketKeyEnabled) {
			s.Found += " without a bucket key"
		}
		if by.SSEAlgorithm == types.ServerSideEncryptionAwsKms && f.isOurKey(key) && aws.ToBool(rule.BucketKeyEnabled) {
			s.Mend = nil
		}
	}
	return s, nil
}

// isOurKey recognises the key by the names that S3 takes for it.
func (f *foundation) isOurKey(name string) bool {
	if f.keyARN == "" || name == "" {
		return false
	}
	_, id, _ := strings.Cut(f.keyARN, ":key/")
	return name == f.keyARN || name == id || name == f.KeyAlias || strings.HasSuffix(name, ":"+f.KeyAlias)
}

// Ids of our lifecycle rules, by which a later run knows them again.
const (
	ruleOld    = "calldata-old-versions"
	ruleBroken = "calldata-broken-uploads"
)

// lifecycleRules forget versions that nobody will go back to, deletion markers with nothing behind them (locks leave one
// each), and uploads that were broken off. Other rules stay; those in S3's older form become the newer one, because S3 takes
// no mixture.
func (f *foundation) lifecycleRules(has []types.LifecycleRule) []types.LifecycleRule {
	var want []types.LifecycleRule
	for _, r := range has {
		if id := aws.ToString(r.ID); id == ruleOld || id == ruleBroken {
			continue
		}
		if r.Filter == nil {
			r.Filter, r.Prefix = &types.LifecycleRuleFilter{Prefix: r.Prefix}, nil //nolint:staticcheck // the older form
		}
		want = append(want, r)
	}
	everything := &types.LifecycleRuleFilter{Prefix: aws.String("")}
	return append(want,
		types.LifecycleRule{ID: aws.String(ruleOld), Status: types.ExpirationStatusEnabled, Filter: everything,
			NoncurrentVersionExpiration: &types.NoncurrentVersionExpiration{
				NoncurrentDays: aws.Int32(int32(f.KeepDays)), NewerNoncurrentVersions: aws.Int32(int32(f.KeepVersions))}, //nolint:gosec // bounded
			Expiration: &types.LifecycleExpiration{ExpiredObjectDeleteMarker: aws.Bool(true)}},
		types.LifecycleRule{ID: aws.String(ruleBroken), Status: types.ExpirationStatusEnabled, Filter: everything,
			AbortIncompleteMultipartUpload: &types.AbortIncompleteMultipartUpload{DaysAfterInitiation: aws.Int32(uploadDays)}},
	)
}

// uploadDays is how long an upload may take.
const uploadDays = 7

func (f *foundation) lifecycle(ctx context.Context, there bool) (mend.Setting, error) {
	s := mend.Setting{Missing: true, Want: fmt.Sprintf("old versions go after %d days, but never the newest %d; broken uploads after %d days",
		f.KeepDays, f.KeepVersions, uploadDays)}
	var has []types.LifecycleRule
	var smallest types.TransitionDefaultMinimumObjectSize
	if there {
		out, err := f.s3.GetBucketLifecycleConfiguration(ctx, &s3.GetBucketLifecycleConfigurationInput{Bucket: aws.String(f.bucket)})
		if err != nil && !awsapi.Is(err, "NoSuchLifecycleConfiguration") {
			return s, err
		}
		if err == nil {
			has, smallest = out.Rules, out.TransitionDefaultMinimumObjectSize
		}
	}
	want := f.lifecycleRules(has)
	ours := make([]string, 0, len(has))
	for _, rule := range has {
		ours = append(ours, describe(rule))
	}
	slices.Sort(ours)
	wanted := make([]string, 0, len(want))
	for _, rule := range want {
		wanted = append(wanted, describe(rule))
	}
	slices.Sort(wanted)
	s.Missing, s.Found = len(has) == 0, strings.Join(ours, "; ")
	if slices.Equal(ours, wanted) {
		return s, nil
	}
	s.Mend = func(ctx context.Context) error {
		_, err := f.s3.PutBucketLifecycleConfiguration(ctx, &s3.PutBucketLifecycleConfigurationInput{Bucket: aws.String(f.bucket),
			TransitionDefaultMinimumObjectSize: smallest, LifecycleConfiguration: &types.BucketLifecycleConfiguration{Rules: want}})
		return err
	}
	return s, nil
}

// describe is a rule as text, as far as our rules go; two rules of ours are equal when it is.
func describe(r types.LifecycleRule) string {
	parts := []string{fmt.Sprintf("%s %s", aws.ToString(r.ID), r.Status)}
	prefix := aws.ToString(r.Prefix) //nolint:staticcheck // the older form
	if r.Filter != nil {
		prefix = cmp.Or(aws.ToString(r.Filter.Prefix), prefix)
		if r.Filter.And != nil || r.Filter.Tag != nil || r.Filter.ObjectSizeGreaterThan != nil || r.Filter.ObjectSizeLessThan != nil {
			parts = append(parts, "filtered")
		}
	}
	if prefix != "" {
		parts = append(parts, "below "+prefix)
	}
	if old := r.NoncurrentVersionExpiration; old != nil {
		parts = append(parts, fmt.Sprintf("old versions %d days, newest %d", aws.ToInt32(old.NoncurrentDays), aws.ToInt32(old.NewerNoncurrentVersions)))
	}
	if e := r.Expiration; e != nil {
		parts = append(parts, fmt.Sprintf("expires after %d days %v, markers %v", aws.ToInt32(e.Days), aws.ToTime(e.Date), aws.ToBool(e.ExpiredObjectDeleteMarker)))
	}
	if abort := r.AbortIncompleteMultipartUpload; abort != nil {
		parts = append(parts, fmt.Sprintf("broken uploads %d days", aws.ToInt32(abort.DaysAfterInitiation)))
	}
	if len(r.Transitions)+len(r.NoncurrentVersionTransitions) > 0 {
		parts = append(parts, "moves objects")
	}
	return strings.Join(parts, ", ")
}

func (f *foundation) bucketTags(ctx context.Context, there bool) (mend.Setting, error) {
	has := map[string]string{}
	if there {
		out, err := f.s3.GetBucketTagging(ctx, &s3.GetBucketTaggingInput{Bucket: aws.String(f.bucket)})
		if err != nil && !awsapi.Is(err, "NoSuchTagSet") {
			return mend.Setting{}, err
		}
		if err == nil {
			for _, tag := range out.TagSet {
				has[aws.ToString(tag.Key)] = aws.ToString(tag.Value)
			}
		}
	}
	return f.tagSetting("", f.bucket, "state", has, func(ctx context.Context, want map[string]string) error {
		set := make([]types.Tag, 0, len(want))
		for key, value := range want {
			set = append(set, types.Tag{Key: aws.String(key), Value: aws.String(value)})
		}
		_, err := f.s3.PutBucketTagging(ctx, &s3.PutBucketTaggingInput{Bucket: aws.String(f.bucket), Tagging: &types.Tagging{TagSet: set}})
		return err
	}), nil
}
