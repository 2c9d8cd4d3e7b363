package baseline

import (
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/calldata/calldata-foundation/components/buckets"
	"github.com/calldata/calldata-foundation/components/keys"
	"github.com/calldata/calldata-foundation/components/notices"
)

// shared are what several parts use. Each is there once a part that needs it is on.
type shared struct {
	topic      notices.Topic
	accessLogs *buckets.Bucket
	recordKey  *keys.Key
	trailGroup pulumi.StringOutput // the log group's name
}

// accessLogs registers the key of what is recorded about the account, and the bucket that tells who looked at it.
func (b *builder) accessLogs(*Baseline) error {
	var err error
	if b.shared.recordKey, err = keys.NewKey(b.ctx, b.name+"-records", keys.Args{Use: keys.UseTrail, Protect: b.args.Protect, Tags: b.args.Tags}, b.parent); err != nil {
		return err
	}
	b.shared.accessLogs, err = buckets.NewBucket(b.ctx, b.name+"-access-logs", buckets.Args{
		Use: "access-logs", Writers: []buckets.Writer{buckets.WriterS3AccessLogs}, ExpireDays: b.args.ArchiveDays, Protect: b.args.Protect, ForceDestroy: !b.args.Protect, Tags: b.args.Tags,
	}, b.parent)
	return err
}

// records registers a bucket for what one service records.
func (b *builder) records(use string, writer buckets.Writer, lockDays int) (*buckets.Bucket, error) {
	return buckets.NewBucket(b.ctx, b.name+"-"+use, buckets.Args{
		Use: use, KMSKeyARN: b.shared.recordKey.ARN, Writers: []buckets.Writer{writer}, AccessLogsTo: b.shared.accessLogs.Name, ExpireDays: b.args.ArchiveDays,
		ObjectLockDays: lockDays, Protect: b.args.Protect, ForceDestroy: !b.args.Protect, Tags: b.args.Tags,
	}, b.parent)
}

// kept are the options of what must not get lost.
func (b *builder) kept() []pulumi.ResourceOption {
	return []pulumi.ResourceOption{b.parent, pulumi.Protect(b.args.Protect), pulumi.RetainOnDelete(b.args.Protect)}
}
