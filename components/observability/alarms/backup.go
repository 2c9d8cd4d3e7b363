package alarms

import "github.com/calldata/calldata-foundation/components/metrics"

func backup() []Alarm {
	return []Alarm{
		// Once a day, and half a day to do it again.
		ours("backup-age", metrics.BackupAge, Maximum).of(Machine).on(Engine).every(300).line(Above, 1.5*day, 2, 2).notice("the newest good backup is older than a day and a half"),
	}
}
