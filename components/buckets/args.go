package buckets

import (
	"errors"
	"fmt"
	"regexp"
	"slices"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/calldata/calldata-foundation/components/tags"
)

// Writer is an AWS service that writes to a bucket as itself.
type Writer string

// The writers. Each is admitted for this account's own data alone.
const (
	// WriterELB is Application Load Balancers' access logs. They support no other encryption than SSE-S3.
	// Source: User Guide for Application Load Balancers, "Enable access logs".
	WriterELB Writer = "elb"
	// WriterNLB is the log delivery of Network Load Balancers, and of VPCs and others that use the same service.
	// Source: User Guide for Network Load Balancers, "Enable access logs".
	WriterNLB Writer = "nlb"
	// WriterS3AccessLogs is S3's server access logs. They support neither SSE-KMS nor a locked bucket.
	// Source: Amazon S3 User Guide, "Enabling Amazon S3 server access logging".
	WriterS3AccessLogs Writer = "s3-access-logs"
	// WriterCloudTrail is CloudTrail's event logs and digests.
	// Source: AWS CloudTrail User Guide, "Amazon S3 bucket policy for CloudTrail".
	WriterCloudTrail Writer = "cloudtrail"
	// WriterConfig is AWS Config's history and snapshots. It refuses a bucket with default retention.
	// Source: AWS Config Developer Guide, "Permissions for the Amazon S3 Bucket for the AWS Config Delivery Channel".
	WriterConfig Writer = "config"
)

// AllWriters lists every writer.
func AllWriters() []Writer {
	return []Writer{WriterELB, WriterNLB, WriterS3AccessLogs, WriterCloudTrail, WriterConfig}
}

// Lifecycle of what nobody asks for any more, in days.
const (
	// DefaultNoncurrentDays is how long overwritten and deleted versions are kept unless the caller says otherwise.
	DefaultNoncurrentDays = 30
	// abortDays is when S3 forgets the parts of an upload that was never completed. They are invisible and cost money.
	abortDays = 7
)

// Args describe a bucket.
type Args struct {
	// Use is what is kept in it, in lower case words joined by hyphens: "artifacts", "backups", "access-logs", "trail",
	// "config". It becomes the tag Use.
	Use string
	// KMSKeyARN is the key that encrypts objects which name none. Nil is SSE-S3, which WriterELB and WriterS3AccessLogs
	// need. The bucket key cuts what KMS asks for each object.
	KMSKeyARN pulumi.StringInput
	// Writers are the AWS services that may write. The account's own principals need no mention: IAM lets them.
	Writers []Writer
	// AccessLogsTo is the name of the bucket that S3 tells who asked for what in this one, under the prefix
	// "s3/<component's name>/". Nil is nowhere. It must admit WriterS3AccessLogs.
	AccessLogsTo pulumi.StringInput
	// ExpireDays is when objects go. Zero is never.
	ExpireDays int
	// NoncurrentDays is when overwritten and deleted versions go. Zero is DefaultNoncurrentDays.
	NoncurrentDays int
	// ObjectLockDays is how long nobody without s3:BypassGovernanceRetention can delete or overwrite a version. Zero is
	// no lock. A bucket gets its lock when it is made: going from zero to a number, or back, replaces the bucket.
	ObjectLockDays int
	// ForceDestroy lets Pulumi delete the bucket with all that is in it.
	ForceDestroy bool
	// Protect keeps Pulumi from deleting the bucket, and leaves it in AWS, with its settings, if the stack forgets it.
	Protect bool
	// Tags are given to the bucket; Role says what it serves.
	Tags tags.Tags
}

var useForm = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)

// Validate reports every field that AWS would refuse, now or when the first log is to be delivered.
func (a Args) Validate() error {
	var errs []error
	need := func(ok bool, format string, values ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, values...))
		}
	}
	need(useForm.MatchString(a.Use), "use: %q is not lower case words joined by hyphens, like access-logs", a.Use)
	for i, w := range a.Writers {
		need(slices.Contains(AllWriters(), w), "writers: %q is none of %v", w, AllWriters())
		need(!slices.Contains(a.Writers[:i], w), "writers: %q is there twice", w)
		need(a.KMSKeyARN == nil || !onlySSES3(w), "KMS key: %s can write to buckets with SSE-S3 alone, leave the key out", w)
		need(a.ObjectLockDays == 0 || !refusesLock(w), "object lock: %s cannot write to a bucket with default retention, set it to 0 days", w)
	}
	need(a.AccessLogsTo == nil || !a.writes(WriterS3AccessLogs), "access logs: a bucket of access logs is not logged itself, each log would cause another")
	for _, days := range []struct {
		field string
		value int
	}{{"expire", a.ExpireDays}, {"noncurrent", a.NoncurrentDays}, {"object lock", a.ObjectLockDays}} {
		need(days.value >= 0, "%s: %d days, want 0 or more", days.field, days.value)
	}
	need(!a.ForceDestroy || !a.Protect, "force destroy: the bucket is protected, set one of the two")
	if err := a.Tags.Validate(); err != nil {
		errs = append(errs, fmt.Errorf("tags: %w", err))
	}
	return errors.Join(errs...)
}

func (a Args) writes(w Writer) bool { return slices.Contains(a.Writers, w) }

func (a Args) noncurrentDays() int {
	if a.NoncurrentDays == 0 {
		return DefaultNoncurrentDays
	}
	return a.NoncurrentDays
}

func onlySSES3(w Writer) bool { return w == WriterELB || w == WriterS3AccessLogs }

func refusesLock(w Writer) bool { return w == WriterS3AccessLogs || w == WriterConfig }

// Length of a bucket's name.
// Source: Amazon S3 User Guide, "General purpose bucket naming rules".
const (
	maxName = 63
	// suffix is what the provider appends to make a name unique: the time and a counter, in 26 digits, after a hyphen.
	suffix = 27
)

// nameForm are the names that can begin a bucket's: no capitals and no dots, with which TLS to S3 has trouble.
var nameForm = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?$`)

// CheckName reports what keeps a component's name from beginning the bucket's.
func CheckName(name string) error {
	switch {
	case !nameForm.MatchString(name):
		return fmt.Errorf("name: %q is not lower case letters, digits and hyphens", name)
	case len(name) > maxName-suffix:
		return fmt.Errorf("name: %q has %d characters, a bucket's allows %d before its suffix", name, len(name), maxName-suffix)
	}
	return nil
}
