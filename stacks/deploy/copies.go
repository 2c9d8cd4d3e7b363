package deploy

import (
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/calldata/calldata-foundation/components/keys"
	"github.com/calldata/calldata-foundation/components/otherregion"
	"github.com/calldata/calldata-foundation/components/replica"
	"github.com/calldata/calldata-foundation/stacks"
)

// copied reports whether backups are copied to a second region.
func (d *deployment) copied() bool {
	return d.topology.Backup != nil && d.topology.Backup.CopyRegion != ""
}

// copies registers what takes copies of backups in a second region.
func (d *deployment) copies() error {
	if !d.copied() {
		return nil
	}
	settings, err := Settings()
	if err != nil {
		return err
	}
	if d.made.elsewhere, err = otherregion.NewProvider(d.ctx, d.topology.Backup.CopyRegion, settings); err != nil {
		return err
	}
	name := d.topology.Stack + "-copies"
	if d.made.replica, err = replica.NewReplica(d.ctx, name, d.replicaArgs()); err != nil || !d.topology.WatchesCopies() {
		return err
	}
	key, err := keys.NewKey(d.ctx, name+"-notices", keys.Args{Use: keys.UseNotices, Protect: d.topology.Protect, Tags: d.tags("key")}, pulumi.Provider(d.made.elsewhere))
	if err != nil {
		return err
	}
	d.made.elsewhereKey = key.ARN
	return nil
}

func (d *deployment) replicaArgs() replica.Args {
	spec := d.topology.Backup
	return replica.Args{
		Provider: d.made.elsewhere, Region: spec.CopyRegion,
		SourceBucket: d.made.bucketName[stacks.BucketBackups], SourceBucketARN: d.made.bucketARN[stacks.BucketBackups], SourceKMSKeyARN: d.made.keys[stacks.KeyStorage],
		SourceReady: d.made.bucketReady[stacks.BucketBackups], Days: spec.Days, Lock: spec.Lock, Protect: spec.Protect, Tags: d.tags("backup"),
	}
}
