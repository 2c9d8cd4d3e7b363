package backup

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/calldata/calldata-foundation/components/tags"
)

// TagKey is the tag that makes AWS Backup take a resource. Its value is the stack.
const TagKey = "Backup"

// Args describe vault and plan. Inputs may be unknown until AWS answers; everything else decides the graph's shape and is
// checked before the first resource.
type Args struct {
	// KMSKeyARN is the key of the vault. Whoever deletes the key deletes the backups.
	KMSKeyARN pulumi.StringInput
	// TagValue selects the resources whose tag TagKey has this value.
	TagValue string
	// Start is when the daily backup may begin, in UTC, for example "05:30". RDS refuses a backup in its own backup window,
	// and in its maintenance window and the hour before it.
	// Source: AWS Backup Developer Guide, "Amazon RDS backups".
	Start string
	// DailyRetentionDays is how long a copy is kept.
	DailyRetentionDays int
	// Lock keeps everyone from deleting a copy before minLockedDays are over. Without Protect it is a governance lock,
	// which an operator with the right permission can take away. With Protect it is a compliance lock: coolingOffDays after
	// its creation nobody can take it away or change it, neither the account's root nor AWS.
	Lock bool
	// CopyToVaultARN is another vault, of another region, that gets a copy of every copy. Nil means none.
	CopyToVaultARN pulumi.StringInput
	// Protect keeps Pulumi from deleting the vault.
	Protect bool
	// Tags are given to everything that takes tags.
	Tags tags.Tags
}

const (
	// minLockedDays is for how long a lock keeps a copy, whatever somebody asks. It is shorter than a retention, which may
	// have to change, and longer than it takes to notice.
	minLockedDays = 7
	// coolingOffDays is how long a compliance lock can be taken back. AWS wants at least 3.
	// Source: AWS Backup API Reference, PutBackupVaultLockConfiguration, ChangeableForDays.
	coolingOffDays = 7
	// maxRetentionDays is the longest retention that AWS Backup takes (API Reference, Lifecycle): a hundred years.
	maxRetentionDays = 36500
	// maxName leaves room for what makes a vault's name unique. AWS allows 50 characters.
	// Source: AWS Backup API Reference, CreateBackupVault, BackupVaultName.
	maxName = 42
)

var (
	nameForm  = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9-]*$`)
	clockForm = regexp.MustCompile(`^([01]\d|2[0-3]):([0-5]\d)$`)
)

// Validate reports every field that AWS Backup would refuse.
func (a Args) Validate() error {
	errs := []error{VaultArgs{KMSKeyARN: a.KMSKeyARN, Tags: a.Tags}.Validate()}
	if a.TagValue == "" {
		errs = append(errs, errors.New("tag value: it is empty, nothing would be backed up"))
	} else if err := tags.CheckValue(a.TagValue); err != nil {
		errs = append(errs, fmt.Errorf("tag value: %w", err))
	}
	if !clockForm.MatchString(a.Start) {
		errs = append(errs, fmt.Errorf("start: %q is not a time in UTC such as 05:30", a.Start))
	}
	switch {
	case a.DailyRetentionDays < 1 || a.DailyRetentionDays > maxRetentionDays:
		errs = append(errs, fmt.Errorf("daily retention: %d days, want 1 to %d", a.DailyRetentionDays, maxRetentionDays))
	case a.Lock && a.DailyRetentionDays < minLockedDays:
		errs = append(errs, fmt.Errorf("daily retention: %d days, want at least %d, for which the lock keeps a copy: a shorter one makes every backup fail",
			a.DailyRetentionDays, minLockedDays))
	}
	return errors.Join(errs...)
}

// VaultArgs describe a vault alone, for copies from elsewhere.
type VaultArgs struct {
	// KMSKeyARN, Lock, Protect and Tags are as in Args.
	KMSKeyARN pulumi.StringInput
	Lock      bool
	Protect   bool
	Tags      tags.Tags
}

// Validate reports every field that AWS Backup would refuse.
func (a VaultArgs) Validate() error {
	var errs []error
	if a.KMSKeyARN == nil {
		errs = append(errs, errors.New("KMS key ARN: it is missing"))
	}
	if err := a.Tags.Validate(); err != nil {
		errs = append(errs, fmt.Errorf("tags: %w", err))
	}
	return errors.Join(errs...)
}

// clock reads a time that clockForm has checked.
func clock(text string) (hour, minute int) {
	m := clockForm.FindStringSubmatch(text)
	hour, _ = strconv.Atoi(m[1])
	minute, _ = strconv.Atoi(m[2])
	return hour, minute
}

// checkName reports what keeps name from being the beginning of a vault's name.
func checkName(name string) error {
	if len(name) > maxName || !nameForm.MatchString(name) {
		return fmt.Errorf("name: %q is not 1 to %d letters, digits and hyphens", name, maxName)
	}
	return nil
}
