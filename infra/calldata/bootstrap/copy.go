package bootstrap

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/calldata/calldata-foundation/components/iamdoc"
	"github.com/calldata/calldata-foundation/components/s3copy"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/mend"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/awsapi"
)

const (
	copyFlag = "--copy-region"
	// copySuffix ends the name of the bucket of copies, and of the role that copies. The bucket is none that `calldata bootstrap` in
	// the other region would make for a state of its own.
	copySuffix = "-copy"
	// ruleCopy is our rule, by which a later run knows it again.
	ruleCopy = "calldata-copy"
)

// inspectCopy compares the bucket of copies with its key, and what copies to it.
func (f *foundation) inspectCopy(ctx context.Context) ([]mend.Setting, error) {
	if f.copy == nil {
		return nil, nil
	}
	there := f.copy
	there.id, there.bucket = f.id, f.bucket+copySuffix
	settings, keyErr := there.inspectKey(ctx)
	bucket, bucketErr := there.inspectBucket(ctx)
	settings = append(settings, bucket...)
	errs := []error{keyErr, bucketErr}
	for _, part := range []struct {
		resource, name string
		inspect        func(context.Context) (mend.Setting, error)
	}{
		{"role " + there.bucket, "role", f.copyRole}, {"role " + there.bucket, "permissions", f.copyPermissions},
		{f.bucketName(), "copies", f.copyRules}, {there.bucketName(), "objects", f.copyObjects},
	} {
		s, err := part.inspect(ctx)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s, %s: %s", part.resource, part.name, awsapi.Message(err)))
		}
		s.Resource, s.Name = part.resource, part.name
		settings = append(settings, s)
	}
	return settings, errors.Join(errs...)
}

func (f *foundation) copyRoleARN() string {
	return fmt.Sprintf("arn:%s:iam::%s:role/%s", f.id.Partition, f.id.Account, f.copy.bucket)
}

// copyRole is what S3 copies as.
func (f *foundation) copyRole(ctx context.Context) (mend.Setting, error) {
	s := mend.Setting{Want: "for S3 alone"}
	// Only who may pass the role can have S3 use it: there is no deputy to confuse.
	trust, err := iamdoc.Trust("s3.amazonaws.com", "")
	if err != nil {
		return s, err
	}
	out, err := f.iam.GetRole(ctx, &iam.GetRoleInput{RoleName: aws.String(f.copy.bucket)})
	switch {
	case awsapi.Is(err, "NoSuchEntity"):
		s.Missing, s.Mend = true, func(ctx context.Context) error {
			var tags []iamtypes.Tag
			for key, value := range f.tags(f.copy.bucket, "state", nil) {
				tags = append(tags, iamtypes.Tag{Key: aws.String(key), Value: aws.String(value)})
			}
			_, err := f.iam.CreateRole(ctx, &iam.CreateRoleInput{
				RoleName: aws.String(f.copy.bucket), AssumeRolePolicyDocument: aws.String(trust), Tags: tags,
				Description: aws.String("Lets S3 copy the state of Pulumi to " + f.copy.region),
			})
			return err
		}
		return s, nil
	case err != nil:
		return s, err
	}
	s.Found = "for others too"
	if !samePolicy(aws.ToString(out.Role.AssumeRolePolicyDocument), trust) {
		s.Mend = func(ctx context.Context) error {
			_, err := f.iam.UpdateAssumeRolePolicy(ctx, &iam.UpdateAssumeRolePolicyInput{RoleName: aws.String(f.copy.bucket), PolicyDocument: aws.String(trust)})
			return err
		}
	}
	return s, nil
}

// copyPermissions are the role's. The keys may be of this run: their names are taken when the permissions are written.
func (f *foundation) copyPermissions(ctx context.Context) (mend.Setting, error) {
	s := mend.Setting{Want: "reads here, writes there", Found: "others", Mend: func(ctx context.Context) error {
		want, err := f.wantedPermissions()
		if err == nil {
			_, err = f.iam.PutRolePolicy(ctx, &iam.PutRolePolicyInput{RoleName: aws.String(f.copy.bucket), PolicyName: aws.String(ruleCopy), PolicyDocument: aws.String(want)})
		}
		return err
	}}
	out, err := f.iam.GetRolePolicy(ctx, &iam.GetRolePolicyInput{RoleName: aws.String(f.copy.bucket), PolicyName: aws.String(ruleCopy)})
	switch {
	case awsapi.Is(err, "NoSuchEntity"):
		s.Missing = true
		return s, nil
	case err != nil:
		return s, err
	}
	want, err := f.wantedPermissions()
	if err == nil && samePolicy(aws.ToString(out.PolicyDocument), want) {
		s.Mend = nil
	}
	return s, err
}

func (f *foundation) wantedPermissions() (string, error) {
	end := func(f *foundation) s3copy.End {
		return s3copy.End{Bucket: f.bucketARN(), Key: f.keyARN, Region: f.region}
	}
	return s3copy.Permissions(end(f), end(f.copy), s3copy.CopyDeletions)
}

// samePolicy compares a document of IAM's, which IAM answers as a part of a URL, with ours.
func samePolicy(answered, want string) bool {
	text, err := url.QueryUnescape(answered)
	if err != nil {
		return false
	}
	has, err1 := parsePolicy(text)
	wanted, err2 := parsePolicy(want)
	return err1 == nil && err2 == nil && canonical(has) == canonical(wanted)
}

// copyRules is the rule by which S3 copies every new object, and every deletion: what a stack has left behind is not to come back in the
// copy. Rules of others have a role of their own, of which S3 takes one for all: a person has to decide.
// Source: Amazon S3 User Guide, "Replication configuration file elements"; "Replicating encrypted objects".
func (f *foundation) copyRules(ctx context.Context) (mend.Setting, error) {
	s := mend.Setting{Want: "of every object, to " + f.copy.bucket, Missing: true, Mend: func(ctx context.Context) error {
		_, err := f.s3.PutBucketReplication(ctx, &s3.PutBucketReplicationInput{Bucket: aws.String(f.bucket), ReplicationConfiguration: f.wantedCopies()})
		return err
	}}
	out, err := f.s3.GetBucketReplication(ctx, &s3.GetBucketReplicationInput{Bucket: aws.String(f.bucket)})
	switch {
	case awsapi.Is(err, "ReplicationConfigurationNotFoundError", "NoSuchBucket"):
		return s, nil
	case err != nil:
		return s, err
	}
	has := out.ReplicationConfiguration
	for _, rule := range has.Rules {
		if id := aws.ToString(rule.ID); id != ruleCopy {
			return s, fmt.Errorf("somebody else's rule %q copies it already: remove that, or leave %s out", id, copyFlag)
		}
	}
	s.Missing, s.Found = false, describeCopies(has)
	if s.Found == describeCopies(f.wantedCopies()) {
		s.Mend = nil
	}
	return s, nil
}

func (f *foundation) wantedCopies() *types.ReplicationConfiguration {
	return &types.ReplicationConfiguration{Role: aws.String(f.copyRoleARN()), Rules: []types.ReplicationRule{{
		ID: aws.String(ruleCopy), Status: types.ReplicationRuleStatusEnabled, Priority: aws.Int32(1), Filter: &types.ReplicationRuleFilter{Prefix: aws.String("")},
		DeleteMarkerReplication: &types.DeleteMarkerReplication{Status: types.DeleteMarkerReplicationStatusEnabled},
		SourceSelectionCriteria: &types.SourceSelectionCriteria{SseKmsEncryptedObjects: &types.SseKmsEncryptedObjects{Status: types.SseKmsEncryptedObjectsStatusEnabled}},
		Destination: &types.Destination{Bucket: aws.String(f.copy.bucketARN()),
			EncryptionConfiguration: &types.EncryptionConfiguration{ReplicaKmsKeyID: aws.String(f.copy.keyARN)}},
	}}}
}

// describeCopies is a configuration as text; two of ours are equal when it is.
func describeCopies(c *types.ReplicationConfiguration) string {
	parts := []string{"as " + aws.ToString(c.Role)}
	for _, r := range c.Rules {
		text := fmt.Sprintf("%s %s", aws.ToString(r.ID), r.Status)
		if r.Filter != nil && aws.ToString(r.Filter.Prefix) != "" {
			text += " below " + aws.ToString(r.Filter.Prefix)
		}
		if r.DeleteMarkerReplication != nil {
			text += fmt.Sprintf(", deletions %s", r.DeleteMarkerReplication.Status)
		}
		if c := r.SourceSelectionCriteria; c != nil && c.SseKmsEncryptedObjects != nil {
			text += fmt.Sprintf(", encrypted ones %s", c.SseKmsEncryptedObjects.Status)
		}
		if d := r.Destination; d != nil {
			text += ", to " + aws.ToString(d.Bucket)
			if d.EncryptionConfiguration != nil {
				text += " with " + aws.ToString(d.EncryptionConfiguration.ReplicaKmsKeyID)
			}
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, "; ")
}

// locks are what Pulumi holds while it works. They are no state.
const locks = ".pulumi/locks/"

// copyObjects copies what S3 does not, because it was there before its rule. A copy that S3 made is as old as its original.
// Source: Amazon S3 User Guide, "What does Amazon S3 replicate?".
func (f *foundation) copyObjects(ctx context.Context) (mend.Setting, error) {
	s := mend.Setting{Want: "everything that is in " + f.bucket}
	here, err := f.objects(ctx)
	if err != nil {
		return s, err
	}
	there, err := f.copy.objects(ctx)
	if err != nil {
		return s, err
	}
	var lacking []string
	for _, key := range slices.Sorted(maps.Keys(here)) {
		if copied, ok := there[key]; !strings.HasPrefix(key, locks) && (!ok || copied.Before(here[key])) {
			lacking = append(lacking, key)
		}
	}
	s.Found = fmt.Sprintf("all but %d", len(lacking))
	if len(lacking) == 0 {
		return s, nil
	}
	s.Missing = len(there) == 0
	s.Mend = func(ctx context.Context) error {
		for _, key := range lacking {
			_, err := f.copy.s3.CopyObject(ctx, &s3.CopyObjectInput{
				Bucket: aws.String(f.copy.bucket), Key: aws.String(key), CopySource: aws.String(f.bucket + "/" + url.PathEscape(key)),
			})
			if err != nil && !awsapi.Is(err, "NoSuchKey") { // it was deleted meanwhile
				return fmt.Errorf("%s: %w", key, err)
			}
		}
		return nil
	}
	return s, nil
}

// objects are the keys of a bucket's objects, and when they were written. A bucket that is yet to be made has none.
func (f *foundation) objects(ctx context.Context) (map[string]time.Time, error) {
	found := map[string]time.Time{}
	pages := s3.NewListObjectsV2Paginator(f.s3, &s3.ListObjectsV2Input{Bucket: aws.String(f.bucket)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if awsapi.Is(err, "NoSuchBucket") {
			return found, nil
		}
		if err != nil {
			return nil, err
		}
		for _, object := range page.Contents {
			found[aws.ToString(object.Key)] = aws.ToTime(object.LastModified)
		}
	}
	return found, nil
}
