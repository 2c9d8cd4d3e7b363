package alarms

import "github.com/calldata/calldata-foundation/components/metrics"

const (
	// awsBackup has jobs by the vault that they write to. Copies to another region are told as events instead: nobody documents
	// which of the two vaults their metrics name.
	// Source: AWS Backup Developer Guide, "AWS Backup metrics with CloudWatch".
	awsBackup = "AWS/Backup"
	// s3 has what a rule of replication did, where its metrics are enabled. Failed operations are told in the source's region, the
	// rest in the destination's. Source: Amazon S3 User Guide, "Using S3 Replication metrics".
	s3 = "AWS/S3"
)

func backup() []Alarm {
	return []Alarm{
		// Once a day, and half a day to do it again.
		ours("backup-age", metrics.BackupAge, Maximum).of(Machine).on(Engine).every(300).line(Above, 1.5*day, 2, 2).notice("the newest good backup is older than a day and a half"),
		// Once an hour, and half an hour to be told of and to end.
		ours("copy-age", metrics.CopyAge, Maximum).of(Machine).on(Engine).every(300).line(Above, 1.5, 2, 2).shareOf(CopyEvery).notice("the second engine has data older than an hour and a half"),
		event("backup-jobs-failed", awsBackup, "NumberOfBackupJobsFailed").of(Vault).notice("AWS Backup could not save a disk or the database"),
		// A job that does not begin within its window expires.
		event("backup-jobs-missed", awsBackup, "NumberOfBackupJobsExpired").of(Vault).notice("AWS Backup did not begin to save a disk or the database in time"),
		// The plan begins them once a day, within an hour, and the end of one may be some hours later than the day before. Neither failed
		// nor missed are those that nobody begins, without a plan, a role or anything with the tag. A vault without any yet looks the same.
		ours("backup-jobs-none", "NumberOfBackupJobsCompleted", Sum).from(awsBackup).of(Vault).every(3600).line(Below, 1, 30, 30).missing(MissingIsBad).
			notice("AWS Backup has saved nothing for 30 hours"),
		event("copies-failed", s3, "OperationsFailedReplication").of(Copies).notice("S3 could not copy a backup to the other region"),
		// It takes minutes, and hours for some. Four are in what is promised for the loss of a region.
		ours("copies-late", "ReplicationLatency", Maximum).from(s3).of(Arrivals).every(300).line(Above, 4*3600, 3, 3).notice("S3 is more than four hours behind with copies to the other region"),
	}
}
