// Package snapshot knows the names of RDS's snapshots.
package snapshot

import (
	"errors"
	"regexp"
	"strings"
)

// form is a snapshot's identifier or ARN. Those that RDS makes by itself begin with rds:, those of AWS Backup with awsbackup:.
// Source: Amazon RDS API Reference, CreateDBSnapshot, and User Guide, "Using AWS Backup to manage automated backups".
var form = regexp.MustCompile(`^(?:arn:aws:rds:([a-z0-9-]+):\d{12}:snapshot:)?(?:(?:rds|awsbackup):)?[A-Za-z][A-Za-z0-9]*(?:-[A-Za-z0-9]+)*$`)

// maxName is the longest identifier.
const maxName = 255

// Check reports what keeps name from being the identifier or the ARN of a snapshot.
func Check(name string) error {
	if len(name) > maxName || !form.MatchString(name) {
		return errors.New("want the identifier or the ARN of a snapshot of RDS, like awsbackup:job-1a2b or arn:aws:rds:us-west-2:123456789012:snapshot:awsbackup:copyjob-1a2b")
	}
	return nil
}

// Region is the region that an ARN names. It is empty for an identifier.
func Region(name string) string {
	if m := form.FindStringSubmatch(name); m != nil {
		return m[1]
	}
	return ""
}

// begin ends the name of the copy that a database has begun with.
const begin = "-begin"

// Begin is the name of the copy that a database begins with.
func Begin(database string) string { return database + begin }

// Begins tells whether a snapshot is such a copy, which goes with its database, by its identifier and its tag Name: both are the name above.
// A snapshot that a person calls so has no tags, or those of its database.
// Source: Amazon RDS API Reference, CopyTagsToSnapshot of a DB instance.
func Begins(identifier, tag string) bool {
	return identifier == tag && strings.HasSuffix(identifier, begin)
}
