package keys

import (
	"errors"
	"fmt"
	"slices"

	"github.com/calldata/calldata-foundation/components/tags"
)

// Use is what a key may be used for. It decides which services the key's policy admits.
type Use string

// The uses of a key.
const (
	// UseVolumes is EBS: volumes, their snapshots and copies of these.
	UseVolumes Use = "volumes"
	// UseDatabase is RDS: storage, snapshots, Performance Insights, and the master password that RDS keeps.
	UseDatabase Use = "database"
	// UseStorage is S3: objects, logs that AWS delivers to a bucket, and the history of AWS Config.
	UseStorage Use = "storage"
	// UseLogs is CloudWatch Logs: the log groups of this account and region.
	UseLogs Use = "logs"
	// UseSecrets is Secrets Manager and Parameter Store, with the secrets that RDS keeps there.
	UseSecrets Use = "secrets"
	// UseNotices is SNS: topics that alarms, events, budgets and cost anomalies are told to.
	UseNotices Use = "notices"
	// UseBackups is AWS Backup and copies of backups: vaults, the recovery points of volumes, databases and buckets that are
	// copied to one, and buckets.
	UseBackups Use = "backups"
	// UseTrail is the record of what happens in the account: CloudTrail and AWS Config.
	UseTrail Use = "trail"
)

// AllUses lists every use.
func AllUses() []Use {
	return []Use{UseVolumes, UseDatabase, UseStorage, UseLogs, UseSecrets, UseNotices, UseBackups, UseTrail}
}

// Deletion windows in days: how long a deleted key can be called back. Whatever it encrypted is lost after that.
const (
	// MinDeletionWindowDays leaves time to notice. AWS itself allows 7.
	MinDeletionWindowDays = 14
	// MaxDeletionWindowDays is the longest that AWS allows, and the default.
	// Source: AWS KMS API Reference, ScheduleKeyDeletion.
	MaxDeletionWindowDays = 30
)

// Args describe a key. The first version of a key costs about 1 USD a month, and so do the first and the second rotation.
// Source: AWS KMS pricing.
type Args struct {
	// Use is what the key is for.
	Use Use
	// AutoScaling admits machines that autoscaling groups start; only for UseVolumes. EC2 Auto Scaling starts them as its
	// service-linked role, which must exist in the account before the key: KMS refuses a policy that names an unknown
	// role. `calldata bootstrap` makes it, once per account.
	AutoScaling bool
	// Protect keeps Pulumi from deleting the key, and leaves it in AWS if the stack forgets it.
	Protect bool
	// DeletionWindowDays is how long a deleted key can be called back, 14 to 30 days. Zero is 30.
	DeletionWindowDays int
	// Tags are given to the key; Role says what it serves.
	Tags tags.Tags
}

// Validate reports every field that AWS would refuse or that would make the key less safe than we promise.
func (a Args) Validate() error {
	var errs []error
	if !slices.Contains(AllUses(), a.Use) {
		errs = append(errs, fmt.Errorf("use: %q is none of %v", a.Use, AllUses()))
	}
	if a.AutoScaling && a.Use != UseVolumes {
		errs = append(errs, fmt.Errorf("auto scaling: a key for %s has no machines to start, leave it off or take the use %q", a.Use, UseVolumes))
	}
	if d := a.DeletionWindowDays; d != 0 && (d < MinDeletionWindowDays || d > MaxDeletionWindowDays) {
		errs = append(errs, fmt.Errorf("deletion window: %d days, want %d to %d", d, MinDeletionWindowDays, MaxDeletionWindowDays))
	}
	if err := a.Tags.Validate(); err != nil {
		errs = append(errs, fmt.Errorf("tags: %w", err))
	}
	return errors.Join(errs...)
}

func (a Args) deletionWindow() int {
	if a.DeletionWindowDays == 0 {
		return MaxDeletionWindowDays
	}
	return a.DeletionWindowDays
}
