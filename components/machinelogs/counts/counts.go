package counts

import "strings"

// root begins the namespaces of counts.
const root = "CallData/Logs"

// Namespace is where the counts of a stack's lines are. A metric filter cannot give lines without fields a dimension, so that each
// stack has a namespace of its own.
// Source: Amazon CloudWatch Logs User Guide, "Publishing dimensions with metrics from values in JSON or space-delimited log events".
func Namespace(stack string) string { return root + "/" + stack }

// The counts, by the names of their metrics.
const (
	LoginsRefused   = "LoginsRefused"
	SudoRefused     = "SudoRefused"
	OutOfMemory     = "OutOfMemory"
	DiskErrors      = "DiskErrors"
	RenewalsFailed  = "RenewalsFailed"
	BackupsFailed   = "BackupsFailed"
	FilesChanged    = "FilesChanged"
	RecordsRefused  = "RecordsRefused"
	DatabaseStopped = "DatabaseStopped"
)

// Count is how many lines have one of some texts. Lines of the journal begin with who said them.
type Count struct {
	// Metric is CloudWatch's name, Name is part of names of resources.
	Metric, Name string
	// Groups are patterns of log groups, without the stack's prefix.
	Groups []string
	// Any are the texts, each as it stands in the line.
	Any []string
}

// All are the counts. Sources of the texts: OpenSSH, auth.c and packet.c; sudo, logging.c; Linux, mm/oom_kill.c, block/blk-core.c,
// fs/buffer.c and fs/ext4/super.c; Certbot, renewal.py; AIDE, report.c; PostgreSQL, elog.c and xlogrecovery.c; the roles backup and
// c4_router.
func All() []Count {
	journal := []string{"*/journal"}
	return []Count{
		{LoginsRefused, "logins-refused", journal, each([]string{"sshd: ", "sshd-session: "}, "Failed password for ", "Invalid user ", "Connection closed by authenticating user ", "Disconnected from authenticating user ")},
		{SudoRefused, "sudo-refused", journal, []string{" : user NOT in sudoers ; ", " : command not allowed ; ", " incorrect password attempt"}},
		{OutOfMemory, "out-of-memory", journal, each([]string{"kernel: "}, "Out of memory: Killed process ", "Memory cgroup out of memory: Killed process ")},
		{DiskErrors, "disk-errors", journal, each([]string{"kernel: "}, "I/O error, dev ", "blk_update_request: I/O error, dev ", "Buffer I/O error on dev ", "EXT4-fs error (device ")},
		{RenewalsFailed, "renewals-failed", journal, each([]string{"certbot: "}, "Failed to renew certificate ", "All renewals failed")},
		{BackupsFailed, "backups-failed", journal, each([]string{"calldata-backup: "}, "failed: ", "refused: ")},
		{FilesChanged, "files-changed", journal, []string{"aide: AIDE found differences between database and filesystem"}},
		{RecordsRefused, "records-refused", []string{"c4-router/kamailio"}, []string{"a call record was refused: "}},
		{DatabaseStopped, "database-stopped", []string{"*/postgresql"}, []string{" PANIC:  ", "database system was not properly shut down", "No space left on device"}},
	}
}

// each is every beginning with every end.
func each(beginnings []string, ends ...string) []string {
	var texts []string
	for _, beginning := range beginnings {
		for _, end := range ends {
			texts = append(texts, beginning+end)
		}
	}
	return texts
}

// Pattern is the filter, in CloudWatch's language.
// Source: Amazon CloudWatch Logs User Guide, "Filter pattern syntax": a question mark before each of several terms is one of them.
func (c Count) Pattern() string {
	quoted := make([]string, len(c.Any))
	for i, text := range c.Any {
		quoted[i] = `"` + text + `"`
	}
	if len(quoted) == 1 {
		return quoted[0]
	}
	return "?" + strings.Join(quoted, " ?")
}
