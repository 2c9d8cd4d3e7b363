package rds

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/calldata/calldata-foundation/components/rds/snapshot"
	"github.com/calldata/calldata-foundation/components/tags"
)

// Args describe the database. Inputs may be unknown until AWS answers; everything else decides the graph's shape and is
// checked before the first resource.
type Args struct {
	// SubnetIDs are the subnets that it lives in. They need no route to the internet.
	SubnetIDs pulumi.StringArrayInput
	// SubnetZones is in how many availability zones they are: at least two, even for a database without a standby.
	SubnetZones int
	// SecurityGroupIDs are its firewall.
	SecurityGroupIDs pulumi.StringArrayInput
	// KMSKeyARN is the key of its storage, its snapshots and its performance data.
	KMSKeyARN pulumi.StringInput
	// SecretKMSKeyARN is the key of the master password's secret. Nil means KMSKeyARN.
	SecretKMSKeyARN pulumi.StringInput
	// LogsKMSKeyARN is the key of the log groups, which must let CloudWatch Logs use it. Nil means AWS's own.
	LogsKMSKeyARN pulumi.StringInput

	// EngineVersion is a PostgreSQL version that RDS offers, from 15: a major one such as "16", which lets RDS choose the
	// minor one, or one such as "16.4", which is the oldest that may run.
	EngineVersion string
	// AllowMajorUpgrade lets the next deployment move to another major version. Set it for that one deployment: the upgrade
	// cannot be taken back, and nobody answers while it runs.
	AllowMajorUpgrade bool
	// InstanceClass is the machine, for example "db.m7g.large".
	InstanceClass string
	// AllocatedGiB is the storage to begin with. MaxAllocatedGiB is how far RDS may let it grow on its own, 0 for not at
	// all. It never shrinks.
	AllocatedGiB, MaxAllocatedGiB int
	// MultiAZ keeps a standby in another zone that takes over by itself, within one or two minutes. It doubles the price.
	MultiAZ bool
	// Routers is how many C4 Routers may be connected at one time: the fleet's most, and those that a rollout adds.
	Routers int

	// BackupDays is how long automatic backups are kept: to any second of that time the database can be restored.
	BackupDays int
	// BackupWindow is when RDS takes its daily snapshot, in UTC, for example "03:00-03:30".
	BackupWindow string
	// MaintenanceWindow is when RDS may restart it, in UTC, for example "sun:04:00-sun:05:00". Changes that we make wait for
	// it too.
	MaintenanceWindow string

	// PerformanceInsights keeps a week of what the database was busy with. Seven days cost nothing.
	// Source: Amazon RDS User Guide, "Pricing and data retention for Performance Insights".
	PerformanceInsights bool
	// EnhancedMonitoring sends the operating system's figures once a minute to the log group RDSOSMetrics, which RDS makes
	// and which all databases of the account share.
	EnhancedMonitoring bool
	// LogRetentionDays is how long the database's logs are kept, one of the values that CloudWatch Logs knows.
	LogRetentionDays int

	// Protect keeps Pulumi and RDS from deleting it, and leaves a last snapshot behind should it go nevertheless.
	Protect bool
	// DatabaseName is the database that is there from the beginning. Username is the master user; RDS makes its password,
	// keeps it in Secrets Manager and changes it every week.
	DatabaseName, Username string
	// Snapshot is the identifier or the ARN of a snapshot in the same region that the database begins with: its data, its storage
	// and its master user, who must be Username. Empty begins with an empty database. It says nothing once the database is there:
	// another snapshot, or none, leaves the data alone.
	Snapshot string
	// Tags are given to everything that takes tags; Environment is also the value of the Backup tag.
	Tags tags.Tags
}

// Limits of RDS. Source: Amazon RDS User Guide, "Quotas and constraints for Amazon RDS", "Amazon RDS DB instance storage"
// and "Backup retention period".
const (
	minAllocatedGiB = 20
	maxAllocatedGiB = 65536
	maxBackupDays   = 35
	minZones        = 2
)

// minMajor is the oldest PostgreSQL that we write parameters for. It is Debian 12's, which the roles are tested with.
const minMajor = 15

var (
	versionForm = regexp.MustCompile(`^([1-9]\d?)(\.\d{1,2})?$`)
	classForm   = regexp.MustCompile(`^db\.[a-z0-9-]+\.[a-z0-9-]+$`)
	nameForm    = regexp.MustCompile(`^[a-z][a-z0-9_]{0,62}$`)
	// Source: Amazon RDS API Reference, CreateDBInstance, DBInstanceIdentifier. It is shorter here than RDS allows, so that
	// the last snapshot's name, which is made from it, fits too.
	identifierForm = regexp.MustCompile(`^[a-z](-?[a-z0-9])*$`)
)

const maxIdentifier = 55

// reserved are names that RDS or PostgreSQL keep for themselves.
// Source: Amazon RDS User Guide, "Master user account privileges"; PostgreSQL, "Template Databases".
var reserved = []string{"admin", "db", "postgres", "public", "rdsadmin", "rdsrepladmin", "root", "template0", "template1", "user"}

// Validate reports every field that RDS would refuse.
func (a Args) Validate() error {
	var errs []error
	need := func(ok bool, format string, values ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, values...))
		}
	}
	need(a.SubnetIDs != nil, "subnet ids: they are missing")
	need(a.SubnetZones >= minZones, "subnet zones: %d, RDS wants subnets in at least %d zones", a.SubnetZones, minZones)
	need(a.SecurityGroupIDs != nil, "security group ids: they are missing")
	need(a.KMSKeyARN != nil, "KMS key ARN: it is missing")
	if _, err := major(a.EngineVersion); err != nil {
		errs = append(errs, fmt.Errorf("engine version: %w", err))
	}
	need(classForm.MatchString(a.InstanceClass), "instance class: %q is not like db.m7g.large", a.InstanceClass)
	errs = append(errs, a.checkStorage(), a.checkTimes())
	need(a.Routers >= 1, "routers: %d, want at least 1: the number of connections follows from it", a.Routers)
	need(a.LogRetentionDays >= 1, "log retention: %d days, want at least 1: logs are never kept without end", a.LogRetentionDays)
	for _, f := range []struct{ field, value string }{{"database name", a.DatabaseName}, {"user name", a.Username}} {
		need(nameForm.MatchString(f.value), "%s: %q is not a lower case letter and up to 62 letters, digits and underscores", f.field, f.value)
		need(!slices.Contains(reserved, f.value) && !strings.HasPrefix(f.value, "pg_") && !strings.HasPrefix(f.value, "rds_"),
			"%s: %q is kept by RDS or PostgreSQL for themselves, choose another", f.field, f.value)
	}
	if a.Snapshot != "" {
		if err := snapshot.Check(a.Snapshot); err != nil {
			errs = append(errs, fmt.Errorf("snapshot: %q: %w", a.Snapshot, err))
		}
	}
	if err := a.Tags.Validate(); err != nil {
		errs = append(errs, fmt.Errorf("tags: %w", err))
	}
	return errors.Join(errs...)
}

func (a Args) checkStorage() error {
	if a.AllocatedGiB < minAllocatedGiB || a.AllocatedGiB > maxAllocatedGiB {
		return fmt.Errorf("allocated storage: %d GiB, want %d to %d", a.AllocatedGiB, minAllocatedGiB, maxAllocatedGiB)
	}
	// Source: Amazon RDS User Guide, "Managing capacity automatically with Amazon RDS storage autoscaling".
	if least := (a.AllocatedGiB*11 + 9) / 10; a.MaxAllocatedGiB != 0 && (a.MaxAllocatedGiB < least || a.MaxAllocatedGiB > maxAllocatedGiB) {
		return fmt.Errorf("maximum storage: %d GiB, want 0 for no growth, or %d (a tenth above the %d allocated) to %d", a.MaxAllocatedGiB, least, a.AllocatedGiB, maxAllocatedGiB)
	}
	return nil
}

func (a Args) checkTimes() error {
	var errs []error
	if a.BackupDays < 1 || a.BackupDays > maxBackupDays {
		errs = append(errs, fmt.Errorf("backup days: %d, want 1 to %d", a.BackupDays, maxBackupDays))
	}
	backup, backupErr := backupWindow(a.BackupWindow)
	if backupErr != nil {
		errs = append(errs, fmt.Errorf("backup window: %w", backupErr))
	}
	maintenance, maintenanceErr := maintenanceWindow(a.MaintenanceWindow)
	if maintenanceErr != nil {
		errs = append(errs, fmt.Errorf("maintenance window: %w", maintenanceErr))
	}
	if backupErr == nil && maintenanceErr == nil && overlap(backup, maintenance) {
		errs = append(errs, fmt.Errorf("backup window: %s falls into the maintenance window %s, which RDS refuses", a.BackupWindow, a.MaintenanceWindow))
	}
	return errors.Join(errs...)
}

// checkName reports what keeps name from being a DB instance identifier.
func checkName(name string) error {
	if len(name) > maxIdentifier || !identifierForm.MatchString(name) {
		return fmt.Errorf("name: %q is not a lower case letter and up to %d letters, digits and single hyphens", name, maxIdentifier-1)
	}
	return nil
}

// major is the major version of an engine version.
func major(version string) (int, error) {
	m := versionForm.FindStringSubmatch(version)
	if m == nil {
		return 0, fmt.Errorf("%q is not like 16 or 16.4", version)
	}
	n, _ := strconv.Atoi(m[1])
	if n < minMajor {
		return 0, fmt.Errorf("PostgreSQL %d is older than %d, the oldest that we support", n, minMajor)
	}
	return n, nil
}
