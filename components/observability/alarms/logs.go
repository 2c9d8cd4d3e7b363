package alarms

import "github.com/calldata/calldata-foundation/components/machinelogs/counts"

// counted is the namespace of an alarm on counts of lines; Thing.Namespace has the stack's.
const counted = "counts"

// event is an alarm on what is not to happen at all. What does not happen has no value.
func event(name, namespace, metric string) Alarm {
	return ours(name, metric, Sum).from(namespace).every(300).missing(MissingIsGood).line(AtLeast, 1, 1, 1)
}

func logs() []Alarm {
	count := func(name, metric string) Alarm { return event(name, counted, metric).of(Logs) }
	return []Alarm{
		// People mistype, and agents offer wrong keys.
		count("logins-refused", counts.LoginsRefused).line(Above, 20, 1, 1).notice("more than 20 logins by SSH were refused in five minutes"),
		count("sudo-refused", counts.SudoRefused).notice("somebody tried to become root who may not"),
		count("out-of-memory", counts.OutOfMemory).notice("the kernel ended a process for want of memory"),
		count("disk-errors", counts.DiskErrors).notice("the kernel could not read or write a disk"),
		count("renewals-failed", counts.RenewalsFailed).notice("a certificate could not be renewed"),
		count("backups-failed", counts.BackupsFailed).notice("a machine could not save itself, or a part of itself"),
		count("files-changed", counts.FilesChanged).notice("programs or settings are not as they were recorded"),
		count("records-refused", counts.RecordsRefused).notice("the database refused a call's record: it is in Kamailio's log alone"),
		count("database-stopped", counts.DatabaseStopped).notice("PostgreSQL of a machine crashed, or had no room"),
	}
}
