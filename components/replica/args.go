package replica

import (
	"errors"
	"fmt"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/calldata/calldata-foundation/components/tags"
)

// Args describe the copies. Inputs may be unknown until AWS answers; everything else is checked before the first resource.
type Args struct {
	// Provider acts in the second region.
	Provider pulumi.ProviderResource
	// Region is the name of that region.
	Region string
	// SourceBucket and SourceBucketARN are the name and the ARN of the bucket that is copied, in the stack's own region.
	SourceBucket, SourceBucketARN pulumi.StringInput
	// SourceKMSKeyARN is the key that encrypts its objects.
	SourceKMSKeyARN pulumi.StringInput
	// SourceReady is what must be there before S3 can copy: the bucket's versions.
	SourceReady []pulumi.Resource
	// Days is how long objects are kept. Copies in the vault are kept as long as the plan says that makes them.
	Days int
	// Lock keeps copies from being deleted before their time: objects for Days, by S3 Object Lock in governance mode, and
	// the vault's as the component backup says. S3 copies from a bucket with a lock only to one with a lock.
	// Source: Amazon S3 User Guide, "Object Lock considerations", "Using Object Lock with S3 Replication".
	Lock bool
	// Protect keeps Pulumi from deleting key, bucket and vault.
	Protect bool
	// Tags are given to everything that takes tags.
	Tags tags.Tags
}

// Validate reports every field that AWS would refuse.
func (a Args) Validate() error {
	var errs []error
	need := func(ok bool, format string, values ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, values...))
		}
	}
	need(a.Provider != nil, "provider: it is missing, and without one the copies would be in the stack's own region")
	need(a.Region != "", "region: it is empty, name the one that the provider acts in")
	need(a.SourceBucket != nil && a.SourceBucketARN != nil, "source bucket: its name or ARN is missing")
	need(a.SourceKMSKeyARN != nil, "source KMS key ARN: it is missing, S3 could not read what it copies")
	need(a.Days >= 1, "days: %d, want 1 or more", a.Days)
	if err := a.Tags.Validate(); err != nil {
		errs = append(errs, fmt.Errorf("tags: %w", err))
	}
	return errors.Join(errs...)
}

func (a Args) lockDays() int {
	if a.Lock {
		return a.Days
	}
	return 0
}
