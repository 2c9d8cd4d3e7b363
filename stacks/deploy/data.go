package deploy

import (
	"fmt"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/calldata/calldata-foundation/components/backup"
	"github.com/calldata/calldata-foundation/components/buckets"
	"github.com/calldata/calldata-foundation/components/keys"
	"github.com/calldata/calldata-foundation/components/ports"
	"github.com/calldata/calldata-foundation/components/rds"
	"github.com/calldata/calldata-foundation/stacks"
)

// Times of day, in UTC, at which few people call in Europe and America. AWS Backup stays out of the database's own
// windows, and of the hour before the second.
const (
	databaseBackupWindow      = "03:00-03:30" //nolint:gosec // no credential
	databaseMaintenanceWindow = "sun:07:00-sun:08:00"
	backupStart               = "04:00"
)

func (d *deployment) keys() error {
	for _, use := range d.topology.Keys {
		key, err := keys.NewKey(d.ctx, fmt.Sprintf("%s-%s", d.topology.Stack, use), d.keyArgs(use))
		if err != nil {
			return err
		}
		d.made.keys[use] = key.ARN
	}
	return nil
}

func (d *deployment) keyArgs(use stacks.KeyUse) keys.Args {
	return keys.Args{
		Use: keys.Use(use), AutoScaling: use == stacks.KeyVolumes && len(d.topology.Fleets) > 0, Protect: d.topology.Protect, Tags: d.tags("key"),
	}
}

func (d *deployment) buckets() error {
	for _, spec := range d.topology.Buckets {
		bucket, err := buckets.NewBucket(d.ctx, d.bucketName(spec), d.bucketArgs(spec))
		if err != nil {
			return err
		}
		d.made.bucketName[spec.Use], d.made.bucketARN[spec.Use], d.made.bucketReady[spec.Use] = bucket.Name, bucket.ARN, bucket.Ready
	}
	return nil
}

func (d *deployment) bucketName(spec stacks.BucketSpec) string {
	return fmt.Sprintf("%s-%s", d.topology.Stack, spec.Use)
}

// bucketArgs encrypts with our key whatever AWS lets: the logs of load balancers and of S3 itself can only be written with
// S3's own.
func (d *deployment) bucketArgs(spec stacks.BucketSpec) buckets.Args {
	args := buckets.Args{
		Use: string(spec.Use), ExpireDays: spec.ExpireDays, ObjectLockDays: spec.LockDays, Protect: spec.Protect, ForceDestroy: !spec.Protect,
		Tags: d.tags("storage"),
	}
	if spec.Use == stacks.BucketAccessLogs {
		args.Writers = []buckets.Writer{buckets.WriterELB, buckets.WriterNLB, buckets.WriterS3AccessLogs}
		return args
	}
	args.KMSKeyARN, args.AccessLogsTo = d.made.keys[stacks.KeyStorage], d.made.bucketName[stacks.BucketAccessLogs]
	return args
}

func (d *deployment) database() error {
	if d.topology.Database == nil {
		return nil
	}
	database, err := rds.NewRds(d.ctx, d.topology.Database.Name, d.databaseArgs())
	d.made.rds = database
	return err
}

func (d *deployment) databaseArgs() rds.Args {
	spec := d.topology.Database
	return rds.Args{
		SubnetIDs: d.subnetIDs(stacks.TierIntra), SubnetZones: len(d.topology.Network.Of(stacks.TierIntra)),
		SecurityGroupIDs: pulumi.StringArray{d.made.groups[ports.GroupDatabase]},
		KMSKeyARN:        d.made.keys[stacks.KeyDatabase], SecretKMSKeyARN: d.made.keys[stacks.KeySecrets], LogsKMSKeyARN: d.made.keys[stacks.KeyLogs],
		EngineVersion: fmt.Sprint(spec.Version), InstanceClass: spec.Class, AllocatedGiB: spec.GiB, MaxAllocatedGiB: spec.MaxGiB, MultiAZ: spec.MultiAZ,
		Routers: d.topology.RoutersAtOnce(), BackupDays: spec.BackupDays, BackupWindow: databaseBackupWindow, MaintenanceWindow: databaseMaintenanceWindow,
		PerformanceInsights: true, EnhancedMonitoring: true, LogRetentionDays: d.topology.LogRetentionDays, Protect: spec.Protect,
		DatabaseName: "calldata", Username: "calldata", Snapshot: spec.Snapshot, Tags: d.tags("database"),
	}
}

func (d *deployment) backup() error {
	if d.topology.Backup == nil {
		return nil
	}
	made, err := backup.NewBackup(d.ctx, d.topology.Backup.Name, d.backupArgs())
	if err != nil {
		return err
	}
	d.made.backup = made
	return nil
}

func (d *deployment) backupArgs() backup.Args {
	spec := d.topology.Backup
	args := backup.Args{
		KMSKeyARN: d.made.keys[stacks.KeyBackups], TagValue: d.topology.Stack, Start: backupStart, DailyRetentionDays: spec.Days, Lock: spec.Lock,
		Protect: spec.Protect, Tags: d.tags("backup"),
	}
	if d.copied() {
		args.CopyToVaultARN = d.made.replica.VaultARN
	}
	return args
}
